/**
 * A store that fails on purpose. A call can fail before it has an effect, fail after its effect (the answer is lost),
 * or hang until a test lets it continue. A function decides this for each call, by its method and number. So a loop can
 * let the first call fail, then the second, and so on, until a run ends before its fault. The store inside is a real
 * one.
 */
import { StoreError } from '../domain/error.ts'
import type { OpenOptions, Store, StoreFactory } from '../store/store.ts'

/** A method of a store that can fail. */
export type StoreMethod = 'open' | Exclude<keyof Store, 'name' | 'limits' | 'singleWriter'>

/** The methods of a store that return promises. */
export const storeMethods: readonly Exclude<StoreMethod, 'open' | 'onAppend'>[] = [
  ...([
    'append',
    'readStream',
    'readAll',
    'findCommit',
    'streamEnds',
    'listStreams',
    'reserve',
    'head',
    'saveSnapshot',
    'loadSnapshot',
  ] as const),
  ...([
    'loadCheckpoint',
    'loadRows',
    'loadRowsWithCheckpoint',
    'listRows',
    'saveStep',
    'transact',
    'readSql',
    'resetProjection',
  ] as const),
  ...(['acquireLease', 'releaseLease', 'close'] as const),
]

/** A call that the store is about to get. */
export interface StoreCall {
  readonly method: StoreMethod
  /** The number of this call among those of this method: 1, 2, 3 ... over all stores that the factory opens. */
  readonly number: number
  /** The number of this call among all calls. */
  readonly total: number
  readonly args: readonly unknown[]
}

/**
 * What happens to a call:
 *
 * - `'before'`: it fails with `STORE_UNAVAILABLE`, and has no effect.
 * - `'after'`: it has its effect, and then fails with `STORE_UNAVAILABLE`.
 * - an error: it fails with that error, and has no effect.
 * - a promise: it hangs until the promise settles, and then continues, or fails with the reason of the rejection.
 *
 * For `onAppend`, each of them means that the listener is never called: its hints are lost.
 */
export type Fault = 'before' | 'after' | Error | Promise<unknown>

/**
 * Puts faults between a domain and its store.
 *
 *     const store = faultyStore(memory(), ({ method, number }) => (method === 'append' && number === 3 ? 'after' : undefined))
 *
 * @param faultOf is called before each call; `undefined` means no fault
 */
export function faultyStore(factory: StoreFactory, faultOf: (call: StoreCall) => Fault | undefined): StoreFactory {
  const numbers = new Map<StoreMethod, number>()
  let total = 0
  const ask = (method: StoreMethod, args: readonly unknown[]) => {
    const number = (numbers.get(method) ?? 0) + 1
    numbers.set(method, number)
    return faultOf({ method, number, total: ++total, args })
  }
  const call = async (method: StoreMethod, args: readonly unknown[], effect: () => Promise<unknown>) => {
    const fault = ask(method, args)
    if (fault === undefined) return effect()
    if (fault instanceof Error) throw fault
    if (fault === 'before') throw unavailable(factory.name, method)
    if (fault === 'after') {
      await effect()
      throw unavailable(factory.name, method)
    }
    await fault
    return effect()
  }
  return {
    name: factory.name,
    open: (options: OpenOptions) =>
      call('open', [options], async () => {
        const store = await factory.open(options)
        const { name, limits, singleWriter } = store
        const faulty: Record<string, unknown> = { name, limits, singleWriter }
        for (const method of storeMethods) {
          const inner = store[method]?.bind(store) as ((...args: readonly unknown[]) => Promise<unknown>) | undefined
          // A store without SQL has no `transact` and no `readSql`, so the faulty one has none either.
          if (inner !== undefined) {
            faulty[method] = (...args: readonly unknown[]) => call(method, args, () => inner(...args))
          }
        }
        faulty['onAppend'] = (listener: () => void) =>
          ask('onAppend', [listener]) === undefined ? store.onAppend(listener) : () => {}
        return Object.freeze(faulty)
      }) as Promise<Store>,
  }
}

function unavailable(store: string, method: StoreMethod): StoreError {
  return new StoreError('STORE_UNAVAILABLE', { store, doing: `${method} (a fault made for a test)` })
}
