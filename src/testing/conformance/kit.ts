/**
 * What every conformance case gets: a store that all cases share (opening one takes seconds on some stores), unique
 * names and streams, fresh places if needed, and a clock that only the case moves. Also the small functions that the
 * cases use. It knows only the port.
 */
import assert from 'node:assert/strict'
import { hasCode } from '../../domain/error.ts'
import type { ErrorCode } from '../../domain/error-catalogue.ts'
import { checkKeys } from '../../domain/options.ts'
import type { StreamId } from '../../domain/stream.ts'
import { type Commit, commit, type OfferedCommit, type OfferedEvent } from '../../store/commit.ts'
import type { Receipt, Store, StoredEvent, StoreFactory } from '../../store/store.ts'
import { beforeAskingAgain } from '../ask-again.ts'

/** A fresh, empty place for one store. Nothing else uses it. */
export interface StorePlace {
  /** Opens the place. The kit also closes it and opens it again, to see what was kept. */
  readonly factory: StoreFactory
  /** Removes the place when its cases are over, for instance deletes its file. All its stores are closed by then. */
  cleanUp?(): Promise<void>
}

/** Makes a fresh place: called once for the cases that share a store, and once by each case that needs its own. */
export type MakeStore = () => Promise<StorePlace>

/** What a store can do. Each is `true` by default, so a store says what it cannot do. */
export interface StoreCapabilities {
  /** A place still has everything after it is closed and opened again. */
  readonly survivesReopen?: boolean
  /** A place can be open several times at once. If not, opening it a second time fails with `STORE_LOCKED`. */
  readonly severalWriters?: boolean
  /**
   * Leases expire by the clock given to `open`. If not (a server has its own clock), the kit waits until they expire.
   */
  readonly injectedClock?: boolean
  /** It stores rows in a SQL database, and has `transact` and `readSql`. If not, it does not have these methods. */
  readonly transactions?: boolean
}

/** A clock for `open({ now })` that only a case moves. */
export interface ManualClock {
  readonly now: () => number
  advance(durationMs: number): void
}

/** A place for one case. At the end of the case, its stores are closed and it is removed. */
export interface OwnPlace extends AsyncDisposable {
  readonly factory: StoreFactory
  /** Opens it, also several times. */
  open(): Promise<Store>
}

/** What a case gets. */
export interface ConformanceKit {
  /** The store that all cases share. A case uses its own streams, and relative positions. */
  readonly store: Store
  readonly capabilities: Required<StoreCapabilities>
  readonly clock: ManualClock
  /** A name that no other case uses. */
  readonly name: (label?: string) => string
  /** A stream that no other case uses. */
  readonly stream: (aggregate?: string) => StreamId
  /** A place that no other case uses. */
  readonly place: () => Promise<OwnPlace>
}

/** A behaviour. Its sentence is the name of the test. It throws if the store behaves differently. */
export type ConformanceCase = (kit: ConformanceKit) => Promise<void>

/** Cases of one subject. */
export interface ConformanceGroup {
  readonly title: string
  /** Left out for stores without this capability. */
  readonly needs?: keyof StoreCapabilities
  readonly cases: Readonly<Record<string, ConformanceCase>>
}

/** A kit before its shared store is open. */
export interface ConformanceRig {
  readonly kit: ConformanceKit
  openShared(): Promise<void>
  closeShared(): Promise<void>
}

const everyCapability = { survivesReopen: true, severalWriters: true, injectedClock: true, transactions: true }

