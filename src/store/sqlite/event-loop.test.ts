/**
 * Long reads let the event loop turn, and end when they are aborted or the store is closed. The clock is replaced by
 * one that moves some milliseconds at each look, so nothing depends on the speed of the machine. It is replaced before
 * the store is loaded.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { listAll } from '../../testing/conformance/row-listing.ts'
import { commit } from '../commit.ts'
import { everything } from '../range.ts'
import type { Store } from '../store.ts'

let clock = 0
performance.now = () => {
  clock += 9
  return clock
}
const { freshPath, openStore } = await import('./sqlite-test.fixture.ts')
const { at } = await import('../../testing/checkpoint-at.ts')

const unlimited = { limit: Number.POSITIVE_INFINITY }
const eventCount = 12_000
const rowCount = 20_000
const stream = { aggregate: 'account', id: 'ada' }

async function filled(context: TestContext): Promise<Store> {
  const store = await openStore(context, await freshPath(context))
  await store.append(
    Array.from({ length: eventCount }, (_, n) => {
      const events = [{ type: `Type${n % 4}`, data: { n }, tags: [n % 2 === 0 ? 'even' : 'odd', 'all'] }]
      return commit({ stream, expected: 'any', id: `c${n}`, recordedAt: n, events })
    }),
  )
  const rows = Array.from({ length: rowCount }, (_, n) => ({ key: `${n}`, value: { n } }))
  await store.saveStep('p', { from: at(0), to: at(1), rows })
  return store
}

/** Checks that the event loop turns at least a number of times during some work. */
async function turnsOften(least: number, work: () => Promise<unknown>): Promise<void> {
  let [turns, isDone] = [0, false]
  const count = () => {
    turns++
    if (!isDone) setImmediate(count)
  }
  setImmediate(count)
  await work()
  isDone = true
  assert.ok(turns >= least, `${turns} turns, and ${least} were to be`)
}

/** The long reads of a store, by name. */
const longReads: Readonly<Record<string, (store: Store, signal?: AbortSignal) => Promise<unknown>>> = {
  'of the log': (store, signal) => store.readAll(everything, { ...unlimited, ...(signal && { signal }) }),
  'of the log, backward': (store, signal) =>
    store.readAll(everything, { ...unlimited, direction: 'backward', ...(signal && { signal }) }),
  'of a stream': (store, signal) => store.readStream(stream, everything, { ...unlimited, ...(signal && { signal }) }),
  'by a type': (store, signal) =>
    store.readAll(everything, { ...unlimited, types: ['Type1'], ...(signal && { signal }) }),
  'by tags': (store, signal) =>
    store.readAll(everything, { ...unlimited, tags: ['all', 'odd'], ...(signal && { signal }) }),
}

for (const [name, read] of Object.entries(longReads)) {
  test(`a long read ${name} lets the event loop turn, and ends when it is aborted or the store is closed`, async (context) => {
    const store = await filled(context)
    await turnsOften(4, () => read(store))
    const controller = new AbortController()
    setImmediate(() => controller.abort(new Error('enough')))
    await assert.rejects(read(store, controller.signal), /enough/)
    const refused = assert.rejects(read(store), { code: 'STORE_CLOSED' })
    await store.close()
    await refused
  })
}

test('a look at many rows lets the event loop turn, and ends when the store is closed', async (context) => {
  const store = await filled(context)
  const listed = (where: Parameters<Store['listRows']>[1]['where']) =>
    listAll(store, 'p', { ...unlimited, ...(where && { where }) })
  await turnsOften(4, async () => {
    assert.deepEqual(await listed([{ field: 'n', oneOf: [rowCount - 1] }]), [
      { key: `${rowCount - 1}`, value: { n: rowCount - 1 } },
    ])
  })
  await turnsOften(4, async () => assert.equal((await listed(undefined)).length, rowCount))
  await turnsOften(4, () =>
    store.loadRows(
      'p',
      Array.from({ length: rowCount }, (_, n) => `${n}`),
    ),
  )
  const refused = assert.rejects(listed([{ field: 'n', oneOf: [-1] }]), { code: 'STORE_CLOSED' })
  await store.close()
  await refused
})

test('many short reads in a row let the event loop turn too, and an abort ends them', async (context) => {
  const store = await filled(context)
  await turnsOften(30, async () => {
    for (let i = 0; i < 50; i++) {
      await store.readStream(stream, { from: i, to: i + 2 })
      await store.readAll({ from: i, to: i + 2 })
      await store.streamEnds([stream])
      await store.findCommit(stream, 'c1')
      await store.loadRows('p', ['1'])
    }
  })
  await turnsOften(4, () => store.streamEnds(Array.from({ length: 10_000 }, (_, n) => ({ ...stream, id: `${n}` }))))
  const controller = new AbortController()
  setImmediate(() => controller.abort(new Error('enough')))
  const endless = async () => {
    for (;;) await store.readStream(stream, { from: 1, to: 2 }, { signal: controller.signal })
  }
  await assert.rejects(endless(), /enough/)
})
