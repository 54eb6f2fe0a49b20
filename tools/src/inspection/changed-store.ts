/** An open store, some of whose methods are others. */
import type { Store } from '../../../src/index.ts'

/** The store with some methods replaced. All others are the store's own. */
export function changedStore(store: Store, methods: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const found: unknown = Object.hasOwn(methods, name) ? Reflect.get(methods, name) : Reflect.get(target, name)
      // Not bound to the proxy: the store's private fields are not there.
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
}
