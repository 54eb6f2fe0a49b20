/**
 * Personal values in a run. The keys are the real ones, but for the encryption, which takes no chance from the real
 * world and hides nothing from the simulation. So the simulation knows what every stored value is, which keys are
 * destroyed, and for whom that was certified. It looks at the values that processes have got, again and again.
 */
import type { Erasure } from '../../application/erasure.ts'
import { hasCode } from '../../domain/error.ts'
import type { Json } from '../../domain/json.ts'
import { forgotten, Personal, plainOf } from '../../domain/personal.ts'
import { sealedWithin } from '../../domain/personal-fields.ts'
import { boxStartOf, SealedValue, type SubjectKey } from '../../domain/sealed-value.ts'
import { findBoxes, openBoxes } from '../../kernel/personal/boxes.ts'
import { type DestroyedKey, keyRow, keysName, type StoredKey } from '../../kernel/personal/key-rows.ts'
import type { Cipher } from '../../runtime/cipher.ts'
import type { Row, StoredEvent } from '../../store/store.ts'
import { Broken } from './checks.ts'
import type { Marks } from './marks.ts'
import type { SimulatedProcess } from './process.ts'
import type { World } from './world.ts'

export interface PersonalDataOptions {
  readonly world: World
  readonly marks: Marks
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
}

/** Whether keys that were destroyed open nothing, as in the library, or everything can be seen. */
interface Light {
  isOut: boolean
}

/** A key as the simulation knows it. */
class KnownKey implements SubjectKey {
  readonly id: string
  readonly subject: string
  readonly boxStart: string
  readonly isConfirmed = true
  readonly #secret: string
  readonly #light: Light
  /** Whether it is destroyed in the key store. */
  isGone = false
  /** Whether somebody was told that nobody can use it any more. */
  isCertified = false
  /** Whether a backup that was restored does not have it. */
  isLost = false

  constructor({ id, subject, secret }: StoredKey, light: Light) {
    this.id = id
    this.subject = subject
    this.boxStart = boxStartOf(id)
    this.#secret = secret
    this.#light = light
  }

  get isDestroyed(): boolean {
    return this.isGone && this.#light.isOut
  }

