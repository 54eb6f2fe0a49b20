/**
 * Rebuilds the rows of a projection beside those that serve, then makes the new ones serve in one step. Cancelled,
 * failed or killed, it leaves those that serve as they are. A lease keeps a second rebuilder away, and where that lease
 * is lost, the record of the generations lets only the last one who began switch.
 */
import type { Fold } from '../../domain/aggregate.ts'
import { ConflictError, hasCode, ProjectionError } from '../../domain/error.ts'
import type { HandledKinds } from '../../domain/handled-kinds.ts'
import type { AnyProjection } from '../../domain/projection.ts'
import { Breath } from '../../runtime/breath.ts'
import { type Environment, sleep } from '../../runtime/environment.ts'
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
  /** Unique for each running domain. */
  readonly owner: string
  readonly leaseMs: number
  readonly generations: Generations
}

/** What may be chosen for a comparison. */
export interface CompareOptions {
  /** At most so many differences are listed, 100 by default; all are counted. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

type OnProgress = (progress: Progress) => void
/** How far something is. */
type HowFar = Pick<Progress, 'position' | 'head'>

/** Rows that are being built, and what builds them. */
interface Build {
  readonly steps: ProjectionSteps
  readonly generation: Generation
}

const never = new AbortController().signal
const limitDefault = 100
/** How long rows that do not serve are still removed when all is to end. */
const cleaningMsMax = 1000
/** How often rows are compared again because another process went on with them. */
const comparisonsMax = 20

export class Rebuilder {
  readonly #options: RebuilderOptions
  /** Settles when this process has done by itself what was due. */
  #broughtUp: Promise<void> = Promise.resolve()

  constructor(options: RebuilderOptions) {
    this.#options = options
  }

  /**
   * Brings the rows to the revision of this program's definition, or waits until another process has; and removes what
   * a killed rebuilder left.
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
        await this.#build(live, signal, true, () => {})
      } catch (error) {
        if (signal.aborted) return
        // What had been built of a log that is gone was given up.
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
   * Rebuilds all rows, and lets them serve.
   *
   * @throws ProjectionError `REBUILD_RUNNING`, `PROJECTION_FAILED`; the signal's reason
   */
  async rebuild(live: Bookmark, onProgress: OnProgress, signal: AbortSignal = never): Promise<RunResult> {
    await this.#broughtUp
    return this.#build(live, signal, false, onProgress)
  }

  /**
   * Rebuilds all rows up to where those that serve are, compares, and forgets what was built.
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
    return this.#exclusively(async (lease) => {
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
        // What a domain that stops has built so far is gone on with by the next one, what another has taken over by
        // that one, and where an event is newer by a newer program.
        if (!(mayGoOn && (signal.aborted || isBusy(error) || isNewer(error)))) await this.#giveUp(generation, signal)
        throw error
      }
    })
  }

  /**
   * Begins to build, or goes on with what was built by the very functions of this program. Another program of the same
   * revision may have been at work, and corrected since: no row of what it built has ever served.
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
    const tries = new Tries({ called: `projection ${projection.name}, being built again,`, environment, warn, during })
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

  /** Takes steps until nothing is left below the end; returns how many events were handled. */
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

  /** Tells progress from one beginning on, however often it is caught up. */
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

  /** Does what may be left for another time: it ends a moment after the signal says so. */
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
   * Gives up what is being built, and removes it; if that is said, only this build: another that began since is left in
   * peace.
   */
  async #clear(breath: Breath, only?: Generation): Promise<void> {
    const { generations } = this.#options
    await generations.load()
    if (only !== undefined && !generations.isBuilding(only)) return
    await generations.abandon()
    await generations.tidy(breath)
  }

  /** @throws ProjectionError `REBUILD_RUNNING` if another does something of the kind */
  async #exclusively<Result>(work: (lease: Leadership) => Promise<Result>): Promise<Result> {
    const { projection, store, environment, owner, leaseMs } = this.#options
    // Not by the owner alone: two rebuilds of one process exclude each other too.
    const id = `${owner} ${environment.newId()}`
    const name = `rebuild ${projection.name}`
    const lease = new Leadership({ store, environment, name, owner: id, durationMs: leaseMs })
    if (!(await lease.keep())) this.#refuse()
    try {
      return await work(lease)
    } catch (error) {
      if (error instanceof ConflictError) this.#refuse()
      throw error
    } finally {
      await lease.release().catch(() => {})
    }
  }

  #refuse(): never {
    throw new ProjectionError('REBUILD_RUNNING', { projection: this.#options.projection.name })
  }
}

const isBusy = (error: unknown): boolean =>
  error instanceof ConflictError || (error instanceof ProjectionError && error.code === 'REBUILD_RUNNING')

/** Somebody else does it. */
function ignoreBusy(error: unknown): void {
  if (!isBusy(error)) throw error
}
