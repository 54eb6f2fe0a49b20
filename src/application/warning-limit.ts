/**
 * Keeps an outage from filling the log. If a store does not answer, there is a warning for each append and each
 * aggregate: a thousand in a second, which hide everything else. So the log gets the first warning of a kind at once,
 * and then at most one a second, which says how many others there were. Observers get them all. Warnings that nothing
 * else tells, such as that of an event that was skipped, are not held back.
 *
 * The log is read by people, so the time is theirs: the clock of the machine, also where a test controls the domain's.
 */
import type { Environment } from '../runtime/environment.ts'
import type { Warn, Warning } from '../runtime/warning.ts'
import { systemEnvironment } from './system-environment.ts'

const everyMs = 1000

/** Warnings that may come for each command, aggregate, event, request or tenant. */
const limited: ReadonlySet<Warning['code']> = new Set([
  ...(['APPEND_REPEATED', 'AGGREGATE_NOT_LOADED', 'AGGREGATE_RESET', 'STORE_SLOW', 'REQUEST_FAILED'] as const),
  ...(['SNAPSHOT_FAILED', 'SNAPSHOT_IGNORED', 'SNAPSHOT_SKIPPED', 'TENANT_NOT_WOKEN', 'TENANT_NOT_STOPPED'] as const),
  ...(['PROJECTION_RETRIED', 'REACTION_RETRIED', 'PROJECTION_PARKED', 'REACTION_PARKED'] as const),
  'REACTION_COMMAND_REFUSED',
])

/** Warnings of one kind that came since the last one that was told. */
interface Held {
  untilMs: number
  count: number
  last: Warning | undefined
  cancel: (() => void) | undefined
}

export class WarningLimit {
  readonly #warn: Warn
  readonly #environment: Pick<Environment, 'elapsed' | 'after'>
  /** By kind: the code, and the projection or reaction that it is about. */
  readonly #held = new Map<string, Held>()
  #isEnded = false

  /** @param warn gets what is told */
  constructor(warn: Warn, environment: Pick<Environment, 'elapsed' | 'after'> = systemEnvironment) {
    this.#warn = warn
    this.#environment = environment
  }

  /** Tells a warning, now or with others of its kind. */
  readonly warn: Warn = (warning) => {
    if (this.#isEnded || !limited.has(warning.code)) return this.#warn(warning)
    const kind = 'follower' in warning ? `${warning.code} ${warning.follower}` : warning.code
    const now = this.#environment.elapsed()
    const held = this.#held.get(kind)
    if (held === undefined || (held.count === 0 && now >= held.untilMs)) {
      this.#held.set(kind, { untilMs: now + everyMs, count: 0, last: undefined, cancel: undefined })
      return this.#warn(warning)
    }
    held.count++
    held.last = warning
    held.cancel ??= this.#environment.after(held.untilMs - now, () => this.#tell(held), { background: true })
  }

  /** Tells what is held back. From now on nothing is. */
  end(): void {
    this.#isEnded = true
    for (const held of this.#held.values()) {
      held.cancel?.()
      this.#tell(held)
    }
    this.#held.clear()
  }

  #tell(held: Held): void {
    const { last, count } = held
    Object.assign(held, {
      untilMs: this.#environment.elapsed() + everyMs,
      count: 0,
      last: undefined,
      cancel: undefined,
    })
    if (last === undefined) return
    const others = count - 1
    const message = `${last.message} (and ${others} more like this are not shown)`
    this.#warn(others === 0 ? last : { ...last, message, others })
  }
}
