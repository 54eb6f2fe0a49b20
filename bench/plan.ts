/** Everything that can be measured, by id, in the order of the report. */
import type { Figure, StoreName } from './figure.ts'
import { measureThroughput, type Throughput } from './rounds.ts'
import type { Setting } from './setting.ts'
import { expecting, large, manyAtOnce, oneAtATime } from './workloads/append.ts'
import { measureForwarding, measureMembers, measureTakeover } from './workloads/cluster.ts'
import {
  comingAndGoing,
  crowded,
  crowdedPlain,
  hot,
  owned,
  rejected,
  rejectedCrowded,
  shared,
} from './workloads/commands.ts'
import { measureEventLoop } from './workloads/event-loop.ts'
import { measureFinding } from './workloads/finding.ts'
import { measureFolds } from './workloads/fold.ts'
import { measureIdling } from './workloads/idle.ts'
import { measureLiveMemory } from './workloads/live-memory.ts'
import { measureLogLength } from './workloads/log-length.ts'
import { measureObserving } from './workloads/observing.ts'
import { measureOpening } from './workloads/opening.ts'
import { measurePersonal } from './workloads/personal.ts'
import { measureProjection } from './workloads/projection.ts'
import { measureRolling } from './workloads/rolling.ts'
import { measureServing } from './workloads/serving.ts'
import { measureTableReading } from './workloads/table-reading.ts'
import { measureTenants } from './workloads/tenants.ts'

/** A workload: one process measures it on one store. */
export interface Workload {
  readonly id: string
  readonly measure: (setting: Setting) => Promise<readonly Figure[]>
  /** On all of them, if left out. */
  readonly stores?: readonly StoreName[]
}

const inRounds = (throughput: Throughput): Workload => ({
  id: throughput.id,
  measure: async (setting) => [await measureThroughput(throughput, setting)],
})

export const workloads: readonly Workload[] = [
  inRounds(oneAtATime),
  inRounds(manyAtOnce),
  inRounds(expecting),
  inRounds(large),
  { id: 'W5', measure: measureFolds },
  inRounds(owned),
  inRounds(shared),
  inRounds(crowded),
  { ...inRounds(crowdedPlain), stores: ['memory'] },
  inRounds(hot),
  inRounds(comingAndGoing),
  { id: 'W7', measure: measureProjection },
  { id: 'W8', measure: measureLiveMemory },
  { id: 'W9', measure: measureOpening, stores: ['file', 'sqlite', 'postgres'] },
  { id: 'W10', measure: measureLogLength },
  inRounds(rejected),
  inRounds(rejectedCrowded),
  { id: 'W12', measure: measureFinding },
  { id: 'W13', measure: measurePersonal },
  // PostgreSQL and MongoDB have their tenants in one server; what they share depends on the pool that is given.
  { id: 'W14', measure: measureTenants, stores: ['memory', 'file', 'sqlite'] },
  { id: 'W15', measure: measureTakeover, stores: ['sqlite', 'postgres', 'nats'] },
  { id: 'W16', measure: measureForwarding, stores: ['sqlite', 'postgres', 'nats'] },
  { id: 'W17', measure: measureMembers, stores: ['sqlite', 'postgres', 'nats'] },
  { id: 'W18', measure: measureServing, stores: ['postgres'] },
  { id: 'W19', measure: measureTableReading, stores: ['sqlite', 'postgres'] },
  { id: 'W20', measure: measureRolling, stores: ['sqlite', 'postgres', 'nats'] },
  { id: 'loop', measure: measureEventLoop },
  { id: 'idle', measure: measureIdling },
  { id: 'observed', measure: measureObserving, stores: ['memory'] },
]
