/** A store whose hints go over a wire that a test can cut, repair, and ring. The store behind it is a real one. */
import type { OpenOptions, Store, StoreFactory } from '../../../src/store/store.ts'

export interface Wire {
  readonly store: StoreFactory
  /** How many listen at present. */
  readonly listeners: number
  /** Hints are lost from now on. */
  cut(): void
  /** They come through again. Those that were lost are not made up for. */
  mend(): void
  /** Hints at an append, whether there was one or not. */
  ring(): void
}

export function wired(factory: StoreFactory): Wire {
  const listening = new Set<() => void>()
  let isCut = false
  const onAppend = (store: Store) => (listener: () => void) => {
    const end = store.onAppend(() => {
      if (!isCut) listener()
    })
    listening.add(listener)
    return () => {
      listening.delete(listener)
      end()
    }
  }
  return {
    store: {
      name: factory.name,
      open: async (options: OpenOptions) => {
        const store = await factory.open(options)
        return new Proxy(store, {
          get(target, name) {
            if (name === 'onAppend') return onAppend(target)
            const value = Reflect.get(target, name)
            return typeof value === 'function' ? value.bind(target) : value
          },
        })
      },
    },
    get listeners() {
      return listening.size
    },
    cut: () => {
      isCut = true
    },
    mend: () => {
      isCut = false
    },
    ring: () => {
      for (const listener of listening) listener()
    },
  }
}
