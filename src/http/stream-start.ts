/**
 * Where a stream of events begins. It is looked up before the stream is answered, so a client learns by the status that
 * its place is not in the log any more, or that a filter cannot be. A stream that begins now gets the place of the last
 * event, with which its client can continue even if it gets no event.
 */
import { StoreError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import type { EventStore } from '../store/store.ts'
import { malformed } from './body.ts'
import type { EventFilters } from './options.ts'
import { idInLog, idInStream } from './place-id.ts'
import { wholeNumber } from './request-headers.ts'

/** What a client asks for: the parameter `from`, and the numbers in the last id that it got. */
export interface AskedStart {
  readonly from: number | 'now'
  readonly last: readonly number[] | undefined
}

/** The options of a subscription, and the id of the place behind which it begins, if the client cannot know it. */
interface Start {
  readonly options: object
  readonly id?: string
}

const everything = { from: 1, to: Number.POSITIVE_INFINITY }

/**
 * @param sizes how many numbers an id has: the first alone, or all of them
 * @throws HttpError `REQUEST_MALFORMED`
 */
export function askedStart(from: string | undefined, lastId: string | null, sizes: readonly number[]): AskedStart {
  const isNow = from === 'now'
  const first = from === undefined ? 1 : isNow ? 'now' : wholeNumber(from)
  if (first === undefined) malformed("from is neither a number nor 'now'")
  return { from: first, last: lastId === null || lastId === '' ? undefined : numbersIn(lastId, sizes) }
}

/** The numbers of an id such as `17-4711`. The last one of several is a checksum. */
function numbersIn(id: string, sizes: readonly number[]): readonly number[] {
  const parts = id.split('-')
  const numbers = parts.map((part, at) =>
    wholeNumber(part, at > 0 && at === parts.length - 1 ? Number.MAX_SAFE_INTEGER : undefined),
  )
  const isGood = sizes.includes(numbers.length) && numbers.every((number) => number !== undefined)
  return isGood ? numbers : malformed('Last-Event-ID is not the id of an event')
}

/** @throws StoreError `LOG_REPLACED`; InputError `ID_INVALID` */
export async function startInLog(store: EventStore, { from, last }: AskedStart, filters: EventFilters): Promise<Start> {
  const check = async (behind: { readonly position: number; readonly checksum?: number }) => {
    await store.readAll({ from: behind.position + 1, to: behind.position + 2 }, { ...filters, limit: 1, behind })
  }
  if (last !== undefined) {
    const [position, checksum] = last as [number, number?]
    const after = { position, ...(checksum !== undefined && { checksum }) }
    await check(after)
    return { options: { after } }
  }
  if (from !== 'now') {
    await check({ position: Math.max(0, from - 1) })
    return { options: { from } }
  }
  const [end] = (await store.readAll(everything, { direction: 'backward', limit: 1 })).events
  const after = end === undefined ? { position: 0 } : { position: end.position, checksum: end.checksum }
  await check(after)
  return { options: { after }, id: idInLog(after) }
}

/** @throws StoreError `LOG_REPLACED` */
export async function startInStream(store: EventStore, stream: StreamId, { from, last }: AskedStart): Promise<Start> {
  if (last !== undefined) return { options: await afterLast(store, stream, last) }
  if (from !== 'now') return { options: { from } }
  const [end] = await store.readStream(stream, everything, { direction: 'backward', limit: 1 })
  if (end === undefined) return { options: { from: 1 }, id: '0' }
  const { sequence, position, checksum } = end
  const after = { sequence, position, checksum }
  return { options: { after }, id: idInStream(after) }
}

async function afterLast(store: EventStore, stream: StreamId, last: readonly number[]): Promise<object> {
  const [sequence, position, checksum] = last as [number, number?, number?]
  if (sequence === 0) return { from: 1 }
  const [found] = await store.readStream(stream, { from: sequence, to: sequence + 1 }, { limit: 1 })
  const isThere =
    found !== undefined && (position === undefined || (found.position === position && found.checksum === checksum))
  if (!isThere) {
    throw new StoreError('LOG_REPLACED', {
      store: store.name,
      position: position ?? sequence,
      head: await store.head(),
    })
  }
  return { after: { sequence, position: found.position, checksum: found.checksum } }
}
