/**
 * Where the commits of a batch go, worked out before anything is sent: pure, from what is known of the log. What is
 * known may be out of date; that shows when the server refuses a document, and then the rest is worked out again.
 */
import type { Commit } from '../../commit.ts'
import { isMet } from '../../expectation.ts'
import type { AppendResult, Receipt } from '../../store.ts'
import { type CommitHeader, receiptOf, type WrittenCommit } from './commit-document.ts'
import { type End, placeBehind } from './log-end.ts'

/** A commit of the batch. The chain rule binds those of one caller. */
export interface Entry {
  readonly commit: Commit
  readonly written: WrittenCommit
  readonly caller: number
  /** Who appends it, if its caller said so. */
  readonly writer?: string | undefined
  readonly key: string
}

/** A commit id of a stream as a key of a map. */
export const idKeyOf = ({ key, commit }: { readonly key: string; readonly commit: Pick<Commit, 'id'> }): string =>
  `${key}\0${commit.id}`

/** What one batch has found out and done so far. */
export interface Progress {
  readonly entries: readonly Entry[]
  /** What became of the first ones; the rest is still to be done. */
  readonly results: AppendResult[]
  /** Entries whose stream and id were looked at since the batch began: they can be refused. */
  readonly looked: Set<Entry>
  /** Those of them that are stored already. */
  readonly found: Map<Entry, Receipt>
  /** Entries whose streams are reserved for other writers. */
  reserved: ReadonlySet<Entry>
  /** How many commits it has stored. */
  storedCount: number
  /** Up to where it has seen the log: of what lies behind, nothing that was looked at need be true any more. */
  head: number
}

/** Where the log ends, and streams as far as they are known. */
export interface Known {
  readonly end: End
  readonly sequenceOf: (key: string) => number | undefined
}

/** A commit and where it goes. */
export interface Placement {
  /** Its place in the batch. */
  readonly index: number
  readonly entry: Entry
  readonly header: CommitHeader
}

export interface Plan {
  readonly placements: readonly Placement[]
  /** What becomes of each commit that is left, if every placement holds. */
  readonly results: readonly AppendResult[]
  /** Entries that cannot be judged by what is known. If there are any, the plan is not to be carried out. */
  readonly unclear: readonly Entry[]
}

/** What a plan supposes as it goes along. */
interface Draft {
  end: End
  readonly sequences: Map<string, number>
  /** By stream and commit id: what this batch stores. */
  readonly stored: Map<string, Receipt>
  /** Streams by caller whose chain is broken. */
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

/** A strange stream that may be new is taken to be new: its first document collides if that is wrong. */
const supposed = ({ expected }: Commit): number | undefined => (isMet(expected, 0, false) ? 0 : undefined)

/** What the commits that are done leave to the rest. */
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
