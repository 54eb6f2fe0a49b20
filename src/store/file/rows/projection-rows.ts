/**
 * The rows of one projection in a file store: JSON by key, in memory. The keys are sorted at the first request, in
 * pieces between which the event loop may turn, and kept sorted from then on.
 */
import type { Json } from '../../../domain/json.ts'
import { Breath, type EventLoop } from '../../../runtime/breath.ts'
import { OrderedKeys } from '../../ordered-keys.ts'
import { firstKey, isMet, rowCharactersMax, rowsLookedAtMax } from '../../row-page.ts'
import type { Row, RowPage, RowQuery } from '../../store.ts'
import { GrowingMap } from './growing-map.ts'

/** The size of a row in a line without its key and value. */
const rowOverhead = 6
const keysAtOnce = 64

export class Rows {
  readonly #texts = new GrowingMap<string>()
  readonly #loop: EventLoop
  /** Absent before the first request. */
  #order: { readonly keys: OrderedKeys; readonly isWhole: Promise<void> } | undefined
  #size = 0

  constructor(loop: EventLoop) {
    this.#loop = loop
  }

  /** Their approximate number of bytes in a journal. */
  get size(): number {
    return this.#size
  }

  get(key: string): Json | undefined {
    const text = this.#texts.get(key)
    return text === undefined ? undefined : (JSON.parse(text) as Json)
  }

  /** The JSON of a row. */
  text(key: string): string | undefined {
    return this.#texts.get(key)
  }

  /** Keys and JSON, in any order. */
  entries(): Iterable<readonly [string, string]> {
    return this.#texts.entries()
  }

  /** @param text JSON; without it the row is deleted */
  set(key: string, text: string | undefined): void {
    const before = this.#texts.get(key)
    this.#size += sizeOf(key, text) - sizeOf(key, before)
    if (text !== undefined) {
      this.#texts.set(key, text)
      if (before === undefined) this.#order?.keys.add(key)
    } else if (this.#texts.delete(key)) this.#order?.keys.delete(key)
  }

  /** The rows of a page. Rows that change while it is made may be as before or as after the change. */
  async list({ after, prefix = '', where = [], limit }: RowQuery): Promise<RowPage> {
    const breath = new Breath(this.#loop)
    const keys = await this.#ordered(breath)
    const rows: Row[] = []
    let from = firstKey(after, prefix)
    let last = ''
    let [characters, lookedAt] = [0, 0]
    for (;;) {
      const some = keys.from(from, keysAtOnce)
      for (const key of some) {
        if (!key.startsWith(prefix)) return { rows }
        const isFull = rows.length >= limit || characters >= rowCharactersMax || lookedAt >= rowsLookedAtMax
        if (isFull) return { rows, next: last }
        const text = this.#texts.get(key)
        last = key
        lookedAt++
        if (text === undefined) continue
        const value = JSON.parse(text) as Json
        if (!where.every((condition) => isMet(condition, value))) continue
        rows.push({ key, value })
        characters += text.length
      }
      if (some.length < keysAtOnce) return { rows }
      // The next text in the order.
      from = `${last}\0`
      if (breath.isDue) await breath.pause()
    }
  }

  async #ordered(breath: Breath): Promise<OrderedKeys> {
    if (this.#order === undefined) {
      const keys = new OrderedKeys()
      this.#order = { keys, isWhole: this.#fill(keys, breath) }
    }
    await this.#order.isWhole
    return this.#order.keys
  }

  /** Keys that are added and deleted meanwhile reach the list through `set`. */
  async #fill(keys: OrderedKeys, breath: Breath): Promise<void> {
    let count = 0
    for (const [key] of this.#texts.entries()) {
      if (this.#texts.has(key)) keys.add(key)
      if (++count % keysAtOnce === 0 && breath.isDue) await breath.pause()
    }
  }
}

const sizeOf = (key: string, text: string | undefined): number =>
  text === undefined ? 0 : key.length + text.length + rowOverhead
