/**
 * A store whose log can be changed for another one while it is open, as when an older copy of it is put in its place:
 * what stands beside the log (rows, checkpoints, leases) is of one store, the log of another, and both are real.
 */
import type { OpenOptions, Store, StoreFactory } from '../../../src/store/store.ts'

export interface Spliced {
  readonly store: StoreFactory
  /** From now on everybody has this log. */
  replaceLog(factory: StoreFactory): Promise<void>
  /** From now on everybody has what stands beside this log. */
  replaceRest(factory: StoreFactory): Promise<void>
  close(): Promise<void>
}

const ofLog: ReadonlySet<string | symbol> = new Set([
  ...['append', 'readStream', 'readAll', 'findCommit', 'streamEnds', 'listStreams', 'reserve', 'head'],
  ...['saveSnapshot', 'loadSnapshot'],
])

const quiet: OpenOptions = { now: () => Date.now(), warn: () => {} }

/** A log, and what stands beside it, which is of the same store until one of them is replaced. */
export async function spliced(factory: StoreFactory): Promise<Spliced> {
  const first = await factory.open(quiet)
  const opened = new Set([first])
  const listeners = new Set<() => void>()
  let [log, rest] = [first, first]
  const open = async (other: StoreFactory) => {
    const store = await other.open(quiet)
    opened.add(store)
    return store
  }
  const onAppend = (listener: () => void) => {
    listeners.add(listener)
    const end = log.onAppend(listener)
    return () => {
      listeners.delete(listener)
      end()
    }
  }
  return {
    store: {
      name: factory.name,
      open: async () =>
        new Proxy(first, {
          get(_, name) {
            if (name === 'close') return async () => {}
            if (name === 'onAppend') return onAppend
            const target = ofLog.has(name) ? log : rest
            const value = Reflect.get(target, name)
            return typeof value === 'function' ? value.bind(target) : value
          },
        }) as Store,
    },
    replaceLog: async (other) => {
      log = await open(other)
    },
    replaceRest: async (other) => {
      rest = await open(other)
    },
    close: async () => {
      for (const store of opened) await store.close()
    },
  }
}
