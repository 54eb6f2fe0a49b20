/**
 * Managing projections and reactions from the studio: they are paused and resumed, and parked events are handled again.
 * Of projections, rows are built again and parked events dropped.
 */
import { ToolsError, wordsOf } from '../errors.ts'
import type { Inspection } from '../inspection/index.ts'
import type { FollowerView, ManageQuestion, RebuildView } from './views.ts'

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
  async do(question: ManageQuestion): Promise<object> {
    const { kind, name } = question
    const key = keyOf(this.#inspection, kind, name)
    return kind === 'projection' ? this.#doToProjection(key, question) : this.#doToReaction(key, question)
  }

  async #doToReaction(key: string, { action }: ManageQuestion): Promise<object> {
    if (action === 'rebuild' || action === 'skip')
      throw new ToolsError('USAGE', `A reaction cannot ${action}: it has no rows, and skips nothing`)
    const { reactions } = await this.#inspection.reaction(key, true)
    if (action === 'retry') return { handedBack: await reactions!.handBack(key) }
    await reactions![action](key)
    return {}
  }

  async #doToProjection(key: string, { action, name: projection, position }: ManageQuestion): Promise<object> {
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

/**
 * The key in the domain of a projection or reaction, by its stored name.
 *
 * @throws ToolsError `FOLLOWER_UNKNOWN`
 */
export function keyOf({ domain }: Inspection, kind: FollowerView['kind'], name: string): string {
  const all = (kind === 'projection' ? domain?.projections : domain?.reactions) ?? {}
  const found = Object.entries(all).find(([, each]) => each.name === name)
  if (found !== undefined) return found[0]
  throw new ToolsError('FOLLOWER_UNKNOWN', `The domain has no ${kind} ${JSON.stringify(name)}`)
}