  seal(text: string): string {
    return sealedWith(this.#secret, text, 0)
  }

  open(sealed: string): string {
    return openedWith(this.#secret, sealed)
  }
}

const mark = '~'
const sealedWith = (secret: string, text: string, number: number): string => [number, secret, text].join(mark)

/** @throws Error if another key has sealed it */
function openedWith(secret: string, sealed: string): string {
  const [, own, ...text] = sealed.split(mark)
  if (own !== secret) throw new Error('it was sealed with another key')
  return text.join(mark)
}

export class PersonalData {
  readonly #options: PersonalDataOptions
  readonly #keys = new Map<string, KnownKey>()
  /** The values that each process has got. */
  readonly #seen = new Map<SimulatedProcess, Set<SealedValue>>()
  readonly #light: Light = { isOut: false }
  #sealings = 0

  constructor(options: PersonalDataOptions) {
    this.#options = options
  }

  /** Encryption for a process. @param newText makes texts of 22 letters that nobody else makes */
  cipherOf(newText: () => string): Cipher {
    return {
      newKey: newText,
      newKeyId: newText,
      load: (secret) => ({
        seal: (text) => sealedWith(secret, text, ++this.#sealings),
        open: (sealed) => openedWith(secret, sealed),
      }),
    }
  }

  /** The key store has changed. */
  changed(projection: string, rows: readonly Row[]): void {
    if (projection !== keysName) return
    for (const { key, value } of rows) {
      if (!key.startsWith(keyRow(''))) continue
      const stored = value as unknown as StoredKey | DestroyedKey
      if ('secret' in stored) this.#keys.set(stored.id, new KnownKey(stored, this.#light))
      else this.#keys.get(stored.id)!.isGone = true
    }
  }

  /** The key store is opened: what was on its way when its process ended may be there. */
  found(rows: readonly Row[]): void {
    const isNews = ({ value }: Row) => {
      const stored = value as unknown as StoredKey | DestroyedKey
      return !('secret' in stored && this.#keys.has(stored.id))
    }
    this.changed(keysName, rows.filter(isNews))
  }

  /** The key store went back to an older state: whoever was forgotten since is remembered again. */
  wentBack(rows: readonly Row[]): void {
    for (const key of this.#keys.values()) {
      key.isGone = false
      key.isCertified = false
      key.isLost = true
    }
    for (const { value } of rows) {
      const stored = value as unknown as StoredKey | DestroyedKey
      const key = this.#keys.get(stored.id)!
      key.isLost = false
      key.isGone = !('secret' in stored)
    }
  }

  /** The event with its personal values, as they are whether somebody was forgotten or not. */
  opened(event: StoredEvent): StoredEvent {
    if (this.#keys.size === 0) return event
    const data = openBoxes(event.data, this.#keys)
    return data === event.data ? event : { ...event, data }
  }

  /** Whether something is so, whatever is forgotten, or as nobody reads it who was forgotten. */
  isEither(isSo: () => boolean): boolean {
    if (isSo()) return true
    if (![...this.#keys.values()].some(({ isGone }) => isGone)) return false
    this.#light.isOut = true
    try {
      return isSo()
    } finally {
      this.#light.isOut = false
    }
  }

  /** From now on, who was forgotten is forgotten in what the simulation shows too. */
  hideForgotten(): void {
    this.#light.isOut = true
  }

  // -- reading -------------------------------------------------------------------------------------------------------

  /** A process has got some data. Its values are read now, and again later. */
  saw(process: SimulatedProcess, data: unknown): void {
    if (this.#keys.size === 0) return
    const values = sealedWithin(data)
    if (values.length === 0) return
    const seen = this.#seen.get(process) ?? new Set()
    this.#seen.set(process, seen)
    for (const value of values) {
      seen.add(value)
      this.#read(process, value)
    }
  }

  /** Lets processes read what they have got once more: soon, and within `mostMs`. */
  readAgain(processes: readonly SimulatedProcess[], mostMs: number): void {
    const { world } = this.#options
    for (const process of this.#seen.keys()) if (process.isDead) this.#seen.delete(process)
    for (const process of processes) {
      const readAll = () => {
        for (const value of this.#seen.get(process) ?? []) this.#read(process, value)
      }
      for (const afterMs of [20, mostMs]) {
        world.after(world.random.int(0, afterMs), `${process.name} reads again`, readAll, process)
      }
    }
  }

  #read(process: SimulatedProcess, value: SealedValue): void {
    const { marks, fail } = this.#options
    const key = this.#keys.get(SealedValue.keyOf(value)?.id ?? '')
    if (key === undefined || !(value instanceof Personal)) return
    let found: unknown
    try {
      found = value.value
    } catch (error) {
      if (hasCode(error, 'KEYS_UNCONFIRMED'))
        marks.meet('a personal value cannot be read while the key store is out of reach')
      else fail(new Broken('a personal value can be read', `${process.name}, one of ${value.subject}: ${error}`, error))
      return
    }
    if (found === forgotten) {
      marks.meet('a personal value reads as forgotten')
      if (key.isGone) return
      const reason = `${process.name} reads a value of ${value.subject} as forgotten, but its key is there`
      fail(new Broken('only who is forgotten reads as forgotten', reason))
      return
    }
    if (key.isCertified) {
      const reason = `${process.name} reads ${JSON.stringify(found)} of ${value.subject} after the certificate`
      fail(new Broken('nobody reads a value of who was forgotten', reason))
    } else if (key.isGone) marks.meet('a process reads a value for a while although its key is destroyed')
    const stored = this.#openBox(value)
    if (stored !== undefined && JSON.stringify(stored) !== JSON.stringify(found)) {
      const reason = `${process.name} reads ${JSON.stringify(found)}, but stored is ${JSON.stringify(stored)}`
      fail(new Broken('a personal value is what was stored', reason))
    }
  }

  #openBox(value: SealedValue): unknown {
    // A copy, because a box has the value of its process.
    const { $personal } = SealedValue.boxOf(value, 'A value', '')
    const [opened] = sealedWithin(openBoxes({ $personal }, this.#keys))
    return opened === undefined ? undefined : plainOf(opened)
  }

  // -- forgetting ----------------------------------------------------------------------------------------------------

  /** A process forgets somebody. @throws what `forget` throws; Broken if the certificate is not true */
  async forget(process: SimulatedProcess, subject: string, log: () => readonly StoredEvent[]): Promise<Erasure> {
    const before = this.#keysOf(subject)
    const erasure: Erasure = await process.started!.forget(subject)
    const named = new Set(erasure.keys.map(({ id }) => id))
    const missing = before.find(({ id }) => !named.has(id))
    const check = 'a certificate says what is forgotten'
    if (missing !== undefined) throw new Broken(check, `that of ${subject} does not name the key ${missing.id}`)
    const erased = log().filter(({ position, data }) => position <= erasure.searchedTo && hasKeyOf(data, named)).length
    const counted = erasure.events.reduce((sum, { count }) => sum + count, 0)
    if (erased !== counted) throw new Broken(check, `that of ${subject} counts ${counted} events, not ${erased}`)
    for (const key of this.#keysOf(subject)) if (named.has(key.id)) key.isCertified = true
    if (erased > 0) this.#options.marks.meet('somebody is forgotten of whom something is stored')
    return erasure
  }

  #keysOf(subject: string): readonly KnownKey[] {
    return [...this.#keys.values()].filter((key) => key.subject === subject && !key.isLost)
  }
}

function hasKeyOf(data: Json, ids: ReadonlySet<string>): boolean {
  const found = new Set<string>()
  findBoxes(data, found)
  return [...found].some((id) => ids.has(id))
}
