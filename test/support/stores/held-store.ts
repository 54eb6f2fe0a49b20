/**
 * A store whose questions and answers come late: a test holds the next call of a method back, before it reaches the
 * store or after that, and lets it go on when something else has happened. So an order that is rare happens each time.
 */
import { StoreError } from '../../../src/domain/error.ts'
import type { Store, StoreFactory } from '../../../src/store/store.ts'
import { type StoreMethod, storeMethods } from '../../../src/testing/faulty-store.ts'

type Method = Exclude<StoreMethod, 'open' | 'onAppend'>
/** Which calls of a method are meant, by their arguments: the next one, if it is absent. */
type IsMeant = (...args: readonly any[]) => boolean

/** A call that is held back. */
interface Held {
  /** Resolves when the call is there. */
  readonly isThere: Promise<void>
  release(): void
}

/** A call that has failed for its caller. */
interface Lost {
  /** Lets the store get it now. Settles as the call does. */
  deliver(): Promise<unknown>
}

interface HeldStore {
  readonly store: StoreFactory
  hold(where: 'question' | 'answer', method: Method, isMeant?: IsMeant): Held
  /** The next call fails with `STORE_UNAVAILABLE`, and reaches the store when it is delivered. */
  lose(method: Method, isMeant?: IsMeant): Lost
}

type Call = () => Promise<unknown>

export function heldStore(factory: StoreFactory): HeldStore {
  const plans = new Set<{ method: Method; isMeant: IsMeant; run: (call: Call) => Promise<unknown> }>()
  const calling = (method: Method, args: readonly unknown[], call: Call): Promise<unknown> => {
    const plan = [...plans].find((each) => each.method === method && each.isMeant(...args))
    if (plan === undefined) return call()
    plans.delete(plan)
    return plan.run(call)
  }
  const isMethod = (name: string | symbol): name is Method =>
    (storeMethods as readonly (string | symbol)[]).includes(name)
  const open: StoreFactory['open'] = async (options) =>
    new Proxy<Store>(await factory.open(options), {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (!isMethod(name)) return value.bind(target)
        return async (...args: readonly unknown[]) => calling(name, args, async () => value.apply(target, args))
      },
    })
  return {
    store: { name: factory.name, open },
    hold: (where, method, isMeant = () => true) => {
      const there = Promise.withResolvers<void>()
      const gate = Promise.withResolvers<void>()
      const wait = () => {
        there.resolve()
        return gate.promise
      }
      const run = async (call: Call) => {
        if (where === 'question') await wait()
        const answer = await call()
        if (where === 'answer') await wait()
        return answer
      }
      plans.add({ method, isMeant, run })
      return { isThere: there.promise, release: gate.resolve }
    },
    lose: (method, isMeant = () => true) => {
      let lost: Call | undefined
      const run = async (call: Call) => {
        lost = call
        throw new StoreError('STORE_UNAVAILABLE', { store: factory.name, doing: `${method} (lost by a test)` })
      }
      plans.add({ method, isMeant, run })
      return { deliver: async () => lost!() }
    },
  }
}
