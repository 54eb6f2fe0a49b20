import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memory } from '../../index.ts'
import { Pausing } from './pausing.ts'

/** What a process knows of a pause, with a store whose next answer can be held back. */
async function place() {
  const store = await memory().open({ now: () => 0, warn: () => {} })
  let held: Promise<void> | undefined
  let isCutOff = false
  let late: (() => Promise<unknown>) | undefined
  const slow: typeof store = Object.create(store, {
    loadCheckpoint: {
      value: async (name: string) => {
        const until = held
        held = undefined
        const found = await store.loadCheckpoint(name)
        await until
        return found
      },
    },
    saveStep: {
      value: async (...args: Parameters<typeof store.saveStep>) => {
        if (!isCutOff) return store.saveStep(...args)
        late = () => store.saveStep(...args)
        throw new Error('The answer is lost.')
      },
    },
  })
  /** Does something whose question the store gets only when the returned function is called. */
  const lostUntilCalled = async (work: () => Promise<void>) => {
    isCutOff = true
    await assert.rejects(work, /lost/)
    isCutOff = false
    return late!
  }
  const holdNext = () => {
    const gate = Promise.withResolvers<void>()
    held = gate.promise
    return gate
  }
  return { pausing: new Pausing('rows', slow), holdNext, lostUntilCalled }
}

describe('A look at a pause', () => {
  test('that is answered late does not end a pause that was set meanwhile', async () => {
    const { pausing, holdNext } = await place()
    const gate = holdNext()
    const look = pausing.look()
    await pausing.set(5)
    gate.resolve()
    assert.deepEqual(await look, new Date(5))
    assert.deepEqual(pausing.since, new Date(5))
  })

  test('that is answered late does not bring back a pause that was ended meanwhile', async () => {
    const { pausing, holdNext } = await place()
    await pausing.set(5)
    const gate = holdNext()
    const look = pausing.look()
    await pausing.set(undefined)
    gate.resolve()
    assert.equal(await look, undefined)
  })
})

describe('A change of a pause that the store gets late', () => {
  test('does not pause what was resumed since', async () => {
    const { pausing, lostUntilCalled } = await place()
    const pause = await lostUntilCalled(() => pausing.set(5))
    await pausing.set(undefined)
    await assert.rejects(pause, { code: 'CHECKPOINT_CONFLICT' })
    assert.equal(await pausing.look(), undefined)
  })

  test('does not resume what was paused since, and the pause began when it was set first', async () => {
    const { pausing, lostUntilCalled } = await place()
    await pausing.set(5)
    const resume = await lostUntilCalled(() => pausing.set(undefined))
    await pausing.set(7)
    await assert.rejects(resume, { code: 'CHECKPOINT_CONFLICT' })
    assert.deepEqual(await pausing.look(), new Date(5))
  })
})
