/** Reading the rows of a projection, at once or when its runner has come far enough. */
import { decode } from '../domain/encoding.ts'
import type { AnyProjection } from '../domain/projection.ts'
import type { ProjectionStore } from '../store/store.ts'
import { type Found, findRows, type Query } from './find.ts'
import type { Runner, WaitOptions } from './runner.ts'

export class ReadModelReader {
  readonly #projection: AnyProjection
  readonly #store: ProjectionStore
  readonly #runner: Runner

  constructor(projection: AnyProjection, store: ProjectionStore, runner: Runner) {
    this.#projection = projection
    this.#store = store
    this.#runner = runner
  }

  get projection(): AnyProjection {
    return this.#projection
  }

  /** @throws ProjectionError `PROJECTION_BEHIND`, `PROJECTION_FAILED` */
  async get(key: string, wait: WaitOptions): Promise<unknown> {
    await this.#runner.reached(wait)
    const [row] = await this.#store.loadRows(this.#projection.name, [key])
    return row === undefined ? undefined : decode(row)
  }

  /** @throws DefinitionError `OPTION_INVALID`; ProjectionError */
  async find(query: Query<Record<string, unknown>>, wait: WaitOptions): Promise<readonly Found<unknown>[]> {
    await this.#runner.reached(wait)
    return findRows(this.#store, this.#projection.name, query)
  }
}
