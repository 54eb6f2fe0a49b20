/**
 * Generations of rows: builds that begin, finish and are given up, by one process and by two that know different
 * things.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heldStore } from '../../../test/support/stores/held-store.ts'
import { systemEnvironment } from '../../application/system-environment.ts'
import { memory } from '../../index.ts'
import { Breath } from '../../runtime/breath.ts'
import type { Store } from '../../store/store.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { Generations, retiredAt } from './generations.ts'

const breath = new Breath(systemEnvironment)
const open = () => memory().open({ now: () => 0, warn: () => {} })
const of = (store: Store, revision = 1) => new Generations('p', revision, store)

/** A store whose next answer of a method can be held back, and the same place without delays. */
async function slow() {
  const place = memory()
  const { store, hold } = heldStore(place)
  const options = { now: () => 0, warn: () => {} }
  const [late, other] = await Promise.all([store.open(options), place.open(options)])
  return {
    store: late,
    other,
    holdNext: (method: 'loadCheckpoint' | 'loadRows' | 'saveStep') => hold('answer', method),
  }
}

test('at first the rows under the name of the projection are live, with the first revision', async () => {
  const generations = of(await open(), 2)
  await generations.load()
  assert.deepEqual(generations.live, { storage: 'p', revision: 1 })
  assert.deepEqual([generations.isBehind, generations.hasLeftovers], [true, false])
})

test('a finished build is live for every process that reads the record', async () => {
  const store = await open()
  const [one, two] = [of(store, 2), of(store, 2)]
  await two.load()
  const built = await one.begin('x', false)
  assert.deepEqual([one.live.storage, one.hasLeftovers, one.isBuilding(built)], ['p', true, true])
  await one.finish(built)
  assert.deepEqual([one.live, one.isBehind], [built, false])
  assert.equal(two.live.storage, 'p')
  await two.load()
  assert.deepEqual(two.live, built)
})

test('the rows that were live before are deleted, and nothing can be written there any more', async () => {
  const store = await open()
  const rows = Array.from({ length: 2500 }, (_, i) => ({ key: `k${i}`, value: i }))
  await store.saveStep('p', { from: at(0), to: at(9), rows })
  const generations = of(store)
  await generations.finish(await generations.begin('x', false))
  await generations.tidy(breath)
  assert.deepEqual((await store.listRows('p', { limit: 10 })).rows, [])
  assert.equal((await store.loadCheckpoint('p')).position, retiredAt)
  const late = store.saveStep('p', { from: at(9), to: at(10), rows: [] })
  await assert.rejects(late, { code: 'CHECKPOINT_CONFLICT' })
  assert.equal(generations.hasLeftovers, false)
})

test('an unfinished build is continued if that is allowed and it is of the same revision; otherwise it is given up', async () => {
  const store = await open()
  const [one, two, three] = [of(store, 2), of(store, 2), of(store, 3)]
  const first = await one.begin('x', true)
  assert.deepEqual(await two.begin('y', true), first)
  const second = await two.begin('z', false)
  assert.notEqual(second.storage, first.storage)
  assert.equal((await three.begin('w', true)).revision, 3)
})

test('of two processes that build, only the last that began can finish', async () => {
  const store = await open()
  const [one, two] = [of(store), of(store)]
  const first = await one.begin('x', false)
  const second = await two.begin('y', false)
  await assert.rejects(one.finish(first), { code: 'CHECKPOINT_CONFLICT' })
  // It now knows of the other build, and must not take it for its own.
  assert.deepEqual([one.isBuilding(first), one.isBuilding(second)], [false, true])
  await assert.rejects(one.finish(first), { code: 'REBUILD_RUNNING' })
  await two.finish(second)
  await one.load()
  assert.deepEqual(one.live, second)
})

test('the rows of a build that is given up are deleted', async () => {
  const store = await open()
  const generations = of(store)
  const { storage } = await generations.begin('x', false)
  await store.saveStep(storage, { from: at(0), to: at(3), rows: [{ key: 'a', value: 1 }] })
  await generations.abandon()
  await generations.tidy(breath)
  assert.deepEqual([(await store.listRows(storage, { limit: 1 })).rows, generations.live.storage], [[], 'p'])
  assert.equal(generations.hasLeftovers, false)
})

test('a program with an older revision is refused', async () => {
  const store = await open()
  const newer = of(store, 3)
  await newer.finish(await newer.begin('x', false))
  await assert.rejects(of(store, 2).load(), (error) => {
    const { code, facts } = error as { readonly code: string; readonly facts: unknown }
    assert.deepEqual(facts, { projection: 'p', revision: 2, live: 3 })
    return code === 'PROJECTION_OUTDATED'
  })
})

test('a reader whose answer comes late does not keep a build of its process from finishing', async () => {
  const { store, holdNext } = await slow()
  const generations = of(store)
  const gate = holdNext('loadCheckpoint')
  const reading = generations.load()
  const built = await generations.begin('x', false)
  gate.release()
  await reading
  assert.ok(generations.isBuilding(built))
  await generations.finish(built)
  assert.deepEqual(generations.live, built)
})

test('an answer that comes late brings no rows back that were live before', async () => {
  const { store, other, holdNext } = await slow()
  const [one, elsewhere] = [of(store), of(other)]
  await elsewhere.finish(await elsewhere.begin('x', false))
  const gate = holdNext('loadRows')
  const reading = one.load()
  // The answer that is held back is about the rows before these.
  await gate.isThere
  const built = await elsewhere.begin('y', false)
  await elsewhere.finish(built)
  await one.load()
  assert.deepEqual(one.live, built)
  gate.release()
  await reading
  assert.deepEqual(one.live, built)
})

test('a change whose answer comes late hides no change of another process', async () => {
  const { store, other, holdNext } = await slow()
  const [one, elsewhere] = [of(store), of(other)]
  await one.load()
  const gate = holdNext('saveStep')
  const beginning = one.begin('x', false)
  await gate.isThere
  const built = await elsewhere.begin('y', false)
  await elsewhere.finish(built)
  await one.load()
  gate.release()
  await beginning
  assert.deepEqual(one.live, built)
})

test('rows that are retired while others are being deleted are not forgotten', async () => {
  const { store, other, holdNext } = await slow()
  const [one, elsewhere] = [of(store), of(other)]
  const first = await one.begin('x', false)
  await one.finish(first)
  const gate = holdNext('loadCheckpoint')
  const tidying = one.tidy(breath)
  await elsewhere.finish(await elsewhere.begin('y', false))
  await one.load()
  gate.release()
  await tidying
  assert.equal(one.hasLeftovers, true)
  await one.tidy(breath)
  assert.equal((await other.loadCheckpoint(first.storage)).position, retiredAt)
  assert.equal(one.hasLeftovers, false)
})
