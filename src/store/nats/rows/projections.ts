/**
 * Checkpoints and rows, each the last message of a subject. All that belongs to one step is read: after the checkpoint,
 * rows are read that are not newer than it. If one is, another step was saved meanwhile, and everything is read again.
 */
import { StoreError } from '../../../domain/error.ts'
import type { Json } from '../../../domain/json.ts'
import { rest } from '../../../runtime/timers.ts'
import { checkCheckpoint } from '../../checkpoint.ts'
import { isMet, rowCharactersMax, rowsLookedAtMax } from '../../row-page.ts'
import type { Checkpoint, ProjectionStep, Row, RowPage, RowQuery, RowsWithCheckpoint } from '../../store.ts'
import type { Database } from '../database/setup.ts'
import { CheckpointMessages, checkpointOf, isStoredRow, type Known } from './checkpoint-message.ts'
import { KeyIndex } from './key-index.ts'
import { Steps, writtenRows } from './steps.ts'
import { readValue } from './value-message.ts'

/** The number of conflicts with steps of others after which a call is given up. */
const triesMax = 100
const pauseMsMax = 50
/** The try at which it looks whether a step is cut. */
const checkTries = 5
/** How many rows are read together, so that a page of large rows is not much too large. */
const readTogetherMax = 1000
const charactersGuess = 2_000_000

interface FoundRow {
  readonly value: Json
  readonly size: number
}

export class Projections {
  readonly #database: Database
  readonly #label: string
  readonly #checkpoints: CheckpointMessages
  readonly #steps: Steps
  readonly #keys: KeyIndex
  /** The last known checkpoints, to save a look before a step. */
  readonly #known = new Map<string, Known>()

  constructor(database: Database, label: string) {
    this.#database = database
    this.#label = label
    this.#checkpoints = new CheckpointMessages(database, label)
    this.#steps = new Steps(database, label, this.#checkpoints)
    this.#keys = new KeyIndex(database, label, this.#checkpoints)
  }

  async loadCheckpoint(projection: string): Promise<Checkpoint> {
    return checkpointOf(await this.#checkpoints.find(projection))
  }

  async loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    return keys.length === 0 ? [] : (await this.loadRowsWithCheckpoint(projection, keys)).values
  }

