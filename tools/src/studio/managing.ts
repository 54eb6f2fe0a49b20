/**
 * Managing projections from the studio: they are paused and resumed, their rows are built again, and parked events are
 * handled again or dropped.
 */
import { ToolsError, wordsOf } from '../errors.ts'
import type { Inspection } from '../inspection/index.ts'
import type { ManageQuestion, RebuildView } from './views.ts'

/** One rebuild of a projection at a time, with what is known of the last one. */
export class Managing {
  readonly #inspection: Inspection
  /** By the stored names of projections. */
  readonly #rebuilds = new Map<string, RebuildView>()

  constructor(inspection: Inspection) {
    this.#inspection = inspection
  }

  get rebuilds(): readonly RebuildView[] {
    return [...this.#rebuilds.values()]
  }

  /**
   * Does what is asked. A rebuild goes on after the answer.
   *
   * @throws ToolsError `FOLLOWER_UNKNOWN`; what the library throws
   */
  async do({ action, projection, position }: ManageQuestion): Promise<object> {
    const { domain } = this.#inspection
    const found = Object.entries(domain?.projections ?? {}).find(([, { name }]) => name === projection)
    if (found === undefined)
      throw new ToolsError('FOLLOWER_UNKNOWN', `The domain has no projection ${JSON.stringify(projection)}`)
    const [key] = found
    const { projections } = await this.#inspection.projections()
    if (action === 'pause' || action === 'resume') {
      await projections[action](key)
      return {}
    }
    if (action === 'retry') return projections.retryParked(key)
    if (action === 'skip') {
      if (position === undefined) throw new ToolsError('USAGE', 'Which event is skipped? Give its position')
      await projections.skipParked(key, position)
      return {}
    }
    if (this.#rebuilds.get(projection)?.status !== 'running') void this.#rebuild(projection, key)
    return {}
  }

  async #rebuild(projection: string, key: string): Promise<void> {
    this.#rebuilds.set(projection, { projection, status: 'running', position: 0, head: 0 })
    const last = () => this.#rebuilds.get(projection)!
    try {
      const { projections } = await this.#inspection.projections()
      const job = projections.rebuild(key)
      for await (const { position, head } of job) {
        this.#rebuilds.set(projection, { projection, status: 'running', position, head })
      }
      const { position } = await job
      this.#rebuilds.set(projection, { projection, status: 'done', position, head: position })
    } catch (error) {
      const failure = wordsOf(error)
      this.#rebuilds.set(projection, { ...last(), status: 'failed', failure })
    }
  }
}
