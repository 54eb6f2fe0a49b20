/**
 * What is known of streams, from reading them, appending to them and looking for them: where they end, one place
 * inside them, and which commits they have. Nothing of this has to be up to date. An append compares the end on the
 * server, and what is known of ids counts only up to a known event.
 *
 * Emptied when it is full.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { Commit } from '../../commit.ts'
import type { Receipt } from '../../store.ts'
import { endsCommit, placeOf, type ReadEvent, receiptOf } from './event-message.ts'
import type { LinkedPlace, Place } from './links.ts'

const streamsMax = 100_000
const idsMax = 500_000
const batchesPerTrim = 16

/** The end of a stream. */
export interface End extends LinkedPlace {
  readonly checksum: number
}

/** The end of a stream without events. */
export const noEnd: End = Object.freeze({ sequence: 0, position: 0, checksum: 0, links: [] })

/** All commits of a stream up to an event. */
export interface Ids {
  readonly receipts: Map<string, Receipt>
  upTo: End
}

interface Known {
  end: End | undefined
  ids: Ids | undefined
  /** Behind an event that was read. A reader probably goes on there. */
  place: Place | undefined
}

/** A stream as a key of a map. No id contains a null character, so the keys of two streams differ. */
export const keyOf = ({ aggregate, id }: StreamId): string => `${aggregate}\0${id}`

export const endOf = (read: ReadEvent): End => ({ ...placeOf(read), checksum: read.event.checksum })

export class Streams {
  readonly #known = new Map<string, Known>()
  #batches = 0

  endOf(key: string): End | undefined {
    return this.#known.get(key)?.end
  }

  placeIn(key: string): Place | undefined {
    return this.#known.get(key)?.place
  }

  idsOf(key: string): Ids | undefined {
    return this.#known.get(key)?.ids
  }

  /** Whether all commits up to the known end are known. */
  hasAllIds(key: string): boolean {
    const { end, ids } = this.#known.get(key) ?? {}
    if (end === undefined) return false
    if (end.sequence === 0) return true
    return ids?.upTo.position === end.position && ids.upTo.checksum === end.checksum
  }

  /** Notes the end of a stream, as a server has just said, or as this process has just written it. */
  setEnd(key: string, end: End): void {
    this.#entryOf(key).end = end
  }

  setPlace(key: string, place: Place): void {
    this.#entryOf(key).place = place
  }

  /** Notes the ids of a stream, to which later ones are added in place. */
  setIds(key: string, ids: Ids): void {
    this.#entryOf(key).ids = ids
  }

  /** Drops the ids of all streams if they have become too many. Not while a batch relies on them. */
  trim(): void {
    if (++this.#batches % batchesPerTrim !== 0) return
    let count = 0
    for (const { ids } of this.#known.values()) count += ids?.receipts.size ?? 0
    if (count > idsMax) for (const known of this.#known.values()) known.ids = undefined
  }

  /**
   * Notes a commit that this process has appended. Ids that were made for one commit are not looked for, so they are
   * kept only for a stream in which others are.
   */
  addCommit(key: string, end: End, { id, fresh }: Pick<Commit, 'id' | 'fresh'>, receipt: Receipt): void {
    const entry = this.#entryOf(key)
    if (
      (!fresh || entry.ids !== undefined) &&
      this.hasAllIds(key) &&
      receipt.sequence - receipt.count === (entry.end?.sequence ?? 0)
    ) {
      entry.ids ??= { receipts: new Map(), upTo: noEnd }
      entry.ids.receipts.set(id, receipt)
      entry.ids.upTo = end
    }
    entry.end = end
  }

  forgetEnd(key: string): void {
    const known = this.#known.get(key)
    if (known !== undefined) known.end = undefined
  }

  forget(): void {
    this.#known.clear()
  }

  #entryOf(key: string): Known {
    let entry = this.#known.get(key)
    if (entry === undefined) {
      if (this.#known.size >= streamsMax) this.forget()
      entry = { end: undefined, ids: undefined, place: undefined }
      this.#known.set(key, entry)
    }
    return entry
  }
}

/** Adds the commits that end in some events to known ones. */
export function addIds(ids: Ids, events: readonly ReadEvent[]): void {
  for (const read of events) {
    if (endsCommit(read)) ids.receipts.set(read.event.commitId, receiptOf(read))
    ids.upTo = endOf(read)
  }
}
