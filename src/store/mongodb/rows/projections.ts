/**
 * Checkpoints and rows. A projection has one document, `{ _id: name, checkpoint, term, note, step }`, and each of its
 * rows another. `step` counts the steps; `floor` is the step that reset the projection: rows that were written up to it
 * are gone, whether or not they have been removed yet, so that a reset is the change of one document however many rows
 * there are.
 *
 * Rows and checkpoint change together by being written ahead (`write-ahead.ts`), on a replica set too: a transaction
 * would stay open on the server for a minute when its process is killed, and nobody could take the projection over
 * until then.
 */
import { StoreError } from '../../../domain/error.ts'
import type { Json } from '../../../domain/json.ts'
import { checkCheckpoint, noCheckpoint } from '../../checkpoint.ts'
import type { Checkpoint, ProjectionStep, RowPage, RowQuery } from '../../store.ts'
import { type Database, pause } from '../database/database.ts'
import { checkpointOf, findProjection } from './projection-document.ts'
import { RowDocuments, rowTexts } from './row-documents.ts'
import { checkpointFields, StepAhead } from './write-ahead.ts'

/** After so many looks at rows that somebody keeps changing, the last look is given. */
const looksMax = 5
/** After so many steps of others, each with a pause, a change is given up. */
const triesMax = 100

export class Projections {
  readonly #database: Database
  readonly #label: string
  readonly #rows: RowDocuments
  readonly #ahead: StepAhead

  constructor(database: Database, label: string, now: () => number) {
    this.#database = database
    this.#label = label
    this.#rows = new RowDocuments(database, label)
    this.#ahead = new StepAhead(database, label, now)
  }

  async loadCheckpoint(projection: string): Promise<Checkpoint> {
    return checkpointOf(await findProjection(this.#database, this.#label, projection), this.#label)
  }

  async loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    if (keys.length === 0) return []
    // A row is one document, so one alone is as of one step whenever it is read.
    const looks = keys.length === 1 ? 1 : looksMax
    return this.#look(projection, looks, async (floor) => {
      const found = new Map((await this.#rows.find(projection, keys)).map((row) => [row.key, row]))
      return keys.map((key) => {
        const { at = 0, value } = found.get(key) ?? {}
        return value === undefined || at <= floor ? undefined : this.#rows.parse(projection, key, value)
      })
    })
  }

  listRows(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#look(projection, looksMax, (floor) => this.#rows.list(projection, query, floor))
  }

  /** @throws ConflictError `CHECKPOINT_CONFLICT` */
  async saveStep(projection: string, { from, to, rows }: ProjectionStep): Promise<void> {
    const texts = rowTexts(rows)
    for (let tries = 1; tries <= triesMax; tries++) {
      if (await this.#ahead.save(projection, { from, to, rows: texts })) return
      checkCheckpoint(projection, from, await this.loadCheckpoint(projection))
      // Somebody was ahead whose step no majority has yet, or whose step stayed where it was.
      await pause(tries)
    }
    throw this.#crowded(projection)
  }

  /** The change of one document; what is left of the rows is removed afterwards, now or at the next reset. */
  async reset(projection: string): Promise<void> {
    for (let tries = 1; tries <= triesMax; tries++) {
      const known = await findProjection(this.#database, this.#label, projection)
      if (known === undefined) return
      const step = known.step + 1
      const u = {
        $set: { ...checkpointFields(noCheckpoint), step: BigInt(step), floor: BigInt(step) },
        $unset: { pending: '' },
      }
      const { count } = await this.#database.update('projections', [
        { q: { _id: projection, step: BigInt(known.step) }, u },
      ])
      if (count === 0) {
        await pause(tries)
        continue
      }
      await this.#rows.removeUpTo(projection, step).catch(() => {})
      await this.#ahead.removeParts(projection, step).catch(() => {})
      return
    }
    throw this.#crowded(projection)
  }

  #crowded(projection: string): StoreError {
    return new StoreError('STORE_UNAVAILABLE', {
      store: this.#label,
      doing: `changing ${projection}: others kept doing so`,
    })
  }

  /** Reads rows as of one step: none of its own is missing, and none of a later one is there. */
  async #look<Result>(projection: string, looks: number, read: (floor: number) => Promise<Result>): Promise<Result> {
    let known = await this.#ahead.settled(projection)
    for (let look = 1; ; look++) {
      const result = await read(known?.floor ?? 0)
      if (look === looks) return result
      const after = await this.#ahead.settled(projection)
      if (after?.step === known?.step) return result
      known = after
    }
  }
}