/** Prepares a kit for one store. */
export function createRig(makeStore: MakeStore, capabilities: StoreCapabilities): ConformanceRig {
  checkKeys('storeConformance(name, makeStore, capabilities)', capabilities, Object.keys(everyCapability))
  const clock = createClock()
  let names = 0
  let shared: { readonly place: OwnPlace; readonly store: Store } | undefined
  const name = (label = 'name') => `${label}-${++names}`
  const place = async () => ownPlace(await makeStore(), clock)
  const kit: ConformanceKit = {
    get store() {
      assert.ok(shared, 'the shared store is not open')
      return shared.store
    },
    capabilities: { ...everyCapability, ...capabilities },
    clock,
    name,
    stream: (aggregate = 'thing') => ({ aggregate, id: name('id') }),
    place,
  }
  return {
    kit,
    openShared: async () => {
      const own = await place()
      shared = { place: own, store: await own.open() }
    },
    closeShared: async () => shared?.place[Symbol.asyncDispose](),
  }
}

function createClock(): ManualClock {
  let present = Date.UTC(2026, 0, 1)
  return {
    now: () => present,
    advance: (durationMs) => {
      present += durationMs
    },
  }
}

function ownPlace({ factory, cleanUp }: StorePlace, { now }: ManualClock): OwnPlace {
  const opened: Store[] = []
  return {
    factory,
    open: async () => {
      const store = await factory.open({ now, warn: () => {} })
      opened.push(store)
      return store
    },
    [Symbol.asyncDispose]: async () => {
      for (const store of opened) await store.close()
      await cleanUp?.()
    },
  }
}

/** Events to offer: `Happened`, with their numbers as data. */
export const events = (count: number, type = 'Happened'): readonly OfferedEvent[] =>
  Array.from({ length: count }, (_, i) => ({ type, data: { n: i + 1 } }))

let commitIds = 0

/** A commit, by default of one `Happened`, with a unique id and no expectation. */
export const commitTo = (stream: StreamId, offered: Partial<OfferedCommit> = {}): Commit =>
  commit({ stream, expected: 'any', id: `commit-${++commitIds}`, recordedAt: 1000, events: events(1), ...offered })

/** An answer without the checksum, in which stores may differ. */
export function bare<Answer extends { readonly checksum?: number }>(
  answer: Answer | { readonly status: 'conflict' } | undefined,
): unknown {
  if (answer === undefined) return undefined
  const { checksum: _, ...rest } = answer as Answer
  return rest
}

/** Appends one commit, and expects that it is stored. */
export async function store1(store: Store, one: Commit): Promise<Receipt> {
  const [result] = await store.append([one])
  assert.equal(result?.status, 'stored')
  return result as Receipt
}

/** Appends `count` events in one commit. */
export const grow = (store: Store, stream: StreamId, count: number): Promise<Receipt> =>
  store1(store, commitTo(stream, { events: events(count) }))

export const everything: { readonly from: number; readonly to: number } = { from: 0, to: Number.POSITIVE_INFINITY }

/** All events of a stream. */
export const readWhole = (store: Store, stream: StreamId): Promise<readonly StoredEvent[]> =>
  store.readStream(stream, everything, { limit: Number.POSITIVE_INFINITY })

/** All events of the log after a position. */
export const readAfter = async (store: Store, position: number): Promise<readonly StoredEvent[]> =>
  (await store.readAll({ from: position + 1, to: Number.POSITIVE_INFINITY }, { limit: Number.POSITIVE_INFINITY }))
    .events

export const sequences = (read: readonly StoredEvent[]): readonly number[] => read.map(({ sequence }) => sequence)
export const positions = (read: readonly StoredEvent[]): readonly number[] => read.map(({ position }) => position)

/** `upTo(3)` is `[1, 2, 3]`, `upTo(5, 4)` is `[4, 5]`. */
export const upTo = (last: number, first = 1): readonly number[] =>
  Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => first + i)

/** Expects a promise to reject with an error of this code. */
export const rejectsWith = (promise: Promise<unknown>, code: ErrorCode): Promise<void> =>
  assert.rejects(promise, (error: unknown) => {
    assert.ok(hasCode(error, code), `expected an error with the code ${code}, got ${error}`)
    return true
  })

/**
 * Asks again and again until the answer is yes, and lets the event loop run in between. The timeout of the case ends
 * it.
 */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let times = 0; !(await isSo()); times++) await beforeAskingAgain(times)
}
