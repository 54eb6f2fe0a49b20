/**
 * Works out the places of a batch's commits before anything is sent: a pure function of what is known of the log. If
 * that is out of date, the server refuses a document, and the rest is worked out again.
 */
import type { Commit } from '../../commit.ts'
import { isMet } from '../../expectation.ts'
import type { AppendResult, Receipt } from '../../store.ts'
import { type CommitHeader, receiptOf, type WrittenCommit } from './commit-document.ts'
import { type End, placeBehind } from './log-end.ts'

/** A commit of the batch. The chain rule binds commits of one caller. */
export interface Entry {
  readonly commit: Commit
  readonly written: WrittenCommit
  readonly caller: number
  /** Its writer, if the caller named one. */
  readonly writer?: string | undefined
  readonly key: string
}

/** The id of a commit, with its stream, as a key of a map. */
export const idKeyOf = ({ key, commit }: { readonly key: string; readonly commit: Pick<Commit, 'id'> }): string =>
  `${key}\0${commit.id}`

/** The state of a batch: what it has found out and done so far. */
export interface Progress {
  readonly entries: readonly Entry[]
  /** The results of the first commits. The others are still to be done. */
  readonly results: AppendResult[]
  /** Entries whose stream and id were looked at since the batch began, so they may be refused. */
  readonly looked: Set<Entry>
  /** The entries among them that are already stored. */
  readonly found: Map<Entry, Receipt>
  /** Entries whose streams are reserved for other writers. */
  reserved: ReadonlySet<Entry>
  /** The number of commits that it has stored. */
  storedCount: number
  /** Up to where it has seen the log. If the log goes further, facts from earlier looks may be wrong. */
  head: number
}

/** Where the log ends, and where streams end if that is known. */
export interface Known {
  readonly end: End
  readonly sequenceOf: (key: string) => number | undefined
}

/** A commit and its place. */
export interface Placement {
  /** Its index in the batch. */
  readonly index: number
  readonly entry: Entry
  readonly header: CommitHeader
}

export interface Plan {
  readonly placements: readonly Placement[]
  /** The result of each remaining commit, if every placement holds. */
  readonly results: readonly AppendResult[]
  /** Entries that cannot be judged by known facts. If there are any, the plan must not be carried out. */
  readonly unclear: readonly Entry[]
}

/** The state of the plan while it is made. */
interface Draft {
  end: End
  readonly sequences: Map<string, number>
  /** The receipts of commits that this batch stores, by stream and commit id. */
  readonly stored: Map<string, Receipt>
  /** The streams whose chain is broken, by caller. */
  readonly broken: Set<string>
}

export function planBatch(progress: Progress, known: Known): Plan {
  const draft = draftOf(progress, known.end)
  const placements: Placement[] = []
  const results: AppendResult[] = []
  const unclear: Entry[] = []
  for (let index = progress.results.length; index < progress.entries.length; index++) {
    const entry = progress.entries[index]!
    const { commit, key } = entry
    const stored = draft.stored.get(idKeyOf(entry)) ?? progress.found.get(entry)
    const sequence = draft.sequences.get(key) ?? known.sequenceOf(key) ?? supposed(commit)
    const isReserved = progress.reserved.has(entry)
    const isRefused =
      stored !== undefined ||
      sequence === undefined ||
      isReserved ||
      !isMet(commit.expected, sequence, isBroken(draft, entry))
    if (!isRefused) {
      const header = entry.written.headerAt({ ...placeBehind(draft.end), from: sequence + 1 })
      placements.push({ index, entry, header })
      results.push(store(draft, entry, header))
    } else if (stored === undefined && (sequence === undefined || !progress.looked.has(entry))) {
      unclear.push(entry)
    } else {
      draft.broken.add(chainOf(entry))
      if (stored !== undefined) results.push({ status: 'duplicate', ...stored })
      else results.push({ status: 'conflict', sequence: sequence!, ...(isReserved && { reserved: true }) })
    }
  }
  return { placements, results, unclear }
}

/** An unknown stream that may be new counts as new. Its first document collides if that is wrong. */
const supposed = ({ expected }: Commit): number | undefined => (isMet(expected, 0, false) ? 0 : undefined)

/** The state after the commits that are done. */
function draftOf({ entries, results }: Progress, end: End): Draft {
  const draft: Draft = { end, sequences: new Map(), stored: new Map(), broken: new Set() }
  for (const [index, result] of results.entries()) {
    const entry = entries[index]!
    if (result.status === 'stored') draft.stored.set(idKeyOf(entry), receiptIn(result))
    else draft.broken.add(chainOf(entry))
  }
  return draft
}

function store(draft: Draft, entry: Entry, header: CommitHeader): AppendResult {
  const receipt = receiptOf(header)
  draft.end = { head: receipt.position, commit: header }
  draft.sequences.set(entry.key, receipt.sequence)
  draft.stored.set(idKeyOf(entry), receipt)
  return { status: 'stored', ...receipt }
}

const receiptIn = ({ status: _, ...receipt }: AppendResult & Receipt): Receipt => receipt
const chainOf = ({ key, caller }: Entry): string => `${caller}\0${key}`
const isBroken = ({ broken }: Draft, entry: Entry): boolean => broken.has(chainOf(entry))
