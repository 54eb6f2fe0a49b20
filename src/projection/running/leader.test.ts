/** When a process that has the lease takes the checkpoint over, and when it goes on. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { watched } from '../../../test/support/kernel/rig.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { Leader } from './leader.ts'

const durationMs = 1000

/** A leader that has taken over, with the term that its store would have. */
async function leading() {
  const [watch, environment] = [watched(), manualEnvironment()]
  const store = await watch.store.open({ now: environment.now, warn: () => {} })
  const terms = { stored: 0, own: -1 }
  let [takeovers, looks] = [0, 0]
  const leader = new Leader({
    store,
    environment,
    name: 'counts',
    owner: 'first',
    durationMs,
    pollIntervalMs: durationMs,
    betterPlace: undefined,
    takeOver: async () => {
      takeovers++
      terms.own = ++terms.stored
    },
    leads: async () => {
      looks++
      return terms.own === terms.stored
    },
    finish: async () => {},
    save: async () => {},
    isFollowed: () => true,
  })
  assert.ok(await leader.take())
  const seen = () => ({ takeovers, looks })
  return { environment, store, leader, terms, seen }
}

describe('A leader whose lease was renewed too late', () => {
  test('goes on if nobody has taken over meanwhile', async () => {
    const { environment, leader, seen } = await leading()
    await environment.advance(durationMs)
    assert.equal(await leader.keep(), true)
    await environment.advance(durationMs)
    assert.equal(await leader.take(), true)
    assert.equal(await leader.keep(), true)
    assert.deepEqual(seen(), { takeovers: 1, looks: 2 })
  })

  test('takes over again if another process has done so', async () => {
    const { environment, leader, terms, seen } = await leading()
    await environment.advance(durationMs)
    terms.stored++
    assert.equal(await leader.keep(), false)
    assert.equal(await leader.take(), true)
    assert.equal(await leader.keep(), true)
    assert.deepEqual(seen(), { takeovers: 2, looks: 2 })
  })
})

test('A leader that has lost the lease takes over again, without another look', async () => {
  const { environment, store, leader, seen } = await leading()
  leader.doubt()
  assert.equal(await leader.keep(), false)
  assert.equal(await leader.take(), true)
  await leader.release()
  assert.equal(await leader.take(), true)
  await environment.advance(durationMs)
  await store.acquireLease('projection counts', 'second', durationMs)
  assert.equal(await leader.take(), false)
  await store.releaseLease('projection counts', 'second')
  assert.equal(await leader.keep(), false)
  assert.equal(await leader.take(), true)
  assert.deepEqual(seen(), { takeovers: 4, looks: 0 })
})
