/** The state of a read. */
import type { Range } from '../../range.ts'
import type { StoredEvent } from '../../store.ts'

/** How to read, and which part of a stream or of the log. */
export interface Reading extends Range {
  readonly limit: number
  readonly backward: boolean
  readonly signal: AbortSignal | undefined
  /** The number of characters of JSON at which the read ends. The rest is another page. */
  readonly charactersMax: number
}

export class Progress {
  readonly reading: Reading
  readonly events: StoredEvent[] = []
  characters = 0
  /** Where a read that ended early continues, or undefined if it did not end early. */
  next: number | undefined

  constructor(reading: Reading) {
    this.reading = reading
  }

  add(event: StoredEvent, size: number): void {
    this.events.push(event)
    this.characters += size
  }

  get isFull(): boolean {
    return this.events.length >= this.reading.limit || this.isLarge
  }

  get isLarge(): boolean {
    return this.characters >= this.reading.charactersMax
  }

  /** Call this when it ends early, with the first place that was not looked at. */
  endEarly(next: number): void {
    if (this.events.length < this.reading.limit) this.next = next
  }
}
