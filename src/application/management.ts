/** The methods that manage projections or reactions by their names. */
import { ProjectionError } from '../domain/error.ts'
import { checkKeys, checkOption, checkSignal, checkWhole } from '../domain/options.ts'
import type { RetryOptions } from '../projection/checkpoint/step.ts'
import type { TableReader } from '../projection/code/table-reader.ts'
import type { ByHand } from '../projection/reactions/by-hand.ts'
import type { TimersOptions, TimersPage } from '../projection/reactions/scheduled-commands.ts'
import type { WaitingList, WaitingOptions } from '../projection/reactions/waiting.ts'
import type { ReadModelReader } from '../projection/reading/read-model.ts'
import type { CompareOptions, Rebuilder } from '../projection/rebuilding/rebuild.ts'
import { Job, type Progress, type ProgressOptions, ProgressWatch } from '../projection/running/progress.ts'
import type { Runner } from '../projection/running/runner.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Projections, Reactions, RebuildOptions, ResetOptions, StartAt } from './running.ts'
import type { UnderWay } from './under-way.ts'

type OnProgress = (progress: Progress) => void

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
  underWay: UnderWay,
): Reactions<string> {
  const { rebuild: _, compare: __, ...managed } = management(reactions, environment, underWay)
  const byHand = (name: string) => namedIn(reactions, name).byHand!
  return Object.freeze({
    ...managed,
    timers: async (name: string, options: TimersOptions = {}) => namedIn(reactions, name).timers!(options),
    waiting: async (name: string, options: WaitingOptions = {}) => namedIn(reactions, name).waiting!.page(options),
    cancelTimer: (name: string, id: string) =>
      underWay.run(`Cancelling a command of ${name}`, async () => byHand(name).cancelTimer(id)),
    sendTimer: (name: string, id: string) =>
      underWay.run(`Sending a command of ${name}`, async () => byHand(name).sendTimer(id)),
    handBack: (name: string) => underWay.run(`Handing back events of ${name}`, async () => byHand(name).handBack()),
  })
}

/** @throws ProjectionError `PROJECTION_UNKNOWN` */
function namedIn(projections: ReadonlyMap<string, ManagedProjection>, projection: unknown): ManagedProjection {
  const found = projections.get(projection as string)
  if (found !== undefined) return found
  throw new ProjectionError('PROJECTION_UNKNOWN', { projection, known: [...projections.keys()] })
}

/** The methods that manage projections. */
export function management(
  projections: ReadonlyMap<string, ManagedProjection>,
  environment: Environment,
  underWay: UnderWay,
): Projections<string> {
  const named = (projection: unknown): ManagedProjection => namedIn(projections, projection)
  return Object.freeze({
    names: Object.freeze([...projections.keys()]),
    async start(name: string, at: StartAt = {}) {
      const { runner } = named(name)
      checkKeys('start(name, at)', at, ['from'])
      const { from = 1 } = at
      checkWhole('from', from, 1)
      // Without a position it begins in this very call, so a stop that is asked for next ends it.
      if (from > 1) await checkWithin(runner, from)
      underWay.refuseIfEnded(`Starting ${name}`)
      runner.start(from)
      return runner.status()
    },
    stop: async (name: string) => named(name).runner.stop(),
    lookup: async (name: string) => (named(name).runner.alive ? named(name).runner.status() : undefined),
    pause: async (name: string) => named(name).runner.pause(),
    resume: async (name: string) => named(name).runner.resume(),
    status: async (name: string) => named(name).runner.status(),
    runOnce: (name: string) =>
      underWay.run(`Running ${name} once`, async (signal) => named(name).runner.runOnce(signal)),
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
    ...rebuilding(named, underWay),
    parked: async (name: string) => named(name).runner.parked(),
    async retryParked(name: string, options: RetryOptions = {}) {
      const { runner } = named(name)
      checkKeys('retryParked(name, options)', options, ['signal'])
      checkSignal(options.signal)
      return underWay.run(`Retrying events of ${name}`, (signal) => runner.retryParked(signal), options.signal)
    },
    async skipParked(name: string, position: number) {
      const { runner } = named(name)
      const isNumber = (found: unknown) => typeof found === 'number'
      checkOption('position', position ?? null, isNumber, 'the position of a parked event')
      return underWay.run(`Skipping an event of ${name}`, () => runner.skipParked(position))
    },
    reset: (name: string, options: ResetOptions) =>
      underWay.run(`Resetting ${name}`, async () => reset(named(name), options)),
  })
}

/** The methods that build rows beside the live ones. */
function rebuilding(
  named: (projection: string) => ManagedProjection,
  underWay: UnderWay,
): Pick<Projections<string>, 'rebuild' | 'compare'> {
  const rebuilt = (name: string) => {
    const { rows, runner } = named(name)
    if (rows === undefined) throw new ProjectionError('REBUILD_IMPOSSIBLE', { projection: name })
    return { rebuilder: rows.rebuilder, bookmark: runner.bookmark }
  }
  return {
    rebuild(name: string, options: RebuildOptions = {}) {
      const { rebuilder, bookmark } = rebuilt(name)
      checkKeys('rebuild(name, options)', options, ['signal'])
      checkSignal(options.signal)
      const rebuild = (onProgress: OnProgress) => (signal: AbortSignal) =>
        rebuilder.rebuild(bookmark, onProgress, signal)
      return new Job((onProgress) => underWay.run(`Rebuilding ${name}`, rebuild(onProgress), options.signal))
    },
    compare(name: string, options: CompareOptions = {}) {
      const { rebuilder, bookmark } = rebuilt(name)
      checkKeys('compare(name, options)', options, ['limit', 'signal'])
      checkWhole('limit', options.limit, 0)
      checkSignal(options.signal)
      const compare = (onProgress: OnProgress) => (signal: AbortSignal) =>
        rebuilder.compare(bookmark, { ...options, signal }, onProgress)
      return new Job((onProgress) => underWay.run(`Comparing ${name}`, compare(onProgress), options.signal))
    },
  }
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
