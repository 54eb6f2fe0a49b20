/**
 * The rows and checkpoints of projections in a file store: in memory as JSON, in a journal on disk. A step is one line,
 * so its rows and its checkpoint are there together or not at all. A step that may be lost is not synced by itself: after a power
 * failure a projection stands where it stood some moments before, and goes on from there.
 */
import { type Json, type JsonObject, toJson } from '../../domain/json.ts'
import { checkCheckpoint, noCheckpoint } from '../checkpoint.ts'
import { rowPage } from '../row-page.ts'
import { SortedKeys } from '../sorted-keys.ts'
import type { Checkpoint, ProjectionStep, Row, RowPage } from '../store.ts'
import type { Change, JournalContents } from './journal.ts'

/** A line of the journal: a step, or with `reset` the end of all rows. A row without a value is deleted. */
interface ProjectionChange {
  readonly projection: string
  readonly reset?: true
  /** The checkpoint after it. */
  readonly position: number
  readonly term: number
  readonly note: JsonObject
  /** Whether the log beside it reached so far then. */
  readonly local: boolean
  readonly rows: readonly (readonly [string, Json] | readonly [string])[]
}

interface Projection {
  checkpoint: Checkpoint
  local: boolean
  /** JSON by key. */
  readonly rows: Map<string, string>
  readonly keys: SortedKeys
}

const rowsOfChangeMax = 1000
/** What a row costs in a line besides its key and value. */
const rowOverhead = 6

export class Projections implements JournalContents {
  readonly #projections = new Map<string, Projection>()
  #size = 0

  get size(): number {
    return this.#size
  }

  *changes(): Iterable<string> {
    for (const [projection, { checkpoint, local, rows }] of this.#projections) {
      const start = startOf(projection, checkpoint, local)
      let listed: string[] = []
      for (const [key, value] of rows) {
        listed.push(`[${JSON.stringify(key)},${value}]`)
        if (listed.length < rowsOfChangeMax) continue
        yield `${start}${listed.join()}]}`
        listed = []
      }
      yield `${start}${listed.join()}]}`
    }
  }

  replay(change: unknown): void {
    const { projection, reset, position, term, note, local, rows } = change as ProjectionChange
    if (reset) {
      this.#reset(projection)
      return
    }
    const texts = rows.map(([key, value]) => [key, textOf(value)] as const)
    this.#apply(projection, Object.freeze({ position, term, note }), local, texts)
  }

  checkpoint(projection: string): Checkpoint {
    return this.#projections.get(projection)?.checkpoint ?? noCheckpoint
  }

  rows(projection: string, keys: readonly string[]): readonly (Json | undefined)[] {
    const rows = this.#projections.get(projection)?.rows
    return keys.map((key) => parsed(rows?.get(key)))
  }

  list(projection: string, page: RowPage): readonly Row[] {
    const found = this.#projections.get(projection)
    if (found === undefined) return []
    return rowPage(found.keys.list(found.rows.keys()), (key) => JSON.parse(found.rows.get(key)!) as Json, page)
  }

  /**
   * @param head how far the log beside it reaches
   * @throws ConflictError `CHECKPOINT_CONFLICT`
   */
  save(projection: string, { from, to, rows, mayBeLost = false }: ProjectionStep, head: number): Change<void> {
    checkCheckpoint(projection, from, this.checkpoint(projection))
    const { position, term } = to
    const checkpoint = Object.freeze({
      position,
      term,
      note: toJson('The note of a checkpoint', to.note) as JsonObject,
    })
    const texts = rows.map(
      ({ key, value }) => [key, value === undefined ? value : textOf(toJson(`The row ${key}`, value))] as const,
    )
    const listed = texts.map(([key, value]) => (value === undefined ? `[${quote(key)}]` : `[${quote(key)},${value}]`))
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

  /** Forgets the projections that have handled positions which the log beside it has lost. Returns their names. */
  dropLost(head: number): readonly string[] {
    const lost = [...this.#projections].filter(([, { checkpoint, local }]) => local && checkpoint.position > head)
    for (const [name] of lost) this.#reset(name)
    return lost.map(([name]) => name)
  }

  #apply(
    name: string,
    checkpoint: Checkpoint,
    local: boolean,
    rows: readonly (readonly [string, string | undefined])[],
  ): void {
    let projection = this.#projections.get(name)
    if (projection === undefined) {
      projection = { checkpoint, local, rows: new Map(), keys: new SortedKeys() }
      this.#projections.set(name, projection)
    }
    for (const [key, value] of rows) {
      const before = projection.rows.get(key)
      this.#size += sizeOf(key, value) - sizeOf(key, before)
      if (value === undefined) {
        if (projection.rows.delete(key)) projection.keys.delete(key)
      } else {
        if (before === undefined) projection.keys.add(key)
        projection.rows.set(key, value)
      }
    }
    projection.checkpoint = checkpoint
    projection.local = local
  }

  #reset(name: string): void {
    for (const [key, value] of this.#projections.get(name)?.rows ?? []) this.#size -= sizeOf(key, value)
    this.#projections.delete(name)
  }
}

/** A line up to its rows. */
function startOf(projection: string, { position, term, note }: Checkpoint, local: boolean): string {
  const place = `"position":${position},"term":${term},"note":${JSON.stringify(note)}`
  return `{"projection":${quote(projection)},${place},"local":${local},"rows":[`
}

const quote = (text: string): string => JSON.stringify(text)
const sizeOf = (key: string, value: string | undefined): number =>
  value === undefined ? 0 : key.length + value.length + rowOverhead

function textOf(value: Json): string
function textOf(value: Json | undefined): string | undefined
function textOf(value: Json | undefined): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value)
}

const parsed = (text: string | undefined): Json | undefined => (text === undefined ? undefined : JSON.parse(text))
