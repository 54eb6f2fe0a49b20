/**
 * Time that stands still until a test moves it: an environment for `start({ environment })` whose timers run only in
 * `advance`, in the order in which they are due, with random numbers from a seed and ids that are counted. It does not
 * govern work that waits for a disk or a network: `advance` lets promises settle, and does not wait for the outer
 * world.
 */
import { systemEnvironment } from '../application/system-environment.ts'
import { DefinitionError } from '../domain/error.ts'
import { checkKeys } from '../domain/options.ts'
import type { Environment } from '../runtime/environment.ts'

/** Where a manual environment begins. */
export interface ManualEnvironmentOptions {
  /** The time that it shows until it is moved; the beginning of 2026 by default. */
  readonly now?: Date | string
  /** Chooses the random numbers: the same seed gives the same ones. 1 by default. */
  readonly seed?: number
}

/** An environment that a test owns. Domains that share a store should share it too, since it counts their ids. */
export interface ManualEnvironment extends Environment {
  /**
   * Moves the time on. Every timer that comes due runs at its own time, and what it sets off is let run before the
   * next.
   *
   * @throws DefinitionError `OPTION_INVALID` if the time would go backwards
   */
  advance(durationMs: number): Promise<void>
  /** Sets the clock without running timers, as an administrator would; backwards too. */
  setClock(now: Date | string): void
  /** How many timers wait. */
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
  // Timers, and what is measured, follow a time of their own, which no setting of the clock disturbs.
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

/** The timer that is due first, up to a time; of several at the same time the one that was set first. */
function firstDue(timers: ReadonlySet<Timer>, end: number): Timer | undefined {
  let first: Timer | undefined
  for (const timer of timers) if (timer.dueAt <= end && !(first && first.dueAt <= timer.dueAt)) first = timer
  return first
}

/** One turn of the event loop: every promise that can settle by itself has settled after it. */
function turn(): Promise<void> {
  return new Promise((resolve) => systemEnvironment.defer(resolve))
}

/** Numbers in [0, 1) that look like chance and follow from the seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function timeOf(now: Date | string): number {
  const timeMs = new Date(now).getTime()
  return Number.isNaN(timeMs) ? refuse('now', 'a date', now) : timeMs
}

function refuse(option: string, expected: string, found: unknown): never {
  throw new DefinitionError('OPTION_INVALID', { option, expected, found })
}
