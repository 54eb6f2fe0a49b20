/**
 * Checks a whole log against the contract of stores, in one pass and in little memory: positions and sequences follow
 * each other, commits are whole and found by their ids, each event fits its checksum (which the store checks at every
 * read), and the domain can read it. What is wrong is told, and the check goes on behind it.
 */

import { type EventStore, hasCode, type Receipt, type StoredEvent } from '../../../src/index.ts'
import { wordsOf } from '../errors.ts'
import { isSameCommit } from './read-log.ts'
import { LogDigest, recordOf } from './record.ts'
import { streamKey, TextNumbers } from './text-numbers.ts'

/** Something that is not as it must be. */
export interface Finding {
  readonly position: number
  /** What is wrong, as a word for programs: `unreadable` is an event that the domain does not understand. */
  readonly what: 'damaged' | 'position' | 'sequence' | 'commit' | 'unreadable' | 'end'
  readonly message: string
}

export interface VerifyOptions {
  /** Reads an event with the code of the domain. It throws if the domain does not understand it. */
  readonly upcast?: ((event: StoredEvent) => unknown) | undefined
  readonly onFinding: (finding: Finding) => void | Promise<void>
  /** After so many findings it ends. 100 by default. */
  readonly findingsMax?: number
  readonly signal?: AbortSignal
  /** Is told the last position that was examined. */
  readonly onProgress?: (position: number) => void
}

export interface VerifySummary {
  readonly events: number
  readonly streams: number
  readonly findings: number
  /** Whether the whole log was examined. `false` if there was too much to find. */
  readonly isWhole: boolean
  /** Of the whole log, if all of it can be read. */
  readonly digest: string | undefined
}

const pageMax = 1000
const findingsMaxDefault = 100
/** The number of commits that are looked up at the same time. */
const lookedUpMax = 16

/** Checks a log, from its first event to its end at the time of the call. */
export async function verifyLog(store: EventStore, options: VerifyOptions): Promise<VerifySummary> {
  return new Verification(store, options).run()
}

class TooMany extends Error {}

class Verification {
  readonly #store: EventStore
  readonly #options: VerifyOptions
  readonly #ends = new TextNumbers()
  readonly #digest = new LogDigest()
  #findings = 0
  #events = 0
  /** The last position that was read, or found to be damaged. */
  #reached = 0
  /** What was said of damage: the same may be met again, by its stream or by the id of its commit. */
  readonly #damages = new Set<string>()
  /** The events of the last commit, which may go on. */
  #open: StoredEvent[] = []

  constructor(store: EventStore, options: VerifyOptions) {
    this.#store = store
    this.#options = options
  }

  async run(): Promise<VerifySummary> {
    const head = await this.#store.head()
    let isWhole = true
    let isDamaged = false
    try {
      for (let from = 1; from <= head; ) {
        this.#options.signal?.throwIfAborted()
        const { events, next, damage } = await this.#read(from, head)
        await this.#page(events)
        if (damage !== undefined) {
          isDamaged = true
          this.#reached = damage.position
          this.#damages.add(damage.message)
          await this.#tell(damage)
        }
        from = next
        this.#options.onProgress?.(from - 1)
      }
      await this.#commit(this.#open)
      await this.#end(head)
    } catch (error) {
      if (!(error instanceof TooMany)) throw error
      isWhole = false
    }
    const digest = isWhole && !isDamaged ? this.#digest.end() : undefined
    return { events: this.#events, streams: this.#ends.size, findings: this.#findings, isWhole, digest }
  }

  /** The next events, or the first one that cannot be read. */
  async #read(
    from: number,
    head: number,
  ): Promise<{ readonly events: readonly StoredEvent[]; readonly next: number; readonly damage?: Finding }> {
    const { signal } = this.#options
    for (let size = Math.min(pageMax, head - from + 1); ; size = Math.floor(size / 2)) {
      try {
        const page = await this.#store.readAll({ from, to: from + size }, { limit: size, ...(signal && { signal }) })
        return { events: page.events, next: Math.max(page.examined, page.events.at(-1)?.position ?? from) + 1 }
      } catch (error) {
        if (!hasCode(error, 'STORE_CORRUPT')) throw error
        if (size > 1) continue
        return { events: [], next: from + 1, damage: { position: from, what: 'damaged', message: error.message } }
      }
    }
  }

