/**
 * The keys of subjects, as one process knows them.
 *
 * A key is stored before the first event that uses it. Keys in memory may be used for `keyAgeMaxMs` after the key store
 * was last asked which keys were destroyed; the ring asks again long before. `forget` deletes a key in one step, and
 * then waits until each ring that may have it says that it is gone, or for that time (`key-holders.ts`). So when it has
 * answered, no process reads a value of the subject, or seals one with the old key. Times are measured by clocks that
 * nobody can set.
 *
 * All keys are rows of one storage. The term of its checkpoint counts the changes, so that two processes cannot both
 * create a subject's key. Its position stays at 0, because a position belongs to a log. Its note counts the destroyed
 * keys; a row for each of them says which key it was.
 */
import { CancelledError, StoreError } from '../../domain/error.ts'
import type { Json } from '../../domain/json.ts'
import { SealedValue } from '../../domain/sealed-value.ts'
import type { Cipher } from '../../runtime/cipher.ts'
import { type Environment, waitAtMost } from '../../runtime/environment.ts'
import type { Row } from '../../store/store.ts'
import { pauseAfter, tryUpTo } from '../retry.ts'
import { findBoxes, openBoxes } from './boxes.ts'
import { Key } from './key.ts'
import { atEnd, type Changing, isOvertaken, type KeyStore, triesMax, untilSaved } from './key-changes.ts'
import { KeyHolders, type KeysLook, keyAgeMaxMs } from './key-holders.ts'
import {
  type DestroyedKey,
  destroyedIn,
  destroyedPrefix,
  destroyedRow,
  destroyingStep,
  forgottenIn,
  forgottenRow,
  keyAsRow,
  keyIn,
  keyRow,
  keysName,
  type StoredKey,
  stepFrom,
  subjectRow,
} from './key-rows.ts'

/** How often that is asked. */
const askEveryMs = 1000
/** Keys that are kept in memory although nothing refers to them at the moment. */
const keptMax = 10_000
const loadTriesMax = 5
/** How long it may take to say that the ring is closed. */
const closeMsMax = 1000

export interface KeyRingOptions {
  readonly store: KeyStore
  readonly cipher: Cipher
  readonly environment: Environment
}

