/**
 * Transactions of a store that fails on purpose: they are there where the store inside has them, and fail as other
 * calls do.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { memory } from '../store/memory/memory.ts'
import { sqlite } from '../store/sqlite/index.ts'
import type { Store } from '../store/store.ts'
import { at } from './checkpoint-at.ts'
import { type Fault, faultyStore, type StoreCall } from './faulty-store.ts'

const opening = { now: () => 0, warn: () => {} }

async function open(
  context: TestContext,
  fault: () => Fault | undefined,
): Promise<{ store: Store; calls: StoreCall[] }> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-faulty-'))
  const calls: StoreCall[] = []
  const factory = faultyStore(sqlite(join(directory, 'log.db')), (call) => {
    calls.push(call)
    return call.method === 'transact' ? fault() : undefined
  })
  const store = await factory.open(opening)
  context.after(async () => {
    await store.close()
    await rm(directory, { recursive: true })
  })
  return { store, calls }
}

const step = async () => ({ to: at(1), rows: [{ key: 'k', value: 1 }] })

test('a store without SQL has no transactions, faulty or not', async () => {
  const store = await faultyStore(memory(), () => undefined).open(opening)
  assert.equal(store.transact, undefined)
  assert.equal('transact' in store, false)
})

test('a transaction without a fault passes, and is numbered', async (context) => {
  const { store, calls } = await open(context, () => undefined)
  await store.transact!('p', at(0), step)
  assert.equal((await store.loadCheckpoint('p')).position, 1)
  const call = calls.find(({ method }) => method === 'transact')
  assert.deepEqual([call?.number, call?.args], [1, ['p', at(0), step]])
})

test('a transaction fails before its effect, after it, or with an error that is given', async (context) => {
  let fault: Fault | undefined = 'before'
  const { store } = await open(context, () => fault)
  await assert.rejects(store.transact!('p', at(0), step), { code: 'STORE_UNAVAILABLE' })
  fault = new RangeError('mine')
  await assert.rejects(store.transact!('p', at(0), step), RangeError)
  assert.equal((await store.loadCheckpoint('p')).position, 0)
  fault = 'after'
  await assert.rejects(store.transact!('p', at(0), step), { code: 'STORE_UNAVAILABLE' })
  assert.equal((await store.loadCheckpoint('p')).position, 1)
  const gate = Promise.withResolvers<void>()
  fault = gate.promise
  const hanging = store.transact!('p', at(1), async () => ({ to: at(2), rows: [] }))
  assert.equal((await store.loadCheckpoint('p')).position, 1)
  gate.resolve()
  await hanging
  assert.equal((await store.loadCheckpoint('p')).position, 2)
})
