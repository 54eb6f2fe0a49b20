/** What a store with one writer does about a second one. Runs only where a store says that it has one writer. */
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
    'can be opened again once it is closed': async ({ place }) => {
      await using own = await place()
      const store = await own.open()
      await rejectsWith(own.open(), 'STORE_LOCKED')
      await store.close()
      await own.open()
    },
    'lets only one of many in that open it at once': async ({ place }) => {
      await using own = await place()
      const settled = await Promise.allSettled([own.open(), own.open(), own.open()])
      assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
    },
  },
}
