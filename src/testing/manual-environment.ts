/**
 * An environment for `start({ environment })` whose time a test controls. Timers run only in `advance`, in the order in
 * which they are due. Random numbers come from a seed, and ids are counted. It does not control work that waits for a
 * disk or a network: `advance` lets promises settle, but does not wait for the outside world.
 */
import { systemEnvironment } from '../application/system-environment.ts'
import { DefinitionError } from '../domain/error.ts'
import { checkKeys } from '../domain/options.ts'
import type { Environment } from '../runtime/environment.ts'
import { randomFrom } from './random.ts'

/** How a manual environment begins. */
export interface ManualEnvironmentOptions {
  /** The time at the beginning. By default the first of January 2026. */
  readonly now?: Date | string
  /** The seed of the random numbers. The same seed gives the same numbers. 1 by default. */
  readonly seed?: number
}

/** An environment that a test controls. Domains that share a store should share it too, because it counts their ids. */
export interface ManualEnvironment extends Environment {
  /**
   * Moves the time forward. Each timer that becomes due runs at its own time. The work that it starts may run before
   * the next timer.
   *
   * @throws DefinitionError `OPTION_INVALID` if the time would go backwards
   */
  advance(durationMs: number): Promise<void>
  /** Sets the clock without running timers, as an administrator would. It may go backwards. */
  setClock(now: Date | string): void
  /** The number of timers that wait. */
  readonly timers: number
}

interface Timer {
  readonly dueAt: number
  readonly callback: () => void
}

/**
 * Makes an environment whose clock stands still.
 *
 *     const environment = manualEnvironment()
 *     await using bank = await Bank.start({ environment, passivateAfterMs: 1000 })
 *     await bank.account('ada').deposit({ amount: 1 })
 *     await environment.advance(1000)
 *     assert.equal(bank.load().liveAggregates, 0)
 */
export function manualEnvironment(options: ManualEnvironmentOptions = {}): ManualEnvironment {
  checkKeys('manualEnvironment(options)', options, ['now', 'seed'])
  let clockMs = timeOf(options.now ?? '2026-01-01T00:00:00Z')
  // Timers and measurements use a time of their own, which `setClock` does not change.
  let elapsedMs = 0
  let ids = 0
  let deferred = 0
  const timers = new Set<Timer>()

  const settle = async () => {
    do await turn()
    while (deferred > 0)
  }

  return Object.freeze({
    now: () => clockMs,
    elapsed: () => elapsedMs,
    after(delayMs: number, callback: () => void) {
      const timer = { dueAt: elapsedMs + Math.max(delayMs, 0), callback }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
    defer(callback: () => void) {
      deferred++
      systemEnvironment.defer(() => {
        deferred--
        callback()
      })
    },
    random: randomFrom(options.seed ?? 1),
    newId: () => `id-${++ids}`,
    newCommandId: () => `~${String(++ids).padStart(22, '0')}`,
    async advance(durationMs: number) {
      if (!(durationMs >= 0)) refuse('durationMs', 'a time in milliseconds', durationMs)
      const end = elapsedMs + durationMs
      await settle()
      for (let next = firstDue(timers, end); next !== undefined; next = firstDue(timers, end)) {
        clockMs += next.dueAt - elapsedMs
        elapsedMs = next.dueAt
        timers.delete(next)
        next.callback()
        await settle()
      }
      clockMs += end - elapsedMs
      elapsedMs = end
    },
    setClock(now: Date | string) {
      clockMs = timeOf(now)
    },
    get timers() {
      return timers.size
    },
  })
}

/** The timer that is due first, at most at `end`. If several are due at the same time, the one that was set first. */
function firstDue(timers: ReadonlySet<Timer>, end: number): Timer | undefined {
  let first: Timer | undefined
  for (const timer of timers) if (timer.dueAt <= end && !(first && first.dueAt <= timer.dueAt)) first = timer
  return first
}

/** One turn of the event loop. After it, every promise that needs nothing else has settled. */
function turn(): Promise<void> {
  return new Promise((resolve) => systemEnvironment.defer(resolve))
}

function timeOf(now: Date | string): number {
  const timeMs = new Date(now).getTime()
  return Number.isNaN(timeMs) ? refuse('now', 'a date', now) : timeMs
}

function refuse(option: string, expected: string, found: unknown): never {
  throw new DefinitionError('OPTION_INVALID', { option, expected, found })
}
