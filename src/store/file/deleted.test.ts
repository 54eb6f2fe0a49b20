/** Files that are deleted or replaced while a store has them open: the store acknowledges nothing more. */
import assert from 'node:assert/strict'
import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hasCode } from '../../domain/error.ts'
import { at } from '../../testing/checkpoint-at.ts'
import type { Store } from '../store.ts'
import { commitIds, commitTo, readLog, snapshotOf, stream, type TestPlace, testPlace } from './test-place.fixture.ts'

async function isHalted(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(hasCode(error, 'STORE_HALTED'), String(error))
    return true
  })
}

async function opened(place: TestPlace): Promise<Store> {
  const store = await place.open()
  await store.append([commitTo('x', 'a')])
  return store
}

const log = async (place: TestPlace) => (await place.segments()).at(-1)!

describe('A file store notices, and acknowledges nothing more,', () => {
  test('that its folder was deleted', async () => {
    await using place = await testPlace()
    const store = await opened(place)
    await rm(place.directory, { recursive: true })
    for (const id of ['b', 'c']) await isHalted(store.append([commitTo('x', id)]))
    await isHalted(store.saveStep('p', { from: at(0), to: at(1), rows: [] }))
    assert.equal(await store.head(), 1)
    await store.close()
  })

  test('that its folder was moved away, and a copy put in its place', async () => {
    await using place = await testPlace()
    await using away = await testPlace()
    const store = await opened(place)
    await cp(place.directory, `${place.directory}.copy`, {
      recursive: true,
      filter: (path) => !path.includes('.socket'),
    })
    await rename(place.directory, join(away.directory, 'moved'))
    await rename(`${place.directory}.copy`, place.directory)
    await isHalted(store.append([commitTo('x', 'b')]))
    await store.close()
  })

  test('that the last file of its log was deleted', async () => {
    await using place = await testPlace()
    const store = await opened(place)
    await rm(await log(place))
    await assert.rejects(store.append([commitTo('x', 'b')]), (error) => hasCode(error, 'STORE_UNAVAILABLE'))
    await isHalted(store.append([commitTo('x', 'c')]))
    assert.deepEqual(commitIds(await readLog(store)), ['a'])
    await store.close()
  })

  test('that the last file of its log was replaced by a copy', async () => {
    await using place = await testPlace()
    const store = await opened(place)
    const path = await log(place)
    await cp(path, `${path}.copy`)
    await rename(`${path}.copy`, path)
    await assert.rejects(store.append([commitTo('x', 'b')]), (error) => hasCode(error, 'STORE_UNAVAILABLE'))
    await store.close()
    const again = await place.open()
    assert.deepEqual(commitIds(await readLog(again)), ['a'])
  })

  test('that a journal was deleted', async () => {
    await using place = await testPlace()
    const store = await opened(place)
    for (const name of ['projections', 'snapshots', 'leases']) await rm(join(place.directory, `${name}.jsonl`))
    await isHalted(store.saveStep('p', { from: at(0), to: at(1), rows: [] }))
    await isHalted(store.saveSnapshot(snapshotOf(stream('x'), 1), { keep: 1 }))
    await isHalted(store.acquireLease('l', 'me', 1000))
    assert.deepEqual(await store.loadCheckpoint('p'), at(0))
    assert.equal((await store.append([commitTo('x', 'b')]))[0]?.status, 'stored')
  })
})
