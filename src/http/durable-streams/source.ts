/** The log, or the stream of an aggregate, as messages of the Durable Streams protocol. */
import { StoreError } from '../../domain/error.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { EventStore, StoredEvent } from '../../store/store.ts'
import { pageCharactersMax, piece } from '../page-size.ts'
import { beginning, type Place } from './offset.ts'

/** The text of an event, if it is a message. */
export type MessageOf = (event: StoredEvent) => string | undefined

export interface Messages {
  readonly messages: readonly string[]
  /** The place after them. */
  readonly place: Place
  /** Whether there was no more. */
  readonly isLast: boolean
}

export interface DurableSource {
  readonly contentType: string
  /** The place of the end; `undefined` if there is no such stream. */
  tail(): Promise<Place | undefined>
  /** Messages after a place. @throws StoreError `LOG_REPLACED` if there is no such place */
  read(after: Place): Promise<Messages>
  /** Waits until there is an event after a place, or the signal is aborted. */
  grown(after: Place, signal: AbortSignal): Promise<void>
}

/** How events are waited for: a subscription of the running domain. */
export type Subscribe = (after: Place, signal: AbortSignal) => AsyncIterable<unknown>

interface SourceOptions {
  readonly store: EventStore
  readonly contentType: string
  readonly messageOf: MessageOf
  readonly subscribe: Subscribe
  /** The greatest number of events in a page. */
  readonly limit: number
}

const everything = { from: 1, to: Number.POSITIVE_INFINITY }

/** All events of the log. */
export function logSource({ store, contentType, messageOf, subscribe, limit }: SourceOptions): DurableSource {
  return {
    contentType,
    async tail() {
      const [last] = (await store.readAll(everything, { direction: 'backward', limit: 1 })).events
      return last === undefined ? beginning : { at: last.position, checksum: last.checksum }
    },
    read: inPieces(limit, async ({ at, checksum }, most) => {
      const behind = at === 0 ? { position: 0 } : { position: at, checksum }
      const page = await store.readAll({ from: at + 1, to: Number.POSITIVE_INFINITY }, { limit: most, behind })
      return { ...messagesOf(page.events, messageOf), place: placeAfter(page, at, checksum), isLast: page.isLast }
    }),
    grown: (after, signal) => firstOf(subscribe(after, signal), signal),
  }
}

const placeAfter = (
  page: { readonly examined: number; readonly checksum: number },
  at: number,
  checksum: number,
): Place => (page.examined > at ? { at: page.examined, checksum: page.checksum } : { at, checksum })

/** The events of one stream. */
export function streamSource(
  stream: StreamId,
  { store, contentType, messageOf, subscribe, limit }: SourceOptions,
): DurableSource {
  return {
    contentType,
    async tail() {
      const [last] = await store.readStream(stream, everything, { direction: 'backward', limit: 1 })
      return last === undefined ? undefined : { at: last.sequence, checksum: last.checksum }
    },
    read: inPieces(limit, async ({ at, checksum }, most) => {
      // The event at the place is read again, because it shows whether the stream is still the one that was read.
      const range = { from: Math.max(1, at), to: Number.POSITIVE_INFINITY }
      const found = await store.readStream(stream, range, { limit: most + 1 })
      const known = at === 0 ? undefined : found[0]
      if (at > 0 && known?.checksum !== checksum) {
        throw new StoreError('LOG_REPLACED', {
          store: store.name,
          position: known?.position ?? at,
          head: await store.head(),
        })
      }
      const events = at === 0 ? found.slice(0, most) : found.slice(1)
      const last = events.at(-1)
      const place = last === undefined ? { at, checksum } : { at: last.sequence, checksum: last.checksum }
      return { ...messagesOf(events, messageOf), place, isLast: found.length <= most }
    }),
    grown: (after, signal) => firstOf(subscribe(after, signal), signal),
  }
}

/** Reads a page a few events at once, until it is full. */
function inPieces(
  limit: number,
  read: (after: Place, most: number) => Promise<Messages>,
): (after: Place) => Promise<Messages> {
  return async (after) => {
    const messages: string[] = []
    let [place, isLast, size] = [after, false, 0]
    for (let left = limit; left > 0 && !isLast && size < pageCharactersMax; left -= piece) {
      const found = await read(place, Math.min(piece, left))
      messages.push(...found.messages)
      for (const { length } of found.messages) size += length
      ;({ place, isLast } = found)
    }
    return { messages, place, isLast }
  }
}

const messagesOf = (events: readonly StoredEvent[], messageOf: MessageOf): Pick<Messages, 'messages'> => ({
  messages: events.map(messageOf).filter((text) => text !== undefined),
})

/** Waits for the first item, or for the signal. */
async function firstOf(items: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of items) return
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
