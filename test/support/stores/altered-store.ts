/** Stores that break a promise on purpose, to see that the conformance kit finds it. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import type { Store, StoreFactory } from '../../../src/store/store.ts'
import { type ConformanceCase, createRig, type StorePlace } from '../../../src/testing/conformance/kit.ts'
import { groups } from '../../../src/testing/conformance/store-conformance.ts'
import { noTransactions } from '../../../src/testing/conformance/transactions.ts'

/** Replaces some methods of a store. */
export type Alter = (store: Store) => Partial<Store>

/** A store with some methods replaced. */
export const altered = (alter: Alter, inner: StoreFactory): StoreFactory => {
  return {
    name: 'altered',
    open: async (options) => {
      const store = await inner.open(options)
      const changed: Partial<Store> = alter(store)
      return new Proxy(store, {
        get: (target, key) => {
          if (key in changed) return changed[key as keyof Store]
          const value = target[key as keyof Store]
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}

const find = (sentence: string): ConformanceCase => {
  const found = [...groups, noTransactions]
    .flatMap(({ cases }) => Object.entries(cases))
    .find(([name]) => name === sentence)
  assert.ok(found, `there is no case "${sentence}"`)
  return found[1]
}

/** Runs one case on its own store. */
async function run(sentence: string, place: StorePlace): Promise<void> {
  const { kit, openShared, closeShared } = createRig(async () => place, {})
  await openShared()
  try {
    await find(sentence)(kit)
  } finally {
    await closeShared()
  }
}

/** Runs one case of the kit, which must fail. That it passes on the store as it is, the store's own tests show. */
export async function expectFound(sentence: string, alter: Alter, makeInner: () => Promise<StorePlace>): Promise<void> {
  const { factory, cleanUp } = await makeInner()
  await assert.rejects(run(sentence, { factory: altered(alter, factory) }), assert.AssertionError)
  await cleanUp?.()
}

/** SQLite, for what needs transactions. */
export async function sqlitePlace(): Promise<StorePlace> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-kit-'))
  return { factory: sqlite(join(directory, 'log.db')), cleanUp: () => rm(directory, { recursive: true }) }
}
