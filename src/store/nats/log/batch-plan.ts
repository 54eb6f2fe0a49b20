/**
 * Works out the messages of a batch before anything is sent: a pure function of what is known of the streams. If that
 * is out of date, the server refuses the batch, and it is worked out again.
 */
import type { Commit } from '../../commit.ts'
import { isMet } from '../../expectation.ts'
import type { AppendResult, Receipt } from '../../store.ts'
import type { Outgoing } from '../database/connection.ts'
import { EventMessage } from './event-message.ts'
import { nextLinks } from './links.ts'
import { type End, noEnd } from './streams.ts'

/** The server's limit for an atomic batch. */
export const batchMessagesMax = 1000
/** Of the estimated sizes of its commits, in characters. */
const batchSizeMax = 6_000_000

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

/**
 * A commit and its place. Positions count from the first message of the batch, which has -1, downwards. The checksum is
 * that of its last message, which is not written yet.
 */
export interface Placement {
  readonly entry: Entry
  readonly end: PlannedEnd
  readonly last: EventMessage
}

/** The result of a commit, if the batch is taken: known already, or that of a commit which this batch stores. */
export type Planned = AppendResult | { readonly status: 'stored' | 'duplicate'; readonly placement: Placement }

export interface Plan {
  readonly messages: readonly Outgoing[]
  readonly placements: readonly Placement[]
  /** The results of the next commits, if the batch is taken. */
  readonly results: readonly Planned[]
  /** Entries that cannot be judged by known facts. If there are any, the plan must not be carried out. */
  readonly unclear: readonly Entry[]
}

type PlannedEnd = Omit<End, 'checksum'>

/** The state of the plan while it is made. */
interface Draft {
  readonly messages: EventMessage[]
  readonly placements: Placement[]
  /** As in `Commit`. */
  size: number
  /** Where streams end after the planned commits. */
  readonly ends: Map<string, PlannedEnd>
  /** The commits that this batch stores or has stored, by their ids. Streams may have the same. */
  readonly stored: Map<string, { readonly key: string; readonly as: Placement | Receipt }[]>
  /** The streams whose chain is broken, by caller. */
  readonly broken: Set<string>
}

/** A plan for the next commits, as many as fit in one atomic batch. */
export function planBatch({ entries, results: done, looked, reserved, isInDoubt }: Progress, known: Known): Plan {
  const draft: Draft = {
    messages: [],
    placements: [],
    size: 0,
    ends: new Map(),
    stored: new Map(),
    broken: new Set(),
  }
  for (const [i, result] of done.entries()) {
    if (result.status === 'stored') note(draft, entries[i]!, receiptIn(result))
    else draft.broken.add(chainOf(entries[i]!))
  }
  const results: Planned[] = []
  const unclear: Entry[] = []
  for (const entry of entries.slice(done.length, done.length + batchMessagesMax)) {
    const { commit, key } = entry
    const read = known.endOf(key)
    const end = draft.ends.get(key) ?? read ?? supposed(commit)
    const isFresh = commit.fresh && !isInDoubt
    const stored = storedIn(draft, entry) ?? known.idsOf(key)?.receipts.get(commit.id)
    const isReserved = reserved.has(entry)
    if (end === undefined || (stored === undefined && read !== undefined && !isFresh && !known.hasAllIds(key))) {
      unclear.push(entry)
      continue
    }
    const isBroken = draft.broken.size > 0 && draft.broken.has(chainOf(entry))
    const isRefused = stored !== undefined || isReserved || !isMet(commit.expected, end.sequence, isBroken)
    if (!isRefused) {
      const placed = place(draft, entry, end)
      if (placed === undefined) break
      note(draft, entry, placed)
      results.push({ status: 'stored', placement: placed })
    } else if (!looked.has(key) && storedIn(draft, entry) === undefined) {
      unclear.push(entry)
    } else {
      draft.broken.add(chainOf(entry))
      if (stored !== undefined) {
        results.push(
          'entry' in stored ? { status: 'duplicate', placement: stored } : { status: 'duplicate', ...stored },
        )
      } else results.push({ status: 'conflict', sequence: end.sequence, ...(isReserved && { reserved: true }) })
    }
  }
  return { messages: draft.messages, placements: draft.placements, results, unclear }
}

/** A stream that may be new counts as new. The batch is refused if that is wrong. */
const supposed = ({ expected }: Commit): End | undefined => (expected === 'none' || expected === 0 ? noEnd : undefined)

/** @returns where it is; nothing if the commit does not fit in the batch any more */
function place(draft: Draft, entry: Entry, before: PlannedEnd): Placement | undefined {
  const { commit, subject, key } = entry
  const { messages } = draft
  const first = messages.length
  const count = commit.events.length
  if (first > 0 && (first + count > batchMessagesMax || draft.size + commit.size > batchSizeMax)) return undefined
  let end = before
  for (let index = 0; index < count; index++) {
    const at = first + index
    const links = nextLinks(end.sequence === 0 ? undefined : end)
    const sequence = end.sequence + 1
    const written = links.map((link) => (link < 0 ? indexOf(link) - at : link))
    // Only the first message to a subject may have an expectation. It holds for all of them.
    const expected = index === 0 && !draft.ends.has(key) ? before.position : undefined
    messages.push(new EventMessage(subject, commit, { index, sequence, links: written }, expected))
    end = { sequence, position: relative(at), links }
  }
  const placement = { entry, end, last: messages.at(-1)! }
  draft.size += commit.size
  draft.ends.set(key, end)
  draft.placements.push(placement)
  return placement
}

/** The receipt of a commit, when the batch has been stored. @param first the position of its first message */
export function receiptOf({ entry: { commit }, end, last }: Placement, first: number): Receipt {
  const { command, events } = commit
  const position = absolute(end.position, first)
  return {
    sequence: end.sequence,
    position,
    count: events.length,
    checksum: last.checksum,
    ...(command && { command }),
  }
}

/** The position of a message of the batch, by its index, before the batch has one. */
const relative = (index: number): number => -1 - index
const indexOf = (position: number): number => -1 - position

/** A position, when the batch has been stored. @param first the position of its first message */
export const absolute = (position: number, first: number): number =>
  position < 0 ? first + indexOf(position) : position

const storedIn = ({ stored }: Draft, { key, commit }: Entry): Placement | Receipt | undefined =>
  stored.get(commit.id)?.find((one) => one.key === key)?.as

function note({ stored }: Draft, { key, commit }: Entry, as: Placement | Receipt): void {
  const same = stored.get(commit.id)
  if (same === undefined) stored.set(commit.id, [{ key, as }])
  else same.push({ key, as })
}

const receiptIn = ({ status: _, ...receipt }: AppendResult & Receipt): Receipt => receipt
const chainOf = ({ key, caller }: Entry): string => `${caller}\0${key}`
