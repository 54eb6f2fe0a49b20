/** The methods that manage projections or reactions by their names. */
import { CancelledError, ProjectionError } from '../domain/error.ts'
import { checkKeys, checkOption, checkSignal, checkWhole } from '../domain/options.ts'
import type { RetryOptions, RetryResult } from '../projection/checkpoint/step.ts'
import type { TableReader } from '../projection/code/table-reader.ts'
import type { ByHand } from '../projection/reactions/by-hand.ts'
import type { TimersOptions, TimersPage } from '../projection/reactions/scheduled-commands.ts'
import type { WaitingList, WaitingOptions } from '../projection/reactions/waiting.ts'
import type { ReadModelReader } from '../projection/reading/read-model.ts'
import type { CompareOptions, Rebuilder } from '../projection/rebuilding/rebuild.ts'
import { Job, type ProgressOptions, ProgressWatch } from '../projection/running/progress.ts'
import type { Runner } from '../projection/running/runner.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Projections, Reactions, RebuildOptions, ResetOptions, StartAt } from './running.ts'

/** A projection or a reaction of a running domain. */
export interface ManagedProjection {
  readonly runner: Runner
  /** Only for projections with rows: they can be read and rebuilt. */
  readonly rows?: { readonly reader: ReadModelReader; readonly rebuilder: Rebuilder }
  /** Only for projections as code. */
  readonly tables?: TableReader
  /** Only for reactions. */
  readonly timers?: (options: TimersOptions) => Promise<TimersPage>
  /** Only for reactions. */
  readonly waiting?: WaitingList
  /** Only for reactions. */
  readonly byHand?: ByHand
}

/** The methods that manage reactions. */
export function reactionManagement(
  reactions: ReadonlyMap<string, ManagedProjection>,
  environment: Environment,
  stopped: AbortSignal,
): Reactions<string> {
  const { rebuild: _, compare: __, ...managed } = management(reactions, environment, stopped)
  return Object.freeze({
    ...managed,
    timers: async (name: string, options: TimersOptions = {}) => namedIn(reactions, name).timers!(options),
    waiting: async (name: string, options: WaitingOptions = {}) => namedIn(reactions, name).waiting!.page(options),
    cancelTimer: async (name: string, id: string) => namedIn(reactions, name).byHand!.cancelTimer(id),
    sendTimer: async (name: string, id: string) => namedIn(reactions, name).byHand!.sendTimer(id),
    handBack: async (name: string) => namedIn(reactions, name).byHand!.handBack(),
  })
}

/** @throws ProjectionError `PROJECTION_UNKNOWN` */
function namedIn(projections: ReadonlyMap<string, ManagedProjection>, projection: unknown): ManagedProjection {
  const found = projections.get(projection as string)
  if (found !== undefined) return found
  throw new ProjectionError('PROJECTION_UNKNOWN', { projection, known: [...projections.keys()] })
}

/** The methods that manage projections. @param stopped aborted when the domain is asked to stop */
export function management(
  projections: ReadonlyMap<string, ManagedProjection>,
  environment: Environment,
  stopped: AbortSignal,
): Projections<string> {
  const named = (projection: unknown): ManagedProjection => namedIn(projections, projection)
  const rebuilt = (name: string) => {
    const { rows, runner } = named(name)
    if (rows === undefined) throw new ProjectionError('REBUILD_IMPOSSIBLE', { projection: name })
    return { rebuilder: rows.rebuilder, bookmark: runner.bookmark }
  }
  return Object.freeze({
    names: Object.freeze([...projections.keys()]),
    async start(name: string, at: StartAt = {}) {
      const { runner } = named(name)
      checkKeys('start(name, at)', at, ['from'])
      const { from = 1 } = at
      checkWhole('from', from, 1)
      // Without a position it begins in this very call, so a stop that is asked for next ends it.
      if (from > 1) await checkWithin(runner, from)
      refuseIf(stopped, name)
      runner.start(from)
      return runner.status()
    },
    stop: async (name: string) => named(name).runner.stop(),
    lookup: async (name: string) => (named(name).runner.alive ? named(name).runner.status() : undefined),
    pause: async (name: string) => named(name).runner.pause(),
    resume: async (name: string) => named(name).runner.resume(),
    status: async (name: string) => named(name).runner.status(),
    runOnce: async (name: string) => named(name).runner.runOnce(),
    progress(name: string, options: ProgressOptions = {}) {
      const { runner } = named(name)
      checkKeys('progress(name, options)', options, ['everyMs', 'signal'])
      checkWhole('everyMs', options.everyMs, 1)
      checkSignal(options.signal)
      const place = async () => {
        const status = await runner.status()
        // A failed projection never catches up.
        if (status.failure !== undefined) throw status.failure
        return status
      }
      return new ProgressWatch(name, environment, place, options)
    },
    rebuild(name: string, options: RebuildOptions = {}) {
      const { rebuilder, bookmark } = rebuilt(name)
      checkKeys('rebuild(name, options)', options, ['signal'])
      const { signal } = options
      checkSignal(signal)
      return new Job((onProgress) => rebuilder.rebuild(bookmark, onProgress, signal))
    },
    compare(name: string, options: CompareOptions = {}) {
      const { rebuilder, bookmark } = rebuilt(name)
      checkKeys('compare(name, options)', options, ['limit', 'signal'])
      checkWhole('limit', options.limit, 0)
      checkSignal(options.signal)
      return new Job((onProgress) => rebuilder.compare(bookmark, options, onProgress))
    },
    parked: async (name: string) => named(name).runner.parked(),
    retryParked: async (name: string, options: RetryOptions = {}) => retryParked(named(name), options),
    async skipParked(name: string, position: number) {
      const { runner } = named(name)
      const isNumber = (found: unknown) => typeof found === 'number'
      checkOption('position', position ?? null, isNumber, 'the position of a parked event')
      return runner.skipParked(position)
    },
    reset: async (name: string, options: ResetOptions) => reset(named(name), options),
  })
}

/** @throws DefinitionError `OPTION_INVALID`; ProjectionError `PROJECTION_ELSEWHERE` */
async function retryParked({ runner }: ManagedProjection, options: RetryOptions): Promise<RetryResult> {
  checkKeys('retryParked(name, options)', options, ['signal'])
  checkSignal(options.signal)
  return runner.retryParked(options.signal)
}

/** @throws CancelledError `STOPPED` */
function refuseIf(stopped: AbortSignal, name: string): void {
  if (stopped.aborted) throw new CancelledError('STOPPED', { what: `Starting ${name}` })
}

/** @throws DefinitionError `OPTION_INVALID` for a position that the log has not reached */
async function checkWithin(runner: ManagedProjection['runner'], from: number): Promise<void> {
  const { head } = await runner.status()
  const expected = `at most ${head + 1}, the position after the end of the log`
  checkOption('from', from, (found) => Number(found) <= head + 1, expected)
}

async function reset({ runner, rows }: ManagedProjection, options: ResetOptions): Promise<void> {
  checkKeys('reset(name, options)', options, ['from', 'keep'])
  const { from, keep = false } = options ?? {}
  checkWhole('from', from ?? null, 1)
  if (rows !== undefined) {
    checkOption(
      'from',
      from,
      (found) => found === 1,
      '1 for a projection with rows, because all of its events make the rows; or use rebuild(name)',
    )
  }
  if (from > 1) await checkWithin(runner, from)
  checkOption('keep', keep, (found) => typeof found === 'boolean', 'true or false')
  await runner.reset(from - 1, keep)
}
