/**
 * Where the rows of a projection are stored. New rows are built beside the live ones, under another storage name. Then
 * one compare-and-set on a small record makes them live. The switch is therefore one step on every store, and costs the
 * same for ten rows as for ten million.
 *
 * The rows that were live before are retired. Their checkpoint is set to a position beyond all others, so a runner that
 * does not know of the switch cannot save another step there. It notices, and continues with the new rows. Then the
 * retired rows are deleted.
 */
import { ConflictError, ProjectionError } from '../../domain/error.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Breath } from '../../runtime/breath.ts'
import { noCheckpoint } from '../../store/checkpoint.ts'
import type { ProjectionStore } from '../../store/store.ts'
import { rowPages } from '../stored/row-pages.ts'
import { fieldsOf, formedRow, isText, isWhole, listOf } from '../stored/row-value.ts'

/** The rows of one build. */
export interface Generation {
  /** The name under which the rows and their checkpoint are stored. */
  readonly storage: string
  /** The revision of the definition that built them. */
  readonly revision: number
}

/** The stored record of a projection's generations. */
interface Record {
  readonly live: Generation
  readonly building?: Generation
  /** Storage names whose rows have to be deleted. */
  readonly retired: readonly string[]
}

const isGeneration = fieldsOf({ storage: isText, revision: isWhole })
const isStoredRecord = fieldsOf({ live: isGeneration, retired: listOf(isText) }, { building: isGeneration })

/** The position of the checkpoint of retired rows. */
export const retiredAt: number = Number.MAX_SAFE_INTEGER
const recordKey = 'generations'
/** Far beyond all positions, so that no store takes a version for a position of its log. */
const firstVersion = 2 ** 52
const pageSize = 1000
/** How often a build is begun if the record changes at the same time. */
const beginTriesMax = 5

export class Generations {
  readonly #projection: string
  readonly #revision: number
  readonly #store: ProjectionStore
  readonly #recordName: string
  #record: Record
  /** Rises with each change of the record. It is stored as the position of the record's checkpoint. */
  #version = 0
  #loaded = false

  /** @param revision the revision of the definition in this program */
  constructor(projection: string, revision: number, store: ProjectionStore) {
    this.#projection = projection
    this.#revision = revision
    this.#store = store
    this.#recordName = `generations ${projection}`
    this.#record = { live: { storage: projection, revision: 1 }, retired: [] }
  }

  /** The live rows, as far as this process knows. */
  get live(): Generation {
    return this.#record.live
  }

  /** Whether a rebuild is in progress, or rows of an earlier one are not deleted yet. */
  get hasLeftovers(): boolean {
    return this.#record.building !== undefined || this.#record.retired.length > 0
  }

  /** Whether this generation is being built, as far as this process knows. */
  isBuilding({ storage }: Generation): boolean {
    return this.#record.building?.storage === storage
  }

  /** Whether the live rows are of an older revision than this program's. */
  get isBehind(): boolean {
    return this.live.revision < this.#revision
  }

  /**
   * Reads the record, if it has changed.
   *
   * @throws ProjectionError `PROJECTION_OUTDATED` if the live rows are of a newer revision than this program's;
   *   StoreError `STORE_CORRUPT`
   */
  async load(): Promise<void> {
    for (;;) {
      const known = this.#version
      // The version is read first. If the record is newer than that, the next change only conflicts.
      const { position: version } = await this.#store.loadCheckpoint(this.#recordName)
      if (version === known) break
      const [stored] = await this.#store.loadRows(this.#recordName, [recordKey])
      // A change by this process, or another reader, was faster. What this one has read may be older than that.
      if (this.#version !== known) continue
      this.#record = formedRow({ store: this.#store, storage: this.#recordName }, recordKey, stored, isStoredRecord)
      this.#version = version
      break
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
   * Begins to build new rows. An unfinished build is given up. If it is of the same revision and `mayGoOn` is true, it
   * is continued.
   *
   * @throws ConflictError if other processes change the record again and again
   */
  async begin(id: string, mayGoOn: boolean): Promise<Generation> {
    const next = { storage: `rebuilt ${id} ${this.#projection}`, revision: this.#revision }
    for (let tries = 1; ; tries++) {
      await this.load()
      const { building, retired } = this.#record
      if (mayGoOn && building?.revision === this.#revision) return building
      const given = building === undefined ? [] : [building.storage]
      try {
        await this.#change({ ...this.#record, building: next, retired: [...retired, ...given] })
        return next
      } catch (error) {
        // It may be an earlier change of this process, which the store has got late.
        if (!(error instanceof ConflictError) || tries >= beginTriesMax) throw error
      }
    }
  }

  /**
   * Makes the rows that were built live.
   *
   * @throws ProjectionError `REBUILD_RUNNING`, or ConflictError, if another process has given the build up
   */
  async finish(built: Generation): Promise<void> {
    // Readers of this process load the record too, so it may already name another build.
    if (!this.isBuilding(built)) throw new ProjectionError('REBUILD_RUNNING', { projection: this.#projection })
    const { live, retired } = this.#record
    try {
      await this.#change({ live: built, retired: [...retired, live.storage] })
    } catch (error) {
      // It may have been saved, with only the answer lost.
      await this.load()
      if (this.live.storage !== built.storage) throw error
    }
  }

  /** Gives the build up. @throws ConflictError if another process changed the record at the same time */
  async abandon(): Promise<void> {
    const { live, building, retired } = this.#record
    if (building !== undefined) await this.#change({ live, retired: [...retired, building.storage] })
  }

  /**
   * Deletes retired rows. What a crash leaves of them is deleted another time.
   *
   * @param breath its signal ends this early, with its reason; the rest is deleted another time
   */
  async tidy(breath: Breath): Promise<void> {
    const { retired } = this.#record
    for (const storage of retired) await this.#retire(storage, breath)
    if (retired.length === 0) return
    // More may have been retired meanwhile.
    const left = this.#record.retired.filter((storage) => !retired.includes(storage))
    await this.#change({ ...this.#record, retired: left })
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
    // If a reader was faster, it knows this change, and perhaps later ones of other processes.
    if (this.#version !== from) return
    this.#version = to
    this.#record = next
  }
}