  async #page(events: readonly StoredEvent[]): Promise<void> {
    const begun: StoredEvent[][] = []
    for (const event of events) {
      const { position } = event
      if (position !== this.#reached + 1) {
        const message = `Position ${position} comes after ${this.#reached}`
        await this.#tell({ position, what: 'position', message })
      }
      this.#reached = position
      await this.#sequence(event)
      await this.#understood(event)
      this.#digest.add(recordOf(event))
      const [first] = this.#open
      if (first !== undefined && !isSameCommit(first, event)) {
        begun.push(this.#open)
        this.#open = []
      }
      this.#open.push(event)
      this.#events++
    }
    for (let next = 0; next < begun.length; next += lookedUpMax) {
      await Promise.all(begun.slice(next, next + lookedUpMax).map((commit) => this.#commit(commit)))
    }
  }

  async #sequence(event: StoredEvent): Promise<void> {
    const { stream, sequence, position } = event
    const before = this.#ends.replace(streamKey(stream), sequence)
    // Two streams may count as one here, and an event before may be damaged, so the stream has the last word.
    if (sequence === before + 1 || (await this.#isInStream(event))) return
    const message = `Sequence ${sequence} of ${stream.aggregate} ${JSON.stringify(stream.id)} comes after ${before}`
    await this.#tell({ position, what: 'sequence', message })
  }

  /** Whether the stream has the event at its sequence, and the one before it earlier in the log. Damage is told. */
  async #isInStream({ stream, sequence, position }: StoredEvent): Promise<boolean> {
    try {
      const near = await this.#store.readStream(stream, { from: Math.max(1, sequence - 1), to: sequence + 1 })
      const before = sequence === 1 ? 0 : near.at(-2)?.position
      return near.at(-1)?.position === position && before !== undefined && before < position
    } catch (error) {
      await this.#damaged(position, error)
      return true
    }
  }

  /** Tells damage that is not seen by reading the log, or is told there too. The store says where it is. */
  async #damaged(position: number, error: unknown): Promise<void> {
    if (!hasCode(error, 'STORE_CORRUPT')) throw error
    const { message } = error
    if (this.#damages.has(message)) return
    this.#damages.add(message)
    await this.#tell({ position, what: 'damaged', message })
  }

  async #understood(event: StoredEvent): Promise<void> {
    try {
      this.#options.upcast?.(event)
    } catch (error) {
      const message = wordsOf(error)
      await this.#tell({ position: event.position, what: 'unreadable', message })
    }
  }

  /** Looks a commit up by its id: it must be where its events are. */
  async #commit(events: readonly StoredEvent[]): Promise<void> {
    const [first, last] = [events[0], events.at(-1)]
    if (first === undefined || last === undefined) return
    const { stream, commitId } = first
    let found: Receipt | undefined
    try {
      found = await this.#store.findCommit(stream, commitId)
    } catch (error) {
      return this.#damaged(first.position, error)
    }
    const isThere =
      found?.position === last.position && found.sequence === last.sequence && found.count === events.length
    if (isThere) return
    const name = `The commit ${JSON.stringify(commitId)} of ${stream.aggregate} ${JSON.stringify(stream.id)}`
    const where = found === undefined ? 'nothing' : `${found.count} events up to position ${found.position}`
    const message = `${name} has ${events.length} events up to position ${last.position}, and its id finds ${where}`
    await this.#tell({ position: first.position, what: 'commit', message })
  }

  async #end(head: number): Promise<void> {
    if (this.#findings > 0 || this.#events === head) return
    const message = `The log ends at ${head}, and ${this.#events} events were read`
    await this.#tell({ position: head, what: 'end', message })
  }

  async #tell(finding: Finding): Promise<void> {
    await this.#options.onFinding(finding)
    this.#findings++
    if (this.#findings >= (this.#options.findingsMax ?? findingsMaxDefault)) throw new TooMany()
  }
}
