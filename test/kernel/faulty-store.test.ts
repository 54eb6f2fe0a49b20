/** The store that fails on purpose. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commit, hasCode, memory } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { type Fault, faultyStore, type StoreCall } from '../../src/testing/faulty-store.ts'
import { stands } from '../support/kernel/rig.ts'

const opening = { now: () => 0, warn: () => {} }
const open = (factory: StoreFactory) => factory.open(opening)
const events = [{ type: 'Happened', data: {} }]
const commits = (id: string) => [
  commit({ stream: { aggregate: 'a', id: 'a' }, expected: 'any', id, recordedAt: 0, events }),
]
const onAppend = (fault: Fault) => faultyStore(memory(), ({ method }) => (method === 'append' ? fault : undefined))

describe('A faulty store', () => {
  test('behaves like the store inside if there is no fault', async () => {
    const store = await open(faultyStore(memory(), () => undefined))
    const [stored] = await store.append(commits('1'))
    const { checksum } = (await store.readAll({ from: 1, to: 2 })).events[0]!
    assert.deepEqual(stored, { status: 'stored', sequence: 1, position: 1, count: 1, checksum })
    assert.deepEqual([store.name, store.limits, await store.head()], ['memory', store.limits, 1])
  })

  test('fails a call before its effect', async () => {
    const store = await open(onAppend('before'))
    await assert.rejects(store.append(commits('1')), (error) => hasCode(error, 'STORE_UNAVAILABLE'))
    assert.equal(await store.head(), 0)
  })

  test('fails a call after its effect', async () => {
    const store = await open(onAppend('after'))
    await assert.rejects(store.append(commits('1')), (error) => hasCode(error, 'STORE_UNAVAILABLE'))
    assert.equal(await store.head(), 1)
  })

  test('fails a call with a given error', async () => {
    const store = await open(onAppend(new RangeError('mine')))
    await assert.rejects(store.append(commits('1')), RangeError)
    assert.equal(await store.head(), 0)
  })

  test('lets a call hang until it is released', async () => {
    const gate = Promise.withResolvers<void>()
    const store = await open(onAppend(gate.promise))
    const append = store.append(commits('1'))
    assert.equal(await stands(append), 'pending')
    assert.equal(await store.head(), 0)
    gate.resolve()
    await append
    assert.equal(await store.head(), 1)
  })

  test('numbers the calls of each method and all calls, over every opening', async () => {
    const calls: StoreCall[] = []
    const factory = faultyStore(memory(), (call) => {
      calls.push(call)
      return undefined
    })
    for (let i = 0; i < 2; i++) {
      const store = await open(factory)
      await store.head()
      await store.close()
    }
    assert.deepEqual(
      calls.map(({ method, number, total }) => [method, number, total]),
      [
        ['open', 1, 1],
        ['head', 1, 2],
        ['close', 1, 3],
        ['open', 2, 4],
        ['head', 2, 5],
        ['close', 2, 6],
      ],
    )
  })

  test('loses the hints of a listener whose call has a fault', async () => {
    const store = await open(faultyStore(memory(), ({ method }) => (method === 'onAppend' ? 'before' : undefined)))
    let hints = 0
    const end = store.onAppend(() => hints++)
    await store.append(commits('1'))
    end()
    assert.equal(hints, 0)
  })
})
