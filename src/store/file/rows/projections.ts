/**
 * The rows and checkpoints of projections in a file store: in memory as JSON, with a journal on disk. A step is one
 * line, so its rows and its checkpoint are stored together or not at all. A step that may be lost is not synced on its
 * own: after a power failure a projection is where it was some moments before, and continues from there.
 */
import { type Json, type JsonObject, toJson } from '../../../domain/json.ts'
import { Breath, type EventLoop } from '../../../runtime/breath.ts'
import { checkKey, checkProjection, checkStepEnd } from '../../arguments.ts'
import { checkCheckpoint, noCheckpoint } from '../../checkpoint.ts'
import type { Checkpoint, ProjectionStep, RowPage, RowQuery, RowsWithCheckpoint } from '../../store.ts'
import type { Change, JournalContents } from './journal.ts'
import { Rows } from './projection-rows.ts'

/** A line of the journal: a step, or with `reset` the deletion of all rows. A row without a value is deleted. */
interface ProjectionChange {
  readonly projection: string
  readonly reset?: true
  /** The checkpoint after it. */
  readonly position: number
  readonly term: number
  readonly note: JsonObject
  /** Whether the log beside it had that position then. */
  readonly local: boolean
  readonly rows: readonly (readonly [string, Json] | readonly [string])[]
}

interface Projection {
  checkpoint: Checkpoint
  local: boolean
  readonly rows: Rows
}

const rowsOfChangeMax = 1000

export class Projections implements JournalContents {
  readonly #projections = new Map<string, Projection>()
  readonly #loop: EventLoop
  #size = 0

  constructor(loop: EventLoop) {
    this.#loop = loop
  }

  /** The journal has answers of reactions and timers, so only a person may decide to lose a part of it. */
  readonly remedy = 'remove the file to begin with all projections and reactions from the start'

  get size(): number {
    return this.#size
  }

  *changes(): Iterable<string> {
    for (const [projection, { checkpoint, local, rows }] of this.#projections) {
      const start = startOf(projection, checkpoint, local)
      let listed: string[] = []
      for (const [key, text] of rows.entries()) {
        listed.push(`[${quote(key)},${text}]`)
        if (listed.length < rowsOfChangeMax) continue
        yield `${start}${listed.join()}]}`
        listed = []
      }
      yield `${start}${listed.join()}]}`
    }
  }

  /** @throws InputError, TypeError, RangeError, DefinitionError for a line that is not a change */
  replay(change: unknown): void {
    const { projection, reset, position, term, note, local, rows } = change as ProjectionChange
    checkProjection(projection)
    if (reset) {
      this.#reset(projection)
      return
    }
    checkStepEnd(noCheckpoint, { to: { position, term, note }, rows: [] })
    for (const [key] of rows) checkKey('the key of a row', key)
    const texts = rows.map(([key, value]) => [key, value === undefined ? value : JSON.stringify(value)] as const)
    this.#apply(projection, Object.freeze({ position, term, note }), local, texts)
  }

  checkpoint(projection: string): Checkpoint {
    return this.#projections.get(projection)?.checkpoint ?? noCheckpoint
  }

  async rows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    const rows = this.#projections.get(projection)?.rows
    const breath = new Breath(this.#loop)
    const values: (Json | undefined)[] = []
    for (const key of keys) {
      if (breath.isDue) await breath.pause()
      values.push(rows?.get(key))
    }
    return values
  }

  async rowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    // Nothing changes until the first rest.
    const checkpoint = this.checkpoint(projection)
    const rows = this.#projections.get(projection)?.rows
    const texts = keys.map((key) => rows?.text(key))
    const breath = new Breath(this.#loop)
    const values: (Json | undefined)[] = []
    for (const text of texts) {
      if (breath.isDue) await breath.pause()
      values.push(text === undefined ? text : (JSON.parse(text) as Json))
    }
    return { checkpoint, values }
  }

  async list(projection: string, query: RowQuery): Promise<RowPage> {
    return this.#projections.get(projection)?.rows.list(query) ?? { rows: [] }
  }

  /**
   * @param head the last position of the log beside it
   * @throws ConflictError `CHECKPOINT_CONFLICT`
   */
  async save(
    projection: string,
    { from, to, rows, mayBeLost = false }: ProjectionStep,
    head: number,
  ): Promise<Change<void>> {
    checkCheckpoint(projection, from, this.checkpoint(projection))
    const { position, term } = to
    const note = toJson('The note of a checkpoint', to.note) as JsonObject
    const checkpoint = Object.freeze({ position, term, note })
    const breath = new Breath(this.#loop)
    const texts: (readonly [string, string | undefined])[] = []
    const listed: string[] = []
    for (const { key, value } of rows) {
      if (breath.isDue) await breath.pause()
      const text = value === undefined ? value : JSON.stringify(toJson(`The row ${key}`, value))
      texts.push([key, text])
      listed.push(text === undefined ? `[${quote(key)}]` : `[${quote(key)},${text}]`)
    }
    const local = position <= head
    const json = `${startOf(projection, checkpoint, local)}${listed.join()}]}`
    return { json, isDurable: !mayBeLost, apply: () => this.#apply(projection, checkpoint, local, texts) }
  }

  reset(projection: string): Change<void> {
    const apply = () => this.#reset(projection)
    return this.#projections.has(projection)
      ? { json: `{"projection":${quote(projection)},"reset":true}`, apply }
      : { apply }
  }

  /** Drops the projections that have handled positions which the log has lost. Returns their names. */
  dropLost(head: number): readonly string[] {
    const lost = [...this.#projections].filter(([, { checkpoint, local }]) => local && checkpoint.position > head)
    for (const [name] of lost) this.#reset(name)
    return lost.map(([name]) => name)
  }

  #apply(
    name: string,
    checkpoint: Checkpoint,
    local: boolean,
    changed: readonly (readonly [string, string | undefined])[],
  ): void {
    let projection = this.#projections.get(name)
    if (projection === undefined) {
      projection = { checkpoint, local, rows: new Rows(this.#loop) }
      this.#projections.set(name, projection)
    }
    const { rows } = projection
    this.#size -= rows.size
    for (const [key, text] of changed) rows.set(key, text)
    this.#size += rows.size
    projection.checkpoint = checkpoint
    projection.local = local
  }

  #reset(name: string): void {
    this.#size -= this.#projections.get(name)?.rows.size ?? 0
    this.#projections.delete(name)
  }
}

/** The beginning of a line, up to its rows. */
function startOf(projection: string, { position, term, note }: Checkpoint, local: boolean): string {
  const place = `"position":${position},"term":${term},"note":${JSON.stringify(note)}`
  return `{"projection":${quote(projection)},${place},"local":${local},"rows":[`
}

const quote = (text: string): string => JSON.stringify(text)
