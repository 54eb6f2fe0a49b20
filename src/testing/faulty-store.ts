/**
 * A store that fails on purpose: any call can fail before it has an effect, fail after it had its effect (the answer is
 * lost on the way), or hang until a test lets it go. Which call does is asked for each, with its method and number, so
 * a loop can let the first fail, then the second, and so on until a run passes without meeting its fault. The store
 * inside is a real one; nothing is imitated.
 */
import { StoreError } from '../domain/error.ts'
import type { OpenOptions, Store, StoreFactory } from '../store/store.ts'

/** A method of a store that can fail. */
export type StoreMethod = 'open' | Exclude<keyof Store, 'name' | 'limits' | 'singleWriter'>

const methods: readonly Exclude<StoreMethod, 'open' | 'onAppend'>[] = [
  ...([
    'append',
    'readStream',
    'readAll',
    'findCommit',
    'streamEnds',
    'reserve',
    'head',
    'saveSnapshot',
    'loadSnapshot',
  ] as const),
  ...(['loadCheckpoint', 'loadRows', 'listRows', 'saveStep', 'transact', 'resetProjection'] as const),
  ...(['acquireLease', 'releaseLease', 'close'] as const),
]

/** A call that a store is about to get. */
export interface StoreCall {
  readonly method: StoreMethod
  /** Which call of this method it is: 1, 2, 3 ... counted over all openings of the factory. */
  readonly number: number
  /** Which call of any method it is. */
  readonly total: number
  readonly args: readonly unknown[]
}

/**
 * What befalls a call:
 *
 * - `'before'`: it fails with `STORE_UNAVAILABLE` and has no effect
 * - `'after'`: it has its effect, then fails with `STORE_UNAVAILABLE`
 * - an error: it fails with that one and has no effect
 * - a promise: it hangs until the promise settles, then goes on (or fails with what the promise is rejected with)
 *
 * For `onAppend` any of them means that the listener is never called: its hints are lost.
 */
export type Fault = 'before' | 'after' | Error | Promise<unknown>

/**
 * Puts faults between a domain and its store.
 *
 *     const store = faultyStore(memory(), ({ method, number }) => (method === 'append' && number === 3 ? 'after' : undefined))
 *
 * @param faultOf is asked before each call; `undefined` lets it be
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
        for (const method of methods) {
          const inner = store[method]?.bind(store) as ((...args: readonly unknown[]) => Promise<unknown>) | undefined
          // A store that has no SQL has no `transact`, and is no other for being faulty.
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
