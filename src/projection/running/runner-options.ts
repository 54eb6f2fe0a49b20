/** The options of a runner. */
import type { Environment } from '../../runtime/environment.ts'
import type { Observing } from '../../runtime/observing.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { EventStore, LeaseStore, ProjectionStore } from '../../store/store.ts'
import type { StepperContext } from '../checkpoint/step.ts'
import type { Stepper } from '../checkpoint/stepper.ts'
import type { Tail } from '../log/tail.ts'
import type { BetterPlace } from './yielding.ts'

export interface RunnerOptions {
  /** The name under which checkpoint and lease are stored. */
  readonly name: string
  readonly store: EventStore & ProjectionStore & LeaseStore
  readonly environment: Environment
  readonly warn: Warn
  /** Absent if nobody observes. */
  readonly observing?: Observing | undefined
  /** Tells when the log grows. */
  readonly tail: Tail
  /** The interval at which it asks for the lease while another process leads. */
  readonly pollIntervalMs: number
  /** Unique for each running domain: the holder of the lease. */
  readonly owner: string
  readonly leaseMs: number
  /** Absent if processes do not share the work by a plan. */
  readonly betterPlace?: BetterPlace | undefined
  /** Makes the stepper that is run. */
  readonly stepper: (lead: StepperContext) => Stepper
}
