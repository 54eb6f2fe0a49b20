/** What a process must not take or keep: more commands than its limit, and after its stop, timers and listeners. */

import { insideOf } from '../../application/inside.ts'
import type { StartOptions } from '../../application/start-options.ts'
import type { StreamId } from '../../domain/stream.ts'
import { limitsOf } from '../../kernel/limits.ts'
import { Broken } from './checks.ts'
import type { SimulatedProcess } from './process.ts'
import type { SimulatedCluster } from './simulated-cluster.ts'
import type { Way } from './way.ts'

/** @throws Broken if a process that has stopped in good order still has something that would keep it alive */
export function checkStopped({ name, timers }: SimulatedProcess): void {
  refuse(name, { 'timers that keep it alive': timers.holding })
}

/** The same where nothing was under way, not even what an operator has asked for. @throws Broken */
export function checkStoppedAtRest(process: SimulatedProcess, way: Way, cluster: SimulatedCluster | undefined): void {
  cluster?.checkStopped(process)
  refuse(process.name, { timers: process.timers.all, 'listeners of its store': way.listenersOf(process) })
}

function refuse(name: string, left: Readonly<Record<string, number>>): void {
  for (const [what, count] of Object.entries(left)) {
    if (count > 0) throw new Broken('a process that has stopped leaves nothing behind', `${name}: ${count} ${what}`)
  }
}

/** An instance that may be idle for longer is not waited for, in milliseconds. */
const idleMsMax = 10_000

/**
 * Whether a process to which nobody sends a command keeps no instance of an aggregate in memory.
 *
 * @returns true as well if its instances may be idle for long
 */
export function hasNoInstances({ started, version }: SimulatedProcess, options: StartOptions): boolean {
  const idleMs = version.aggregates.map((each) => each.options.passivateAfterMs ?? options.passivateAfterMs)
  return idleMs.some((ms) => ms === undefined || ms > idleMsMax) || started!.load().liveAggregates === 0
}

/**
 * Looks what a process takes when it is sent a command. Call it before that, and what it returns at once after it.
 *
 * @param stream the aggregate of the command
 * @param fail called if the process has taken more commands than it may
 */
export function watchLoad(process: SimulatedProcess, stream: StreamId, fail: (broken: Broken) => void): () => void {
  const { name, limits } = process
  const { commandsInFlightMax, mailboxMax } = limitsOf(limits)
  const waiting = () => (process.started === undefined ? 0 : insideOf(process.started).waiting(stream))
  const waited = waiting()
  return () => {
    if (process.started === undefined) return
    const { commandsInFlight } = process.started.load()
    if (commandsInFlight > commandsInFlightMax) {
      const reason = `${name} has ${commandsInFlight} commands in flight, and ${commandsInFlightMax} are allowed`
      fail(new Broken('limits are kept', reason))
    }
    // Those of a round that has to be decided again may wait beside the others, but then no further one is taken.
    if (waiting() > Math.max(waited, mailboxMax)) {
      const { aggregate, id } = stream
      const reason = `${waiting()} commands wait for ${aggregate} ${id} in ${name}, and ${mailboxMax} may`
      fail(new Broken('limits are kept', reason))
    }
  }
}
