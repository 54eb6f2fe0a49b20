/** What a measurement is given, and how it opens a store that can be watched. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { memory, type Store, type StoreFactory } from '../src/index.ts'
import { file } from '../src/store/file/index.ts'
import { sqlite } from '../src/store/sqlite/index.ts'
import type { StoreName } from './figure.ts'

/** Where and how long to measure. */
export interface Setting {
  readonly store: StoreName
  /** A folder that lasts as long as the whole benchmark. */
  readonly directory: string
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
export interface Place {
  readonly name: StoreName
  /** The file store's directory, the SQLite store's file; memory has none. */
  readonly path: string
  readonly factory: StoreFactory
  /** The store that was opened last. */
  readonly opened: () => Store
  /** The batches stored since `mark`, in order. */
  readonly batches: readonly Batch[]
  /** The commits stored before `mark`. */
  readonly commitsBefore: () => number
  /** Forgets what was watched: the measured part begins. */
  readonly mark: () => Promise<void>
  /** Deletes everything. */
  readonly remove: () => void
}

let places = 0

/** A new place. With a name it may hold what an earlier measurement put there. */
export function makePlace({ store, directory }: Setting, name = `${process.pid}-${places++}`): Place {
  const folder = join(directory, `${store}-${name}`)
  mkdirSync(folder, { recursive: true })
  const path = join(folder, store === 'sqlite' ? 'log.db' : 'log')
  const batches: Batch[] = []
  let commitsBefore = 0
  let opened: Store | undefined
  const inner = factoryOf(store, path)
  const watch = (batch: Batch) => batches.push(batch)
  return {
    name: store,
    path,
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
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Opens a store by itself, without a domain. */
export function openStore(place: Place): Promise<Store> {
  return place.factory.open({ warn: ({ message }) => process.stderr.write(`${message}\n`), now: Date.now })
}

function factoryOf(name: StoreName, path: string): StoreFactory {
  if (name === 'memory') return memory()
  return name === 'file' ? file(path) : sqlite(path)
}

/**
 * Notes the batches of a store. A durable store answers all commits of one sync in one turn of the event loop, and those of
 * the next sync in a later one; the store in memory has no syncs, so there each call counts.
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
