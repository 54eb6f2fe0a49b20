/** What a measurement is given, and how it opens a store that can be watched. */
import { setImmediate } from 'node:timers/promises'
import type { Store } from '../src/index.ts'
import type { StoreName } from './figure.ts'
import { type Location, locate } from './location.ts'

/** Where and how long to measure. */
export interface Setting {
  readonly store: StoreName
  /** A folder that lasts as long as the whole benchmark. */
  readonly directory: string
  /** Where the server is, if the store has one. */
  readonly url?: string
  /** How long a round goes on. */
  readonly roundMs: number
  /** Operations in a round, where they are to be counted instead of timed: what is compared then does the same work. */
  readonly operations?: number
  /** Rounds that count; one more goes before them to warm up. */
  readonly rounds: number
  /** What sizes are multiplied by; below 1 in a quick run. */
  readonly scale: number
}

/** Commits that became durable together, and their events. */
export interface Batch {
  readonly commits: number
  readonly events: number
}

/** A place for one store: it can be opened several times, and is watched. */
export interface Place extends Location {
  readonly name: StoreName
  /** The store that was opened last. */
  readonly opened: () => Store
  /** The batches stored since `mark`, in order. */
  readonly batches: readonly Batch[]
  /** The commits stored before `mark`. */
  readonly commitsBefore: () => number
  /** Forgets what was watched: the measured part begins. */
  readonly mark: () => Promise<void>
}

let places = 0

/** A new place. With a name it may hold what an earlier measurement put there. */
export function makePlace(setting: Setting, name = `${process.pid}-${places++}`): Place {
  const { store } = setting
  const location = locate(setting, name)
  const batches: Batch[] = []
  let commitsBefore = 0
  let opened: Store | undefined
  const inner = location.factory
  const watch = (batch: Batch) => batches.push(batch)
  return {
    ...location,
    name: store,
    factory: {
      name: inner.name,
      open: async (options) => {
        opened = watched(await inner.open(options), store === 'memory', watch)
        return opened
      },
    },
    opened: () => opened!,
    batches,
    commitsBefore: () => commitsBefore,
    mark: async () => {
      await setImmediate()
      for (const { commits } of batches) commitsBefore += commits
      batches.length = 0
    },
  }
}

/** Opens a store by itself, without a domain. */
export function openStore(place: Place): Promise<Store> {
  return place.factory.open({ warn: ({ message }) => process.stderr.write(`${message}\n`), now: Date.now })
}

/**
 * Notes the batches of a store. A durable store answers all commits of one sync in one turn of the event loop, and
 * those of the next sync in a later one; the store in memory has no syncs, so there each call counts.
 */
function watched(store: Store, isEachCall: boolean, watch: (batch: Batch) => void): Store {
  const append = store.append.bind(store)
  let commits = 0
  let events = 0
  const flush = () => {
    watch({ commits, events })
    commits = 0
    events = 0
  }
  store.append = (offered) => {
    const results = append(offered)
    results.then(
      (all) => {
        if (commits === 0 && !isEachCall) void setImmediate().then(flush)
        for (const result of all) {
          if (result.status !== 'stored') continue
          commits++
          events += result.count
        }
        if (isEachCall) flush()
      },
      () => {},
    )
    return results
  }
  return store
}
