/**
 * Tries parked events again, in the order of the log. An event that fails stays parked, with the events that queue
 * behind it.
 */
import { Breath } from '../../runtime/breath.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { ParkedEvent, ParkedEvents } from '../stored/parked-events.ts'
import type { RetryTally, StepperContext } from './step.ts'

/** How parked events are tried again. */
export interface Retry {
  /** The number of events that are tried at once. */
  readonly size: number
  /**
   * Handles some events, and saves the results. Returns false if this runner was overtaken.
   *
   * @param blocks whether an event that failed before them has a key
   */
  readonly attempt: (parked: readonly ParkedEvent[], blocks: (key: string) => boolean) => Promise<boolean>
  readonly tally: RetryTally
}

/** @returns false if this runner was overtaken */
export async function retryParked(
  parked: ParkedEvents,
  { size, attempt, tally }: Retry,
  { lead, environment }: { readonly lead: StepperContext; readonly environment: Environment },
  signal: AbortSignal,
): Promise<boolean> {
  const breath = new Breath(environment)
  const before = await parked.all(breath)
  const blocked = new Set<string>()
  for (let start = 0; start < before.length; start += size) {
    await breath.pause()
    if (signal.aborted) break
    const some = before.slice(start, start + size)
    const { size: countBefore } = parked
    if (!((await lead.keepLead()) && (await attempt(some, (key) => blocked.has(key))))) return false
    tally.handled += countBefore - parked.size
    for (const { position, keys } of some) {
      if (parked.holds(position)) for (const key of keys) blocked.add(key)
    }
  }
  return true
}
