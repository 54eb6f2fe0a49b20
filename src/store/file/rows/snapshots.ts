/**
 * The snapshots of a file store: in memory as JSON, with a journal on disk. Memory therefore limits their number. If
 * states are large and streams are many, keep snapshots in another store (`start({ events, snapshots })`).
 */
import { type Json, toJson } from '../../../domain/json.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { Breath, type EventLoop } from '../../../runtime/breath.ts'
import { checkSnapshot } from '../../arguments.ts'
import type { Snapshot } from '../../store.ts'
import { GrowingMap } from './growing-map.ts'
import type { Change, JournalContents } from './journal.ts'

/** A line of the journal. */
interface SnapshotChange {
  readonly aggregate: string
  readonly id: string
  readonly sequence: number
  readonly stateRevision: number
  readonly checksum: number
  readonly fingerprint: string
  readonly takenAt: number
  /** Whether the log beside it had that sequence then. */
  readonly local: boolean
  readonly keep: number
  readonly state: unknown
}

interface Kept {
  readonly sequence: number
  readonly local: boolean
  readonly keep: number
  readonly json: string
}

export class Snapshots implements JournalContents {
  /** The snapshots by aggregate and id, oldest first. */
  readonly #kept = new Map<string, GrowingMap<readonly Kept[]>>()
  readonly #loop: EventLoop
  #size = 0

  constructor(loop: EventLoop) {
    this.#loop = loop
  }

  readonly remedy = undefined

  get size(): number {
    return this.#size
  }

  *changes(): Iterable<string> {
    for (const streams of this.#kept.values()) for (const [, kept] of streams.entries()) yield* linesOf(kept)
  }

  /** @throws InputError, DefinitionError, TypeError for a line that is not a change */
  replay(change: unknown): void {
    const { aggregate, id, local, keep, ...snapshot } = change as SnapshotChange
    checkSnapshot({ ...snapshot, stream: { aggregate, id }, state: snapshot.state as Json }, { keep })
    const { sequence } = snapshot
    const kept = this.#with({ aggregate, id }, { sequence, local, keep, json: JSON.stringify(change) })
    if (kept !== undefined) this.#put({ aggregate, id }, kept)
  }

  /** @param local whether the log beside it has the snapshot's sequence */
  save(snapshot: Snapshot, keep: number, local: boolean): Change<void> {
    const { stream, sequence, stateRevision, checksum, fingerprint, takenAt } = snapshot
    const state = toJson('The state', snapshot.state)
    const change: SnapshotChange = {
      aggregate: stream.aggregate,
      id: stream.id,
      sequence,
      stateRevision,
      checksum,
      fingerprint,
      takenAt,
      local,
      keep,
      state,
    }
    const json = JSON.stringify(change)
    const kept = this.#with(stream, { sequence, local, keep, json })
    return kept === undefined ? { apply: () => undefined } : { json, apply: () => this.#put(stream, kept) }
  }

  load(stream: StreamId, atOrBefore: number): Snapshot | undefined {
    const found = this.#of(stream).findLast(({ sequence }) => sequence <= atOrBefore)
    if (found === undefined) return undefined
    const { aggregate, id, sequence, stateRevision, checksum, fingerprint, takenAt, state } = JSON.parse(found.json)
    return { stream: { aggregate, id }, sequence, stateRevision, checksum, fingerprint, state, takenAt }
  }

  /** Drops the snapshots of events that the log beside it has lost. Returns how many. */
  async dropLost(lastSequence: (stream: StreamId) => number): Promise<number> {
    const breath = new Breath(this.#loop)
    let count = 0
    for (const [aggregate, streams] of this.#kept) {
      for (const [id, kept] of streams.entries()) {
        const last = lastSequence({ aggregate, id })
        const left = kept.filter(({ sequence, local }) => !local || sequence <= last)
        count += kept.length - left.length
        if (left.length < kept.length) this.#put({ aggregate, id }, left)
        if (breath.isDue) await breath.pause()
      }
    }
    return count
  }

  #of({ aggregate, id }: StreamId): readonly Kept[] {
    return this.#kept.get(aggregate)?.get(id) ?? none
  }

  /** The snapshots of a stream after one more is added, or `undefined` if that changes nothing. */
  #with(stream: StreamId, snapshot: Kept): readonly Kept[] | undefined {
    const present = this.#of(stream)
    const others = present.filter(({ sequence }) => sequence !== snapshot.sequence)
    const kept = [...others, snapshot].sort((a, b) => a.sequence - b.sequence).slice(-snapshot.keep)
    return kept.includes(snapshot) || kept.length < present.length ? kept : undefined
  }

  #put({ aggregate, id }: StreamId, kept: readonly Kept[]): void {
    const streams = this.#kept.get(aggregate) ?? new GrowingMap<readonly Kept[]>()
    this.#kept.set(aggregate, streams)
    this.#size += sizeOf(kept) - sizeOf(streams.get(id) ?? none)
    if (kept.length === 0) streams.delete(id)
    else streams.set(id, kept)
  }
}

/** The lines that make these snapshots again. No line may drop what another one brings. */
function* linesOf(kept: readonly Kept[]): Iterable<string> {
  for (const { keep, json } of kept) {
    yield keep >= kept.length ? json : JSON.stringify({ ...JSON.parse(json), keep: kept.length })
  }
}

const none: readonly Kept[] = Object.freeze([])
/** The size of a line's checksum, space and line feed. */
const lineOverhead = 10
const sizeOf = (kept: readonly Kept[]): number => kept.reduce((sum, { json }) => sum + json.length + lineOverhead, 0)
