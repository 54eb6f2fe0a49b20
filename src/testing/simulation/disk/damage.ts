/**
 * What a write that has landed at a wrong place does to the store. From then on the store may refuse to go on, with
 * `STORE_CORRUPT`, or say that it has cut an end as unfinished. It must not show anything but what was stored, nor miss
 * anything without a word, nor cut more than its last batch. Once somebody has named the damage, the store is not
 * opened any more: an operator puts a backup back.
 */
import { isDeepStrictEqual } from 'node:util'
import { StoreError } from '../../../domain/error.ts'
import type { StoreWarning } from '../../../runtime/warning.ts'
import { everything } from '../../../store/range.ts'
import type { Store, StoredEvent } from '../../../store/store.ts'
import { Broken, codeOf } from '../checks.ts'
import type { Marks } from '../marks.ts'

export interface DamageOptions {
  readonly store: string
  readonly marks: Marks
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
  /** Somebody has named the damage. */
  readonly named: (by: string) => void
}

const check = 'damage is found and named'
const pageMax = 100

export class Damage {
  readonly #options: DamageOptions
  #state: 'none' | 'there' | 'named' = 'none'

  constructor(options: DamageOptions) {
    this.#options = options
  }

  /** Whether there is one, and nobody has put it right. */
  get isThere(): boolean {
    return this.#state !== 'none'
  }

  begin(): void {
    this.#state = 'there'
  }

  /** It was put right. */
  end(): void {
    this.#state = 'none'
  }

  /** @throws StoreError `STORE_CORRUPT` as long as a backup is waited for */
  checkOpening(): void {
    if (this.#state === 'named') throw this.#refusal('a backup has to be put back')
  }

  /** Somebody got an error. */
  met(error: unknown): void {
    if (codeOf(error) !== 'STORE_CORRUPT') return
    if (this.isThere) this.#name(`${error}`)
    else this.#options.fail(new Broken('a store that is whole is not called damaged', `${error}`, error))
  }

  /**
   * The store was opened. What it has must be what could be seen before, or a warning says what was cut.
   *
   * @param seen the log as it could be seen
   * @param certain how many events of it were stored by earlier batches than the last
   * @returns the events that nobody has seen yet
   * @throws StoreError `STORE_CORRUPT` if the damage is named
   */
  async opened(
    store: Store,
    warned: readonly StoreWarning['code'][],
    { seen, certain }: { readonly seen: readonly StoredEvent[]; readonly certain: number },
  ): Promise<readonly StoredEvent[]> {
    const head = await store.head()
    const isCut = warned.includes('TORN_TAIL_CUT')
    if (head < (isCut ? certain : seen.length)) {
      const how = isCut ? 'of which an unfinished end was cut' : 'and nothing was said'
      this.#break(`the store is opened, its log ends at ${head} and ended at ${seen.length}, ${how}`)
    }
    if (isCut) {
      this.#name('TORN_TAIL_CUT')
      throw this.#refusal('an end was cut')
    }
    try {
      const { events } = await store.readAll({ ...everything, from: seen.length + 1 })
      return events
    } catch (error) {
      this.met(error)
      throw error
    }
  }

  /** Somebody was given events. @param seen the log as it could be seen */
  checkEvents(events: readonly StoredEvent[], seen: readonly StoredEvent[]): void {
    if (!this.isThere) return
    const other = events.find((event) => event.position <= seen.length && !isStored(event, seen))
    if (other !== undefined) this.#break(`the event ${other.position} is read as ${JSON.stringify(other.data)}`)
  }

  /** Reads all of the log. @returns whether it is as it was, so that the damage has done no harm */
  async isHarmless(store: Store, seen: readonly StoredEvent[]): Promise<boolean> {
    for (let from = 1; from <= seen.length; ) {
      try {
        const { events, examined } = await store.readAll({ ...everything, from }, { limit: pageMax })
        const expected = seen.slice(from - 1, examined)
        this.checkEvents(events, seen)
        if (events.length !== expected.length) this.#break(`the log lacks events from ${from} to ${examined}`)
        from = examined + 1
      } catch (error) {
        this.met(error)
        return false
      }
    }
    this.#options.marks.meet('a write at a wrong place does no harm')
    this.end()
    return true
  }

  #name(by: string): void {
    if (this.#state === 'named') return
    this.#state = 'named'
    this.#options.marks.meet('a write at a wrong place is found')
    this.#options.named(by)
  }

  #break(reason: string): void {
    this.#options.fail(new Broken(check, reason))
  }

  #refusal(reason: string): StoreError {
    const { store } = this.#options
    return new StoreError('STORE_CORRUPT', { store, where: store, reason })
  }
}

const isStored = (event: StoredEvent, seen: readonly StoredEvent[]): boolean =>
  isDeepStrictEqual(event, seen[event.position - 1])
