/**
 * A store whose questions and answers come late: a test holds the next call of a method back, before it reaches the
 * store or after that, and lets it go on when something else has happened. So an order that is rare happens each time.
 */
import type { Store, StoreFactory } from '../../../src/store/store.ts'
import { type StoreMethod, storeMethods } from '../../../src/testing/faulty-store.ts'

type Method = Exclude<StoreMethod, 'open' | 'onAppend'>
type Where = 'question' | 'answer'

/** A call that is held back. */
interface Held {
  /** Resolves when the call is there. */
  readonly isThere: Promise<void>
  release(): void
}

interface HeldStore {
  readonly store: StoreFactory
  /** @param isMeant which calls of the method, by their arguments: any, if it is absent */
  hold(where: Where, method: Method, isMeant?: (...args: readonly any[]) => boolean): Held
}

export function heldStore(factory: StoreFactory): HeldStore {
  const holds = new Set<{
    readonly where: Where
    readonly method: Method
    readonly isMeant: (...args: readonly any[]) => boolean
    readonly there: () => void
    readonly gate: Promise<void>
  }>()
  const pass = async (where: Where, method: Method, args: readonly unknown[]) => {
    const hold = [...holds].find((each) => each.where === where && each.method === method && each.isMeant(...args))
    if (hold === undefined) return
    holds.delete(hold)
    hold.there()
    await hold.gate
  }
  const open: StoreFactory['open'] = async (options) => {
    const store = await factory.open(options)
    const isHeldUp = (name: string | symbol): name is Method =>
      (storeMethods as readonly (string | symbol)[]).includes(name)
    return new Proxy<Store>(store, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (!isHeldUp(name)) return value.bind(target)
        return async (...args: readonly unknown[]) => {
          await pass('question', name, args)
          const answer = await value.apply(target, args)
          await pass('answer', name, args)
          return answer
        }
      },
    })
  }
  return {
    store: { name: factory.name, open },
    hold: (where, method, isMeant = () => true) => {
      const there = Promise.withResolvers<void>()
      const gate = Promise.withResolvers<void>()
      holds.add({ where, method, isMeant, there: there.resolve, gate: gate.promise })
      return { isThere: there.promise, release: gate.resolve }
    },
  }
}
