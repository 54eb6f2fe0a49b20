import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memory } from '../../index.ts'
import { Pausing } from './pausing.ts'

/** What a process knows of a pause, with a store whose next answer can be held back. */
async function place() {
  const store = await memory().open({ now: () => 0, warn: () => {} })
  let held: Promise<void> | undefined
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
    saveStep: { value: (...args: Parameters<typeof store.saveStep>) => store.saveStep(...args) },
  })
  const holdNext = () => {
    const gate = Promise.withResolvers<void>()
    held = gate.promise
    return gate
  }
  return { pausing: new Pausing('rows', slow), holdNext }
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
