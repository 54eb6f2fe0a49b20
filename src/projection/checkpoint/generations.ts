/**
 * Where the rows of a projection are. Rows that are rebuilt lie beside those that serve, under a storage name of
 * their own, and one compare-and-set on one small record makes them the ones that serve. So the switch is one step on
 * every store, and costs the same for ten rows as for ten million.
 *
 * The rows that served before are retired: their checkpoint is set to the end of all positions, so that a runner that
 * has not heard of the switch cannot save another step there, finds out, and goes on with the new ones; then they are
 * deleted.
 */
import { ConflictError, ProjectionError } from '../../domain/error.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Breath } from '../../runtime/breath.ts'
import { noCheckpoint } from '../../store/checkpoint.ts'
import type { ProjectionStore } from '../../store/store.ts'
import { rowPages } from '../stored/row-pages.ts'

/** Rows of one build. */
export interface Generation {
  /** The name under which they and their checkpoint are stored. */
  readonly storage: string
  /** The revision of the definition that they were built by. */
  readonly revision: number
}

/** What is known of a projection's rows. */
interface Record {
  readonly live: Generation
  readonly building?: Generation
  /** Storage whose rows are to be deleted. */
  readonly retired: readonly string[]
}

/** The checkpoint of storage that is retired. */
export const retiredAt: number = Number.MAX_SAFE_INTEGER
const recordKey = 'generations'
/** Far behind all positions, so that no store takes a version for a position of its log. */
const firstVersion = 2 ** 52
const pageSize = 1000

export class Generations {
  readonly #projection: string
  readonly #revision: number
  readonly #store: ProjectionStore
  readonly #recordName: string
  #record: Record
  /** How often the record was changed; the checkpoint that it is stored with. */
  #version = 0
  #loaded = false

  /** @param revision of the definition in this program */
  constructor(projection: string, revision: number, store: ProjectionStore) {
    this.#projection = projection
    this.#revision = revision
    this.#store = store
    this.#recordName = `generations ${projection}`
    this.#record = { live: { storage: projection, revision: 1 }, retired: [] }
  }

  /** The rows that serve, as far as this process knows. */
  get live(): Generation {
    return this.#record.live
  }

  /** Whether there is something of a rebuild that is not over, or was not tidied up. */
  get hasLeftovers(): boolean {
    return this.#record.building !== undefined || this.#record.retired.length > 0
  }

  /** Whether this is what is being built, as far as this process knows. */
  isBuilding({ storage }: Generation): boolean {
    return this.#record.building?.storage === storage
  }

  /** Whether the rows that serve are of an older revision than this program's. */
  get isBehind(): boolean {
    return this.live.revision < this.#revision
  }

  /**
   * Reads the record, if it has changed.
   *
   * @throws ProjectionError `PROJECTION_OUTDATED` if the rows that serve are of a newer revision than this program's
   */
  async load(): Promise<void> {
    // The version first: a record that is newer than its version only makes the next change conflict.
    const { position: version } = await this.#store.loadCheckpoint(this.#recordName)
    if (version !== this.#version) {
      const [stored] = await this.#store.loadRows(this.#recordName, [recordKey])
      this.#record = stored as unknown as Record
      this.#version = version
    }
    this.#loaded = true
    const { revision } = this.live
    if (revision > this.#revision) {
      const facts = { projection: this.#projection, revision: this.#revision, live: revision }
      throw new ProjectionError('PROJECTION_OUTDATED', facts)
    }
  }

  /** Reads the record if it was never read. */
  async loadOnce(): Promise<void> {
    if (!this.#loaded) await this.load()
  }

  /**
   * Begins to rebuild rows; what was left of another build is given up, or gone on with if it is of the same
   * revision and may be.
   *
   * @throws ConflictError if somebody else changed the record at the same time
   */
  async begin(id: string, mayGoOn: boolean): Promise<Generation> {
    await this.load()
    const { building, retired } = this.#record
    if (mayGoOn && building?.revision === this.#revision) return building
    const next = { storage: `rebuilt ${id} ${this.#projection}`, revision: this.#revision }
    const given = building === undefined ? [] : [building.storage]
    await this.#change({ ...this.#record, building: next, retired: [...retired, ...given] })
    return next
  }

  /**
   * Makes the rows that were built the ones that serve.
   *
   * @throws ProjectionError `REBUILD_RUNNING`, ConflictError if the build was given up by somebody else
   */
  async finish(built: Generation): Promise<void> {
    // Readers look at the record too, so it may tell of another's build by now.
    if (!this.isBuilding(built)) throw new ProjectionError('REBUILD_RUNNING', { projection: this.#projection })
    const { live, retired } = this.#record
    try {
      await this.#change({ live: built, retired: [...retired, live.storage] })
    } catch (error) {
      // The answer may have been lost on the way back.
      await this.load()
      if (this.live.storage !== built.storage) throw error
    }
  }

  /** Gives the build up. @throws ConflictError if somebody else did */
  async abandon(): Promise<void> {
    const { live, building, retired } = this.#record
    if (building !== undefined) await this.#change({ live, retired: [...retired, building.storage] })
  }

  /**
   * Deletes the rows that are retired. What a crash leaves of them is deleted another time.
   *
   * @param breath its signal ends it early, with its reason; the rest is left for another time
   */
  async tidy(breath: Breath): Promise<void> {
    const { retired } = this.#record
    for (const storage of retired) await this.#retire(storage, breath)
    if (retired.length > 0) await this.#change({ ...this.#record, retired: [] })
  }

  async #retire(storage: string, breath: Breath): Promise<void> {
    for (let isRetired = false; !isRetired; ) {
      const from = await this.#store.loadCheckpoint(storage)
      try {
        await this.#store.saveStep(storage, {
          from,
          to: { ...from, position: retiredAt, term: from.term + 1 },
          rows: [],
        })
        isRetired = true
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error
      }
    }
    for await (const rows of rowPages(this.#store, storage, { limit: pageSize })) {
      await breath.pause()
      if (rows.length === 0) continue
      const gone = rows.map(({ key }) => ({ key, value: undefined }))
      const at = await this.#store.loadCheckpoint(storage)
      await this.#store.saveStep(storage, { from: at, to: at, rows: gone })
    }
  }

  async #change(next: Record): Promise<void> {
    const from = this.#version
    const to = from === 0 ? firstVersion : from + 1
    const rows = [{ key: recordKey, value: next as unknown as JsonObject }]
    const at = (position: number) => ({ ...noCheckpoint, position })
    await this.#store.saveStep(this.#recordName, { from: at(from), to: at(to), rows })
    this.#version = to
    this.#record = next
  }
}
