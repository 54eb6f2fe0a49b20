/** Offsets of the Durable Streams protocol: opaque for clients, ordered as texts, and recognised by checksums. */
import { malformed } from '../body.ts'

/** A place in the log or in a stream: a position or a sequence, and the checksum of the event there. */
export interface Place {
  readonly at: number
  readonly checksum: number
}

export const beginning: Place = Object.freeze({ at: 0, checksum: 0 })

export const offsetOf = ({ at, checksum }: Place): string => `${String(at).padStart(16, '0')}_${checksum.toString(16)}`

/** The place of an offset; 'now' for the end. @throws HttpError `REQUEST_MALFORMED` */
export function placeOf(offset: string | undefined): Place | 'now' {
  if (offset === undefined || offset === '-1') return beginning
  if (offset === 'now') return 'now'
  const [, at, checksum] = /^0(\d{15})_([0-9a-f]{1,13})$/.exec(offset) ?? malformed('offset is not one of this service')
  return { at: Number(at), checksum: Number.parseInt(checksum!, 16) }
}

/** The length of an interval of cursors, and where they begin, as the protocol says. */
const intervalMs = 20_000
const epochMs = Date.UTC(2024, 9, 9)
const jitterMax = 180

/**
 * A cursor, which keeps caches from giving the same answer for ever: the number of the interval, or more than the one
 * that the client has.
 */
export function cursorAfter(given: string | undefined, nowMs: number): string {
  const current = Math.floor((nowMs - epochMs) / intervalMs)
  const theirs = /^\d{1,15}$/.test(given ?? '') ? Number(given) : -1
  return String(theirs >= current ? theirs + 1 + Math.floor(Math.random() * jitterMax) : current)
}
