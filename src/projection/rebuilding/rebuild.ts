/**
 * Rebuilds the rows of a projection beside the live rows, then makes the new ones live in one step. If the rebuild is
 * cancelled, fails or is killed, the live rows are unchanged. A lease keeps a second rebuild away. If that lease is
 * lost, the record of the generations lets only the last rebuild that began switch.
 */
import type { Fold } from '../../domain/aggregate.ts'
import { ConflictError, hasCode, ProjectionError } from '../../domain/error.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import type { AnyProjection } from '../../domain/projection.ts'
import { Breath } from '../../runtime/breath.ts'
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { RebuildStarted } from '../../runtime/observation.ts'
import type { Observing } from '../../runtime/observing.ts'
import type { Warn } from '../../runtime/warning.ts'
import type { EventStore, LeaseStore, ProjectionStore } from '../../store/store.ts'
import type { Bookmark } from '../checkpoint/bookmark.ts'
import type { Generation, Generations } from '../checkpoint/generations.ts'
import type { StepperContext } from '../checkpoint/step.ts'
import { isNewer } from '../failures/blame.ts'
import { Tries } from '../failures/tries.ts'
import { ProjectionSteps } from '../rows/projection-steps.ts'
import { Leadership } from '../running/leadership.ts'
import { type Progress, progressMeter } from '../running/progress.ts'
import type { RunResult } from '../running/status.ts'
import { compareRows, type RowComparison } from './compare-rows.ts'

export interface RebuilderOptions {
  readonly projection: AnyProjection
  readonly kinds: HandledKinds<Fold>
  readonly store: EventStore & ProjectionStore & LeaseStore
  readonly environment: Environment
  readonly warn: Warn
  /** Absent if nobody observes. */
  readonly observing?: Observing | undefined
  /** Unique for each running domain. */
  readonly owner: string
  readonly leaseMs: number
  readonly generations: Generations
}

/** The options of a comparison. */
export interface CompareOptions {
  /** The greatest number of differences that are listed, 100 by default. All are counted. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

type OnProgress = (progress: Progress) => void
/** How far a build is. */
type HowFar = Pick<Progress, 'position' | 'head'>

/** A generation that is being built, with its steps. */
interface Build {
  readonly steps: ProjectionSteps
  readonly generation: Generation
}

const never = new AbortController().signal
const limitDefault = 100
/** How long retired rows are still deleted after the signal. */
const cleaningMsMax = 1000
/** How often rows are compared again because another process has moved the checkpoint. */
const comparisonsMax = 20

export class Rebuilder {
  readonly #options: RebuilderOptions
  /** An owner that no rebuild uses now. If the store still has a lease of it, the next rebuild may take that. */
  #unusedOwner: string | undefined
  /** Settles when the last `bringUp` has ended. */
  #broughtUp: Promise<void> = Promise.resolve()

  constructor(options: RebuilderOptions) {
    this.#options = options
  }

  /**
   * Brings the rows to the revision of this program's definition, or waits until another process has. Also deletes what
   * a killed rebuild left.
   *
   * @throws ProjectionError `PROJECTION_OUTDATED`, `PROJECTION_FAILED`
   */
  bringUp(live: Bookmark, signal: AbortSignal): Promise<void> {
    const bringingUp = this.#bringUp(live, signal)
    this.#broughtUp = bringingUp.catch(() => {})
    return bringingUp
  }

  async #bringUp(live: Bookmark, signal: AbortSignal): Promise<void> {
    const { generations, environment, leaseMs } = this.#options
    await generations.load()
    for (let mayBeReplaced = true; generations.isBehind && !signal.aborted; ) {
      try {
        await this.#observed('revision', () => this.#build(live, signal, true, () => {}))
      } catch (error) {
        if (signal.aborted) return
        // The log was replaced, so the build was given up. It is begun again once.
        const isReplaced = mayBeReplaced && hasCode(error, 'LOG_REPLACED')
        if (isReplaced) mayBeReplaced = false
        else if (isBusy(error)) await sleep(environment, leaseMs / 3, signal)
        else throw error
        await generations.load()
      }
    }
    if (!generations.hasLeftovers || signal.aborted) return
    await this.#exclusively(() => this.#cleaning(signal, (breath) => this.#clear(breath))).catch(ignoreBusy)
  }

