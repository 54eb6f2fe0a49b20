/**
 * Checkpoints and rows. A projection has one document, `{ _id: name, checkpoint, term, note, step }`, and another one
 * for each of its rows. `step` counts the steps. `floor` is the step that reset the projection: rows that were written
 * up to it are deleted, whether or not they have been removed yet. A reset therefore changes one document, however many
 * rows there are.
 *
 * Rows and checkpoint change together by being written ahead (`write-ahead.ts`), on a replica set too. A transaction
 * would stay open on the server for a minute if its process was killed, and no other process could take the projection
 * over until then.
 */
import { StoreError } from '../../../domain/error.ts'
import type { Json } from '../../../domain/json.ts'
import { checkCheckpoint, noCheckpoint } from '../../checkpoint.ts'
import type { Checkpoint, ProjectionStep, RowPage, RowQuery, RowsWithCheckpoint } from '../../store.ts'
import { type Database, pause } from '../database/database.ts'
import { checkpointOf, findProjection } from './projection-document.ts'
import { RowDocuments, rowTexts } from './row-documents.ts'
import { checkpointFields, StepAhead } from './write-ahead.ts'

/** The number of looks at rows that another process keeps changing. Then the last look is returned. */
const looksMax = 5
/** The number of conflicts with steps of others, each with a pause, after which a change is given up. */
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
    // A row is one document, so a single row is always of one step.
    const looks = keys.length === 1 ? 1 : looksMax
    return this.#look(projection, looks, (floor) => this.#values(projection, keys, floor))
  }

  /** Every step has another number. So if the number is the same before and after, nothing has changed in between. */
  async loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    let known = await this.#ahead.settled(projection)
    for (let tries = 1; tries <= triesMax; tries++) {
      const values = await this.#values(projection, keys, known?.floor ?? 0)
      const after = keys.length === 0 ? known : await this.#ahead.settled(projection)
      if (after?.step === known?.step) return { checkpoint: checkpointOf(known, this.#label), values }
      known = after
      if (tries > looksMax) await pause(tries)
    }
    throw this.#crowded(projection, 'reading')
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
      // Another process was first, and no majority has its step yet, or its step did not move the checkpoint.
      await pause(tries)
    }
    throw this.#crowded(projection)
  }

  /** Changes one document. The remaining rows are removed afterwards, now or at the next reset. */
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

  async #values(projection: string, keys: readonly string[], floor: number): Promise<readonly (Json | undefined)[]> {
    const found = new Map((await this.#rows.find(projection, keys)).map((row) => [row.key, row]))
    return keys.map((key) => {
      const { at = 0, value } = found.get(key) ?? {}
      return value === undefined || at <= floor ? undefined : this.#rows.parse(projection, key, value)
    })
  }

  #crowded(projection: string, doing: 'changing' | 'reading' = 'changing'): StoreError {
    return new StoreError('STORE_UNAVAILABLE', {
      store: this.#label,
      doing: `${doing} ${projection}: other processes kept changing it`,
    })
  }

  /** Reads rows of one step: none of that step is missing, and none of a later one is included. */
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
