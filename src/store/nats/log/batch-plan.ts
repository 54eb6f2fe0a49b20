/**
 * Works out the messages of a batch before anything is sent: a pure function of what is known of the streams. If that
 * is out of date, the server refuses the batch, and it is worked out again.
 */
import type { Commit } from '../../commit.ts'
import { isMet } from '../../expectation.ts'
import type { AppendResult, Receipt } from '../../store.ts'
import type { Outgoing } from '../database/connection.ts'
import { writeEvent } from './event-message.ts'
import { nextLinks } from './links.ts'
import { type End, noEnd } from './streams.ts'

/** The server's limit for an atomic batch. */
export const batchMessagesMax = 1000
const batchBytesMax = 6_000_000

/** A commit of the batch. The chain rule binds commits of one caller. */
export interface Entry {
  readonly commit: Commit
  readonly caller: number
  /** Its writer, if the caller named one. */
  readonly writer: string | undefined
  readonly key: string
  readonly subject: string
}

/** What a batch has found out and done so far. */
export interface Progress {
  readonly entries: readonly Entry[]
  /** The results of the first commits. The others are still to be done. */
  readonly results: AppendResult[]
  /** The streams that were looked at since the batch began. Their commits may be refused. */
  readonly looked: Set<string>
  /** Entries whose streams are reserved for other writers. */
  reserved: ReadonlySet<Entry>
  /** The number of commits that it has stored. */
  storedCount: number
  /** Whether an answer was lost, so that every commit may be stored already. */
  isInDoubt: boolean
}

/** What is known of streams. */
export interface Known {
  endOf(key: string): End | undefined
  hasAllIds(key: string): boolean
  idsOf(key: string): { readonly receipts: ReadonlyMap<string, Receipt> } | undefined
}

/** A commit and its place. Positions count from the first message of the batch, which has -1, downwards. */
export interface Placement {
  readonly entry: Entry
  readonly end: End
  readonly receipt: Receipt
}

export interface Plan {
  readonly messages: readonly Outgoing[]
  readonly placements: readonly Placement[]
  /** The results of the next commits, if the batch is taken. Positions of stored ones are as in placements. */
  readonly results: readonly AppendResult[]
  /** Entries that cannot be judged by known facts. If there are any, the plan must not be carried out. */
  readonly unclear: readonly Entry[]
}

/** The state of the plan while it is made. */
interface Draft {
  readonly messages: Outgoing[]
  readonly placements: Placement[]
  bytes: number
  /** Where streams end after the planned commits. */
  readonly ends: Map<string, End>
  /** The receipts of commits that this batch stores, by stream and commit id. */
  readonly stored: Map<string, Receipt>
  /** The streams whose chain is broken, by caller. */
  readonly broken: Set<string>
}

/** A plan for the next commits, as many as fit in one atomic batch. */
export function planBatch({ entries, results: done, looked, reserved, isInDoubt }: Progress, known: Known): Plan {
  const draft: Draft = {
    messages: [],
    placements: [],
    bytes: 0,
    ends: new Map(),
    stored: new Map(),
    broken: new Set(),
  }
  for (const [i, result] of done.entries()) {
    if (result.status === 'stored') draft.stored.set(idKeyOf(entries[i]!), receiptIn(result))
    else draft.broken.add(chainOf(entries[i]!))
  }
  const results: AppendResult[] = []
  const unclear: Entry[] = []
  for (const entry of entries.slice(done.length, done.length + batchMessagesMax)) {
    const { commit, key } = entry
    const isRead = known.endOf(key) !== undefined
    const end = draft.ends.get(key) ?? known.endOf(key) ?? supposed(commit)
    const isFresh = commit.fresh && !isInDoubt
    const stored = draft.stored.get(idKeyOf(entry)) ?? known.idsOf(key)?.receipts.get(commit.id)
    const isReserved = reserved.has(entry)
    if (end === undefined || (stored === undefined && isRead && !isFresh && !known.hasAllIds(key))) {
      unclear.push(entry)
      continue
    }
    const isRefused =
      stored !== undefined || isReserved || !isMet(commit.expected, end.sequence, draft.broken.has(chainOf(entry)))
    if (!isRefused) {
      const placed = place(draft, entry, end)
      if (placed === undefined) break
      results.push({ status: 'stored', ...placed })
    } else if (!looked.has(key) && !draft.stored.has(idKeyOf(entry))) {
      unclear.push(entry)
    } else {
      draft.broken.add(chainOf(entry))
      if (stored !== undefined) results.push({ status: 'duplicate', ...stored })
      else results.push({ status: 'conflict', sequence: end.sequence, ...(isReserved && { reserved: true }) })
    }
  }
  return { messages: draft.messages, placements: draft.placements, results, unclear }
}

/** A stream that may be new counts as new. The batch is refused if that is wrong. */
const supposed = ({ expected }: Commit): End | undefined => (expected === 'none' || expected === 0 ? noEnd : undefined)

/** @returns the receipt; nothing if the commit does not fit in the batch any more */
function place(draft: Draft, entry: Entry, before: End): Receipt | undefined {
  const { commit, subject, key } = entry
  const { messages } = draft
  const first = messages.length
  if (first > 0 && first + commit.events.length > batchMessagesMax) return undefined
  let end = before
  const own: Outgoing[] = []
  let bytes = 0
  for (let index = 0; index < commit.events.length; index++) {
    const at = first + index
    const links = nextLinks(end.sequence === 0 ? undefined : end)
    const sequence = end.sequence + 1
    const { data, checksum } = writeEvent(
      commit,
      index,
      sequence,
      links.map((link) => (link < 0 ? indexOf(link) - at : link)),
    )
    // Only the first message to a subject may have an expectation. It holds for all of them.
    const isFirst = index === 0 && !draft.ends.has(key)
    own.push({ subject, data, ...(isFirst && { expected: before.position }) })
    bytes += data.length
    end = { sequence, position: relative(at), checksum, links }
  }
  if (first > 0 && draft.bytes + bytes > batchBytesMax) return undefined
  messages.push(...own)
  draft.bytes += bytes
  draft.ends.set(key, end)
  const { command, events } = commit
  const { sequence, position, checksum } = end
  const receipt = { sequence, position, count: events.length, checksum, ...(command && { command }) }
  draft.stored.set(idKeyOf(entry), receipt)
  draft.placements.push({ entry, end, receipt })
  return receipt
}

/** The position of a message of the batch, by its index, before the batch has one. */
const relative = (index: number): number => -1 - index
const indexOf = (position: number): number => -1 - position

/** A position, when the batch has been stored. @param first the position of its first message */
export const absolute = (position: number, first: number): number =>
  position < 0 ? first + indexOf(position) : position

const idKeyOf = ({ key, commit }: Entry): string => `${key}\0${commit.id}`
const receiptIn = ({ status: _, ...receipt }: AppendResult & Receipt): Receipt => receipt
const chainOf = ({ key, caller }: Entry): string => `${caller}\0${key}`