  /**
   * Rebuilds all rows, and makes them live.
   *
   * @throws ProjectionError `REBUILD_RUNNING`, `PROJECTION_FAILED`; the signal's reason
   */
  async rebuild(live: Bookmark, onProgress: OnProgress, signal: AbortSignal = never): Promise<RunResult> {
    await this.#broughtUp
    return this.#observed('asked', () => this.#build(live, signal, false, onProgress))
  }

  /**
   * Rebuilds all rows up to the position of the live rows, compares them, and deletes the rebuilt rows.
   *
   * @throws ProjectionError `REBUILD_RUNNING`, `PROJECTION_FAILED`; the signal's reason
   */
  async compare(
    live: Bookmark,
    { limit = limitDefault, signal = never }: CompareOptions,
    onProgress: OnProgress,
  ): Promise<RowComparison> {
    const { store, generations, projection } = this.#options
    const breath = this.#breath(signal)
    await this.#broughtUp
    const comparing = () =>
      this.#exclusively(async (lease) => {
        const { steps, generation } = await this.#begin(false, lease)
        const tell = this.#telling(onProgress)
        const catchUp = (end: number) => this.#catchUp(steps, lease, signal, tell, end)
        const checkpoint = async () => (await store.loadCheckpoint(generations.live.storage)).position
        try {
          await catchUp((await checkpoint()) + 1)
          return await live.hold(async () => {
            for (let tries = 0; ; tries++) {
              const position = await checkpoint()
              await catchUp(position + 1)
              await steps.bookmark.flush()
              const found = await compareRows(store, generations.live.storage, generation.storage, limit, breath)
              if ((await checkpoint()) === position) return { position, ...found }
              if (tries >= comparisonsMax) {
                throw new ProjectionError('PROJECTION_ELSEWHERE', {
                  projection: projection.name,
                  doing: 'Comparing rows',
                })
              }
            }
          })
        } finally {
          await this.#giveUp(generation, signal)
        }
      })
    return this.#observed('comparison', comparing)
  }

  /** Builds rows, and tells an observer. */
  async #observed<Result extends { readonly position: number }>(
    why: RebuildStarted['why'],
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { observing, projection } = this.#options
    if (observing === undefined) return work()
    const span = observing.start('rebuild', { projection: projection.name, why })
    try {
      const result = await work()
      span.end({ position: result.position })
      return result
    } catch (error) {
      span.cut(error)
      throw error
    }
  }

  // -- building ----------------------------------------------------------------------------------------------

  #build(live: Bookmark, signal: AbortSignal, mayGoOn: boolean, onProgress: OnProgress): Promise<RunResult> {
    const { generations } = this.#options
    return this.#exclusively(async (lease) => {
      const { steps, generation } = await this.#begin(mayGoOn, lease)
      const tell = this.#telling(onProgress)
      const catchUp = () => this.#catchUp(steps, lease, signal, tell, Number.POSITIVE_INFINITY)
      try {
        let events = await catchUp()
        await live.hold(async () => {
          events += await catchUp()
          await steps.bookmark.flush()
          await generations.finish(generation)
        })
        await this.#cleaning(signal, (breath) => generations.tidy(breath)).catch(ignoreBusy)
        return { position: steps.bookmark.position, events }
      } catch (error) {
        // An unfinished build is kept if it will be continued: after a stop by the next start, after a takeover by the
        // other process, and at a newer event by a newer program.
        if (!(mayGoOn && (signal.aborted || isBusy(error) || isNewer(error)))) await this.#giveUp(generation, signal)
        throw error
      }
    })
  }

  /**
   * Begins a build, or continues one that was made by the same functions as this program's. Another program with the
   * same revision may have begun it and been corrected since. Its rows have never been live, so they can be dropped.
   */
  async #begin(mayGoOn: boolean, lease: Leadership): Promise<Build> {
    const { generations, environment } = this.#options
    const begin = async (goesOn: boolean): Promise<Build> => {
      const generation = await generations.begin(environment.newId(), goesOn)
      return { steps: this.#stepsFor(generation, lease), generation }
    }
    const build = await begin(mayGoOn)
    const isOwn = !mayGoOn || (await build.steps.bookmark.isOwn())
    return isOwn ? build : begin(false)
  }

  #stepsFor(live: Generation, lease: Leadership): ProjectionSteps {
    const { environment, projection, kinds, store, warn } = this.#options
    const onRetired = () => this.#refuse()
    const during: StepperContext['during'] = (work) => lease.during(work)
    const tries = new Tries({ called: `projection ${projection.name}, being rebuilt,`, environment, warn, during })
    return new ProjectionSteps({
      projection,
      kinds,
      store,
      environment,
      warn,
      location: { live, load: async () => {}, onRetired },
      prepare: async () => {},
      lead: { onReached: () => {}, keepLead: () => lease.keep(), during, onOvertaken: () => lease.doubt(), tries },
    })
  }

  /** Takes steps until nothing is left below the end. Returns the number of events that were handled. */
  async #catchUp(
    steps: ProjectionSteps,
    lease: Leadership,
    signal: AbortSignal,
    tell: (place: HowFar) => void,
    end: number,
  ): Promise<number> {
    const { store } = this.#options
    const breath = this.#breath(signal)
    let events = 0
    for (let caughtUp = false; !caughtUp; ) {
      await breath.pause()
      if (!(await lease.keep())) this.#refuse()
      tell({ position: steps.bookmark.position, head: Math.min(end - 1, await store.head()) })
      const step = await steps.bookmark.step(() => steps.step(signal, end))
      events += step.events
      caughtUp = step.caughtUp
    }
    tell({ position: steps.bookmark.position, head: steps.bookmark.position })
    return events
  }

  /** Reports progress from one start on, over several calls of `#catchUp`. */
  #telling(onProgress: OnProgress): (place: HowFar) => void {
    const { projection, environment } = this.#options
    const measure = progressMeter(projection.name, environment)
    return (place) => onProgress(measure(place))
  }

  #breath(signal: AbortSignal): Breath {
    return new Breath(this.#options.environment, signal)
  }

  async #giveUp(generation: Generation, signal: AbortSignal): Promise<void> {
    await this.#cleaning(signal, (breath) => this.#clear(breath, generation)).catch(() => {})
  }

  /** Does cleaning that may be left for another time. It ends a moment after the signal. */
  async #cleaning(signal: AbortSignal, work: (breath: Breath) => Promise<void>): Promise<void> {
    const { environment } = this.#options
    const isOver = new AbortController()
    let cancel = () => {}
    const onAbort = () => {
      cancel = environment.after(cleaningMsMax, () => isOver.abort(), { background: true })
    }
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await work(this.#breath(isOver.signal))
    } catch (error) {
      if (!isOver.signal.aborted) throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
      cancel()
    }
  }

  /**
   * Gives up the build in progress, and deletes its rows. With `only` it does so only for that build, not for one that
   * began later.
   */
  async #clear(breath: Breath, only?: Generation): Promise<void> {
    const { generations } = this.#options
    await generations.load()
    if (only !== undefined && !generations.isBuilding(only)) return
    await generations.abandon()
    await generations.tidy(breath)
  }

  /** @throws ProjectionError `REBUILD_RUNNING` if another rebuild or comparison is running */
  async #exclusively<Result>(work: (lease: Leadership) => Promise<Result>): Promise<Result> {
    const { projection, store, environment, owner, leaseMs } = this.#options
    // The owner alone is not enough: two rebuilds of one process exclude each other too.
    const id = this.#unusedOwner ?? `${owner} ${environment.newId()}`
    this.#unusedOwner = undefined
    const name = `rebuild ${projection.name}`
    const lease = new Leadership({ store, environment, name, owner: id, durationMs: leaseMs, isFenced: true })
    let isRefused = false
    try {
      isRefused = !(await lease.keep())
      if (isRefused) this.#refuse()
      return await work(lease)
    } catch (error) {
      if (error instanceof ConflictError) this.#refuse()
      throw error
    } finally {
      await lease.release().catch(() => {})
      // The store has no lease of one that was refused, but perhaps of another one that has ended meanwhile.
      if (!isRefused || this.#unusedOwner === undefined) this.#unusedOwner = id
    }
  }

  #refuse(): never {
    throw new ProjectionError('REBUILD_RUNNING', { projection: this.#options.projection.name })
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof ConflictError || (error instanceof ProjectionError && error.code === 'REBUILD_RUNNING')

/** Ignores that another rebuild is running, which does the work. */
function ignoreBusy(error: unknown): void {
  if (!isBusy(error)) throw error
}
