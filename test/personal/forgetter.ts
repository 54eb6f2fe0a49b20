/**
 * The program that registers a customer and forgets it, and ends itself by `kill -9` at one of its writes: while it is
 * under way, or when it is done but not answered.
 */
import type { Store, StoreFactory } from '../../src/index.ts'
import { listen, say } from '../../src/testing/crash/told-program.ts'
import { storeAt } from '../support/crash/place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { ada, impatient, Shop } from '../support/personal/shop.ts'

/** Where it ends. */
export interface LethalWrite {
  /** 1 for the first write. */
  readonly write: number
  readonly when: 'during' | 'after'
  /** For a write under way: how long after its beginning. */
  readonly delayMs: number
}

const die = () => process.kill(process.pid, 'SIGKILL')

/** A store that ends the process at a write. */
function lethal(factory: StoreFactory, { write, when, delayMs }: LethalWrite): StoreFactory {
  let writes = 0
  const guarded = <Args extends readonly unknown[], Result>(effect: (...args: Args) => Promise<Result>) => {
    return async (...args: Args): Promise<Result> => {
      const isLast = ++writes === write
      if (isLast && when === 'during') setTimeout(die, delayMs)
      const result = await effect(...args)
      if (isLast) die()
      return result
    }
  }
  return {
    name: factory.name,
    async open(options) {
      const inner = await factory.open(options)
      const changes: Partial<Store> = {
        append: guarded(inner.append.bind(inner)),
        saveStep: guarded(inner.saveStep.bind(inner)),
      }
      return new Proxy(inner, {
        get(target, name) {
          const value = changes[name as keyof Store] ?? target[name as keyof Store]
          return typeof value === 'function' ? (value as Function).bind(target) : value
        },
      })
    },
  }
}

async function run(place: Place, at: LethalWrite): Promise<void> {
  const store = lethal(storeAt(place), at)
  const shop = await Shop.start({ store, environment: impatient(), projections: 'manual', log: { warn: () => {} } })
  await shop.customer('1').register(ada('1'), { commandId: 'register' })
  say('registered')
  await shop.forget('1')
  say('forgotten')
  await shop.stop()
  process.exit(0)
}

listen(({ place, at }: { readonly place: Place; readonly at: LethalWrite }) => void run(place, at))
