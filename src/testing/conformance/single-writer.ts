/** A store with one writer refuses a second one. Only for stores that allow one writer. */
import assert from 'node:assert/strict'
import { type ConformanceGroup, grow, rejectsWith } from './kit.ts'

export const singleWriter: ConformanceGroup = {
  title: 'A place for one writer',
  cases: {
    'refuses to be opened a second time': async ({ place, stream }) => {
      await using own = await place()
      const store = await own.open()
      await rejectsWith(own.open(), 'STORE_LOCKED')
      assert.equal((await grow(store, stream(), 1)).position, 1)
    },
    'can be opened again after it is closed': async ({ place }) => {
      await using own = await place()
      const store = await own.open()
      await rejectsWith(own.open(), 'STORE_LOCKED')
      await store.close()
      await own.open()
    },
    'lets only one succeed if many open it at the same time': async ({ place }) => {
      await using own = await place()
      const settled = await Promise.allSettled([own.open(), own.open(), own.open()])
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
    },
  },
}
