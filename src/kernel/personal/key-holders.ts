/**
 * The rings that may have keys in memory, in all processes. Each has a row beside the keys, which says how many of the
 * destroyed keys are gone from its memory. A ring uses keys only after an answer of the store in which its row was
 * there and up to date. So whoever destroys a key waits until the rows that are there say so, and for nobody else.
 *
 * A process that was killed leaves its row. So does one that has closed, because its values can be read for a moment
 * after that. Such a row is waited for once, for as long as keys may be used without a question, and then removed.
 *
 * A process that may only read the key store has no row, and nobody waits for it. Like all others it asks each second.
 */
import { CancelledError, hasCode } from '../../domain/error.ts'
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { Checkpoint, Row } from '../../store/store.ts'
import { type KeyStore, untilSaved } from './key-changes.ts'
import {
  destroyedIn,
  type Holder,
  holderAsRow,
  holderIn,
  holderPrefix,
  holderRow,
  keysName,
  stepFrom,
} from './key-rows.ts'

/** How long a key in memory may be used without asking whether it was destroyed. */
export const keyAgeMaxMs = 5000
/** How long `forget` waits for a process that does not say that the key is gone. Timers may fire a little early. */
export const waitForOthersMs: number = keyAgeMaxMs + 50
/** Ends the wait for a row that was closed so long ago. Clocks of machines may differ by nearly as much. */
const closedMsMax = 60_000
/** The pauses between two looks at the rows. */
const pauseMsFirst = 10
const pauseMsMax = 200
const pageSize = 1000
const closeTriesMax = 3

interface KeyHoldersOptions {
  readonly store: KeyStore
  readonly environment: Environment
}

/** What the store answers to the question which keys were destroyed. */
export interface KeysLook {
  readonly checkpoint: Checkpoint
  readonly own: Holder | undefined
}

export class KeyHolders {
  readonly #options: KeyHoldersOptions
  readonly #row: string
  #isEntered = false
  readonly #closed: AbortSignal

  /** @param closed aborted when the ring is closed */
  constructor(options: KeyHoldersOptions, closed: AbortSignal) {
    this.#options = options
    this.#closed = closed
    this.#row = holderRow(options.environment.newId())
  }

  /** Whether others wait for this ring when they destroy a key. */
  get isEntered(): boolean {
    return this.#isEntered
  }

  async look(): Promise<KeysLook> {
    const { store } = this.#options
    if (store.singleWriter) return { checkpoint: await store.loadCheckpoint(keysName), own: undefined }
    const { checkpoint, values } = await store.loadRowsWithCheckpoint(keysName, [this.#row])
    return { checkpoint, own: holderIn(store.name, this.#row, values[0]) }
  }

  /**
   * Says that all keys that were destroyed up to a look are gone from memory, unless its row says so, or the store
   * cannot be written to.
   *
   * @throws ConflictError `CHECKPOINT_CONFLICT` if the keys have changed since the look
   */
  async enter({ checkpoint, own }: KeysLook): Promise<void> {
    const { store, environment } = this.#options
    const destroyed = destroyedIn(checkpoint)
    if (store.singleWriter || (own !== undefined && own.destroyed >= destroyed)) return
    const leftBehind = this.#isEntered ? [] : await this.#rows((each) => isLongClosed(each, environment.now()))
    const rows = [holderAsRow(this.#row, { destroyed }), ...without(leftBehind)]
    this.#isEntered = true
    try {
      await store.saveStep(keysName, stepFrom(checkpoint, checkpoint.note, rows))
    } catch (error) {
      if (!hasCode(error, 'STORE_READ_ONLY')) throw error
      this.#isEntered = own !== undefined
    }
  }

  /**
   * Waits until no other ring can use one of the keys that were destroyed so far.
   *
   * @throws CancelledError `STOPPED` if this ring is closed meanwhile
   */
  async settled(destroyed: number): Promise<void> {
    const { store, environment } = this.#options
    if (store.singleWriter) return
    const mayHaveKeys = (each: Holder) => each.destroyed < destroyed && !isLongClosed(each, environment.now())
    // If the store does not say, time does.
    const look = () => this.#rows(mayHaveKeys).catch(() => undefined)
    if ((await look())?.length === 0) return
    const over = new AbortController()
    const closed = this.#closed
    closed.addEventListener('abort', () => over.abort(null), { once: true, signal: over.signal })
    // It may have been closed during the look.
    if (closed.aborted) over.abort(null)
    let isOver = false
    const end = sleep(environment, waitForOthersMs, over.signal).then(() => {
      isOver = !closed.aborted
    })
    try {
      for (let pauseMs = pauseMsFirst; ; pauseMs = Math.min(2 * pauseMs, pauseMsMax)) {
        await Promise.race([end, sleep(environment, pauseMs, over.signal)])
        if (closed.aborted) throw new CancelledError('STOPPED', { what: 'The wait for processes that have the key' })
        const others = await look()
        if (others?.length === 0) return
        if (!isOver) continue
        await this.#remove(others ?? [], destroyed).catch(() => {})
        return
      }
    } finally {
      over.abort(null)
    }
  }

  /**
   * Says that this ring asks for no more keys. Those in memory can be read for a short time after that.
   *
   * @param over from then on it is not tried again
   */
  async close(over: AbortSignal): Promise<void> {
    const { environment } = this.#options
    if (!this.#isEntered) return
    const step = async () => {
      const { checkpoint, own } = await this.look()
      if (own === undefined) return { result: undefined }
      const rows = [holderAsRow(this.#row, { ...own, closedAt: environment.now() })]
      return { step: stepFrom(checkpoint, checkpoint.note, rows), result: undefined }
    }
    await untilSaved({ ...this.#options, over }, step, closeTriesMax)
    this.#isEntered = false
  }

  /** The rows of other rings for which something is true. */
  async #rows(isMeant: (holder: Holder) => boolean): Promise<readonly string[]> {
    const { store } = this.#options
    const found: string[] = []
    for (let after: string | undefined; ; ) {
      const query = { prefix: holderPrefix, limit: pageSize, ...(after !== undefined && { after }) }
      const { rows, next } = await store.listRows(keysName, query)
      for (const { key, value } of rows) {
        if (key !== this.#row && isMeant(holderIn(store.name, key, value)!)) found.push(key)
      }
      if (next === undefined) return found
      after = next
    }
  }

  /** Removes rows, unless their rings have said meanwhile that the keys are gone. */
  #remove(keys: readonly string[], destroyed: number): Promise<void> {
    const { store } = this.#options
    return untilSaved({ ...this.#options, over: this.#closed }, async () => {
      const { checkpoint, values } = await store.loadRowsWithCheckpoint(keysName, keys)
      const isLate = (key: string, i: number) =>
        (holderIn(store.name, key, values[i])?.destroyed ?? destroyed) < destroyed
      const late = keys.filter(isLate)
      if (late.length === 0) return { result: undefined }
      return { step: stepFrom(checkpoint, checkpoint.note, without(late)), result: undefined }
    })
  }
}

const isLongClosed = ({ closedAt }: Holder, now: number): boolean =>
  closedAt !== undefined && now - closedAt > closedMsMax

const without = (keys: readonly string[]): readonly Row[] => keys.map((key) => ({ key, value: undefined }))