export class KeyRing {
  readonly #options: KeyRingOptions
  readonly #holders: KeyHolders
  /** The newest key of each subject that was used lately. The oldest come first. */
  readonly #bySubject = new Map<string, Key>()
  /** All keys that something refers to. */
  readonly #byId = new Map<string, WeakRef<Key>>()
  readonly #collected = new FinalizationRegistry<string>((id) => {
    if (this.#byId.get(id)?.deref() === undefined) this.#byId.delete(id)
  })
  /** How many destroyed keys are gone from memory. */
  #destroyed = 0
  /** How many there are, as far as is known. */
  #known = 0
  /** How often this ring has destroyed keys. They are counted above at the next question. */
  #destroyedHere = 0
  #confirmedAt = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  readonly #closed = new AbortController()
  /** For changes that end when it is closed. */
  readonly #changing: Required<Changing>
  /** Subjects whose keys are being loaded or created, for all who wait for them. */
  #wanted = new Map<string, PromiseWithResolvers<Key>>()
  #isLoading = false

  constructor(options: KeyRingOptions) {
    this.#options = options
    this.#holders = new KeyHolders(options, this.#closed.signal)
    this.#changing = { ...options, over: this.#closed.signal }
  }

  /** Whether keys in memory may be used. */
  get isConfirmed(): boolean {
    return this.#options.environment.elapsed() - this.#confirmedAt <= keyAgeMaxMs
  }

  /** Whether another ring has the key of a value: that of another domain, whose keys this one cannot find later. */
  isForeign(value: SealedValue): boolean {
    const key = SealedValue.keyOf(value)
    return key !== undefined && !(key instanceof Key && key.isOf(this))
  }

  /** Whether there are keys in memory. */
  get hasKeys(): boolean {
    return this.#byId.size > 0
  }

  /** Seals values whose keys are in memory. @returns whether that were all */
  sealNow(values: readonly SealedValue[]): boolean {
    if (!this.isConfirmed) return values.length === 0 && !this.hasKeys
    const subject = values[0]?.subject
    if (subject === undefined) return true
    // A command usually has the values of one subject.
    if (values.every((value) => value.subject === subject)) return this.#sealWith(subject, values)
    let isWhole = true
    for (const [each, own] of Map.groupBy(values, (value) => value.subject)) {
      isWhole = this.#sealWith(each, own) && isWhole
    }
    return isWhole
  }

  /** Seals values of one subject if its key is in memory. */
  #sealWith(subject: string, values: readonly SealedValue[]): boolean {
    const key = this.#bySubject.get(subject)
    if (key === undefined || key.isDestroyed) return false
    SealedValue.seal(values, key)
    return true
  }

  /** Seals values, with keys that are loaded, or created durably. */
  async seal(values: readonly SealedValue[]): Promise<void> {
    // A key can be destroyed while another one is loaded.
    for (let tries = 0; !this.sealNow(values); tries++) {
      if (tries === triesMax) throw new StoreError('KEYS_UNCONFIRMED', { subject: values[0]!.subject })
      const subjects = new Set(values.filter(SealedValue.isUnsealed).map(({ subject }) => subject))
      await Promise.all([...subjects].map((subject) => this.#keyOf(subject)))
      await this.confirm()
    }
  }

  /** Asks which keys were destroyed, if that was not asked lately. */
  async confirm(): Promise<void> {
    if (!this.isConfirmed) await this.ask()
  }

  /** Asks which keys were destroyed. */
  ask(): Promise<void> {
    if (this.#closed.signal.aborted) return Promise.resolve()
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  /**
   * Connects the boxes in some JSON with their values. Loads the keys that are missing.
   *
   * @returns the same parts, if nothing had to be copied
   * @throws StoreError `KEY_MISSING`
   */
  async open(parts: readonly Json[]): Promise<readonly Json[]> {
    const ids = new Set<string>()
    let has = false
    for (const part of parts) has = findBoxes(part, ids) || has
    if (!has) return parts
    // Held here, because nothing else may refer to a key until its boxes are opened.
    const keys = new Map<string, Key>()
    for (const id of ids) {
      const key = this.#byId.get(id)?.deref()
      if (key !== undefined) keys.set(id, key)
    }
    const missing = [...ids].filter((id) => !keys.has(id))
    if (missing.length > 0) for (const key of await this.#load(missing)) keys.set(key.id, key)
    await this.confirm()
    let isSame = true
    const opened = parts.map((part) => {
      const open = openBoxes(part, keys)
      isSame &&= open === part
      return open
    })
    return isSame ? parts : opened
  }

  /**
   * Destroys the key of a subject, and waits until no process can use it any more.
   *
   * @returns what is known of all keys of the subject that were ever destroyed
   */
  async destroy(subject: string): Promise<readonly DestroyedKey[]> {
    const { store, environment } = this.#options
    const { destroyed, count } = await untilSaved(this.#changing, async () => {
      const { checkpoint, values } = await store.loadRowsWithCheckpoint(keysName, [
        subjectRow(subject),
        forgottenRow(subject),
      ])
      const stored = keyIn(store.name, subjectRow(subject), values[0])
      const before = forgottenIn(store.name, subject, values[1])
      const count = destroyedIn(checkpoint)
      if (stored === undefined) return { result: { destroyed: before, count } }
      const destroyed = [...before, { id: stored.id, subject, destroyedAt: environment.now() }]
      return { step: destroyingStep(checkpoint, destroyed), result: { destroyed, count: count + 1 } }
    })
    this.#destroyedHere++
    for (const { id } of destroyed) this.#byId.get(id)?.deref()?.destroy()
    this.#bySubject.delete(subject)
    // Also if it was destroyed before: the process that did it may have ended before it had waited.
    if (destroyed.length > 0) await this.#holders.settled(count)
    return destroyed
  }

  /** Stops asking. Values can be read for a short time after that. Never throws. */
  async close(): Promise<void> {
    this.#closed.abort(null)
    this.#cancelTimer?.()
    const asked = Promise.resolve(this.#asking).catch(() => {})
    const late = new AbortController()
    const closing = asked.then(() => this.#holders.close(late.signal))
    // If that fails, it is waited for as for a process that was killed.
    await waitAtMost(this.#options.environment, closeMsMax, closing)
    late.abort(null)
  }

  // -- keys ------------------------------------------------------------------------------------------

  #keyOf(subject: string): Promise<Key> {
    const known = this.#bySubject.get(subject)
    if (known !== undefined && !known.isDestroyed) return Promise.resolve(known)
    let waiting = this.#wanted.get(subject)
    if (waiting === undefined) {
      waiting = Promise.withResolvers<Key>()
      waiting.promise.catch(() => {})
      this.#wanted.set(subject, waiting)
      if (!this.#isLoading) void this.#loadWanted()
    }
    return waiting.promise
  }

  /** Loads or creates the keys of all subjects that wait, as many at once as there are. */
  async #loadWanted(): Promise<void> {
    this.#isLoading = true
    // Whoever asks in the same moment is waited for.
    await undefined
    while (this.#wanted.size > 0) {
      const wanted = this.#wanted
      this.#wanted = new Map()
      try {
        const keys = await this.#loadOrCreate([...wanted.keys()])
        for (const [i, { resolve }] of [...wanted.values()].entries()) resolve(keys[i]!)
      } catch (error) {
        for (const { reject } of wanted.values()) reject(error)
      }
    }
    this.#isLoading = false
  }

  async #loadOrCreate(subjects: readonly string[]): Promise<readonly Key[]> {
    const { store, cipher } = this.#options
    const create = async () => {
      const { checkpoint, values } = await store.loadRowsWithCheckpoint(keysName, subjects.map(subjectRow))
      const rows: Row[] = []
      const stored = subjects.map((subject, i): StoredKey => {
        const known = keyIn(store.name, subjectRow(subject), values[i])
        if (known !== undefined) return known as StoredKey
        const made = { id: cipher.newKeyId(), subject, secret: cipher.newKey() }
        for (const key of [subjectRow(subject), keyRow(made.id)]) rows.push(keyAsRow(key, made))
        return made
      })
      const result = { keys: stored, count: destroyedIn(checkpoint) }
      return rows.length === 0 ? { result } : { step: stepFrom(checkpoint, checkpoint.note, rows), result }
    }
    return this.#newest(
      () => untilSaved(this.#changing, create),
      ({ count }) => count,
      ({ keys }) => keys.map((stored) => this.#keep(stored, true)),
    )
  }

  /** Loads keys by their ids. */
  async #load(ids: readonly string[]): Promise<readonly Key[]> {
    const { store, environment, over } = this.#changing
    const load = () => store.loadRowsWithCheckpoint(keysName, ids.map(keyRow))
    return this.#newest(
      () => tryUpTo({ environment, over, limits: { loadTriesMax } }, load),
      ({ checkpoint }) => destroyedIn(checkpoint),
      ({ values }) => {
        const lost = ids.filter((_, i) => values[i] === undefined)
        if (lost.length > 0) throw new StoreError('KEY_MISSING', { store: store.name, keys: lost })
        return values.map((value, i) => this.#keep(keyIn(store.name, keyRow(ids[i]!), value)!, false))
      },
    )
  }

  /**
   * Reads keys, or their number. An answer that was given before the last question, or before this ring destroyed a
   * key, may name keys that were destroyed since, so it is read again. If that does not help, the key store went back
   * to an earlier state.
   *
   * @param use is called at once, before anything newer can be known
   * @throws StoreError `KEYS_REPLACED`
   */
  async #newest<Read, Result>(
    read: () => Promise<Read>,
    countOf: (read: Read) => number,
    use: (read: Read, count: number) => Result,
  ): Promise<Result> {
    const { store, environment, over } = this.#changing
    for (let tries = 1; ; tries++) {
      const before = this.#destroyedHere
      const result = await read()
      if (this.#destroyedHere !== before) continue
      const found = countOf(result)
      const known = this.#known
      if (found >= known) return use(result, found)
      if (tries >= loadTriesMax) throw new StoreError('KEYS_REPLACED', { store: store.name, found, known })
      await pauseAfter(environment, tries, over)
      if (over.aborted) throw new CancelledError('STOPPED', { what: 'The question for keys' })
    }
  }

  #keep(stored: StoredKey | DestroyedKey, isNewest: boolean): Key {
    const { id, subject } = stored
    let key = this.#byId.get(id)?.deref()
    if (key === undefined) {
      key = new Key(this, stored, 'secret' in stored ? this.#options.cipher.load(stored.secret) : undefined)
      this.#byId.set(id, new WeakRef(key))
      this.#collected.register(key, id)
      this.#askLater()
    } else if (!('secret' in stored)) key.destroy()
    if (isNewest && !key.isDestroyed) {
      this.#bySubject.delete(subject)
      this.#bySubject.set(subject, key)
      if (this.#bySubject.size > keptMax) this.#bySubject.delete(this.#bySubject.keys().next().value!)
    }
    return key
  }

  // -- which keys were destroyed ----------------------------------------------------------------------

  async #ask(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#askOnce()
      } catch (error) {
        const { environment, over } = this.#changing
        if (!isOvertaken(error) || tries >= triesMax) throw error
        await pauseAfter(environment, Math.min(tries, 3), over)
        if (over.aborted) throw atEnd(error)
      }
    }
  }

  async #askOnce(): Promise<void> {
    const { store, environment } = this.#options
    let askedAt = 0
    const look = () => {
      askedAt = environment.elapsed()
      return this.#holders.look()
    }
    const countOf = ({ checkpoint }: KeysLook) => destroyedIn(checkpoint)
    const [found, count] = await this.#newest(look, countOf, (read, now) => {
      // From now on, keys are loaded as they are after these were destroyed.
      this.#known = now
      return [read, now] as const
    })
    if (count > this.#destroyed) {
      let after = destroyedRow(this.#destroyed)
      for (;;) {
        const { rows, next } = await store.listRows(keysName, { prefix: destroyedPrefix, after, limit: 1000 })
        for (const { value } of rows)
          this.#byId
            .get(value as string)
            ?.deref()
            ?.destroy()
        if (next === undefined) break
        after = next
      }
      this.#destroyed = count
    }
    await this.#holders.enter(found)
    if (this.#closed.signal.aborted) return
    this.#confirmedAt = askedAt
    this.#askLater()
  }

  /** Asks at intervals, as long as there are keys in memory or others wait for this ring. */
  #askLater(): void {
    if (this.#cancelTimer !== undefined || this.#closed.signal.aborted) return
    const ask = () => {
      this.#cancelTimer = undefined
      if (this.#byId.size === 0 && !this.#holders.isEntered) return
      // If the key store does not answer, keys cannot be used after a while, and the next question is asked then.
      void this.ask()
        .catch(() => {})
        .finally(() => this.#askLater())
    }
    this.#cancelTimer = this.#options.environment.after(askEveryMs, ask, { background: true })
  }
}