  async loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    return this.#look(projection, async (known) => {
      const rows = await this.#rows(projection, known, keys)
      return rows && { checkpoint: checkpointOf(known), values: keys.map((key) => rows.get(key)?.value) }
    })
  }

  listRows(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#look(projection, (known) => this.#page(projection, known, query))
  }

  /** @throws ConflictError `CHECKPOINT_CONFLICT` */
  async saveStep(projection: string, { from, to, rows }: ProjectionStep): Promise<void> {
    const written = writtenRows(rows, this.#database.connection.server.payloadMax)
    for (let tries = 1; tries <= triesMax; tries++) {
      const isAgain = await this.#steps.saveAgain(projection)
      const remembered = tries === 1 && !isAgain ? this.#known.get(projection) : undefined
      const isUsable = remembered?.content.position === from.position && remembered.content.term === from.term
      const known = isUsable ? remembered : await this.#steps.settled(projection)
      checkCheckpoint(projection, from, known.content)
      if (!isUsable) await this.#steps.checkWhole(projection, known)
      this.#known.delete(projection)
      const saved = await this.#steps.save(projection, known, to, written)
      if (saved !== undefined) {
        // Rows that are not in their places yet have to be put there before the next step.
        if (saved.content.pending === undefined) this.#known.set(projection, saved)
        this.#keys.add(projection, known, saved.sequence, written)
        return
      }
      // Another process was first. If its step did not move the checkpoint, ours may follow it.
      if (tries > 1) await pause(tries)
    }
    throw this.#crowded(projection, 'changing')
  }

  async reset(projection: string): Promise<void> {
    this.#known.delete(projection)
    for (let tries = 1; tries <= triesMax; tries++) {
      const known = await this.#checkpoints.find(projection)
      if (known.sequence === 0 || (await this.#steps.reset(projection, known))) return
      await pause(tries)
    }
    throw this.#crowded(projection, 'changing')
  }

  /** Reads until what was read is of one step. */
  async #look<Result>(projection: string, read: (known: Known) => Promise<Result | undefined>): Promise<Result> {
    for (let tries = 1; tries <= triesMax; tries++) {
      const result = await read(await this.#steps.settled(projection))
      if (result !== undefined) return result
      if (tries === 1) continue
      if (tries === checkTries) await this.#steps.checkWhole(projection, await this.#checkpoints.find(projection))
      if (!(await this.#steps.saveAgain(projection))) await pause(tries)
    }
    throw this.#crowded(projection, 'reading')
  }

  /** @returns the rows with these keys; nothing if one is of a later step than the checkpoint */
  async #rows(
    projection: string,
    { sequence, content }: Known,
    keys: readonly string[],
  ): Promise<ReadonlyMap<string, FoundRow> | undefined> {
    if (sequence === 0) return new Map()
    const subjects = keys.map((key) => this.#checkpoints.rowOf(projection, content.build, key))
    const found = await this.#database.state.lastOf(subjects)
    const rows = new Map<string, FoundRow>()
    for (const message of found.values()) {
      if (message.sequence > sequence) return undefined
      const where = `a row of ${projection} (${message.subject})`
      const row = readValue(message, isStoredRow, { store: this.#label, where })
      if (row !== undefined) rows.set(row[0], { value: row[1], size: message.data.length })
    }
    return rows
  }

  async #page(
    projection: string,
    known: Known,
    { after: start, prefix = '', where = [], limit }: RowQuery,
  ): Promise<RowPage | undefined> {
    if (known.sequence === 0) return { rows: [] }
    const keys = await this.#keys.at(projection, known)
    const rows: Row[] = []
    let after = start
    let [characters, lookedAt, size] = [0, 0, charactersGuess / readTogetherMax]
    while (characters < rowCharactersMax && lookedAt < rowsLookedAtMax) {
      const left = where.length > 0 ? readTogetherMax : limit - rows.length
      const count = Math.max(1, Math.min(left, readTogetherMax, Math.floor(charactersGuess / size)))
      const some = keysAfter(keys, after, prefix, count + 1)
      const wanted = some.slice(0, count)
      const found = await this.#rows(projection, known, wanted)
      if (found === undefined) return undefined
      for (const key of wanted) {
        if (rows.length >= limit) return { rows, next: after! }
        const row = found.get(key)
        after = key
        lookedAt++
        characters += where.length > 0 || row === undefined ? 0 : row.size
        size = Math.max(size / 2, row?.size ?? 1)
        if (row === undefined || !where.every((condition) => isMet(condition, row.value))) continue
        if (where.length > 0) characters += row.size
        rows.push({ key, value: row.value })
      }
      if (some.length <= count) return { rows }
      if (rows.length >= limit) break
    }
    return { rows, next: after! }
  }

  #crowded(projection: string, doing: 'changing' | 'reading'): StoreError {
    return new StoreError('STORE_UNAVAILABLE', {
      store: this.#label,
      doing: `${doing} ${projection}: other processes kept changing it`,
    })
  }
}

const pause = (tries: number): Promise<void> => rest(Math.random() * Math.min(2 ** tries, pauseMsMax))

function keysAfter(
  keys: { from(key: string, count: number): readonly string[] },
  after: string | undefined,
  prefix: string,
  count: number,
): readonly string[] {
  // The next text in the order after a key is the key and a null character.
  const begin = after === undefined || after < prefix ? prefix : `${after}\0`
  const found = keys.from(begin, count)
  return prefix === '' ? found : found.filter((key) => key.startsWith(prefix))
}
