/**
 * Where a reaction begins that has never run: nothing before that is handled, and nothing after it is left out,
 * whatever becomes of the process that began.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Beginning, domain, memory, reaction } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { recorder, watched } from '../support/kernel/rig.ts'
import { Pot, Put } from '../support/read-side/pots.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const stepMs = 1_000

/** A domain whose reaction writes down the amounts that it is given. */
function listening(beginning?: Beginning) {
  const heard: number[] = []
  const plain = reaction('listener').on(Put, ({ data }) => {
    heard.push(data.amount)
  })
  const listener = beginning === undefined ? plain : plain.from(beginning)
  return { heard, definition: domain({ aggregates: { pot: Pot }, reactions: { listener } }) }
}

type Options = Parameters<ReturnType<typeof listening>['definition']['start']>[0]

/** Starts it, does something, handles the log, and returns what the reaction was given. */
async function heardBy(
  store: StoreFactory,
  beginning: Beginning | undefined,
  amounts: readonly number[] = [],
  options: Options = {},
): Promise<readonly number[]> {
  const { heard, definition } = listening(beginning)
  await using bank = await definition.start({ store, log: recorder(), projections: 'manual', ...options })
  for (const amount of amounts) await bank.pot('a').put({ amount })
  await bank.reactions.runOnce('listener')
  return heard
}

/** Puts amounts while no reaction is there; each a second after the one before if a clock is given. */
async function put(store: StoreFactory, amounts: readonly number[], options: Options = {}): Promise<void> {
  const { environment } = options
  await using bank = await domain({ aggregates: { pot: Pot } }).start({ store, ...options })
  for (const amount of amounts) {
    await bank.pot('a').put({ amount })
    if (environment !== undefined) await (environment as ReturnType<typeof manualEnvironment>).advance(stepMs)
  }
}

await onEveryStore('A reaction that has never run', ({ place }) => {
  test('begins at the first event of the log', async (t) => {
    const store = await place(t)
    await put(store, [1, 2])
    assert.deepEqual(await heardBy(store, undefined, [3]), [1, 2, 3])
  })

  test('from now on leaves out what was there before it was first started, and nothing else', async (t) => {
    const store = await place(t)
    await put(store, [1, 2])
    assert.deepEqual(await heardBy(store, 'now', [3]), [3])
    // It is not there, and then started again: 'now' is not evaluated again.
    await put(store, [4, 5])
    assert.deepEqual(await heardBy(store, 'now', [6]), [4, 5, 6])
    // Nor does another beginning matter any more.
    await put(store, [7])
    assert.deepEqual(await heardBy(store, 'first', [8]), [7, 8])
  })

  test('from now on begins when the domain is started, also in an empty log, and if it handles nothing then', async (t) => {
    const store = await place(t)
    const { heard, definition } = listening('now')
    await (await definition.start({ store, projections: 'manual' })).stop()
    await put(store, [1, 2])
    assert.deepEqual(await heardBy(store, 'now', [3]), [1, 2, 3])
    assert.deepEqual(heard, [])
  })

  test('from a position handles that event first', async (t) => {
    const store = await place(t)
    await put(store, [1, 2, 3, 4])
    assert.deepEqual(await heardBy(store, 3), [3, 4])
    await assert.rejects(heardBy(await place(t), 2), {
      code: 'OPTION_INVALID',
      message: /The option from must be at most 1, the position after the end of the log, not 2/,
    })
  })

  test('from a date handles what was recorded then or later', async (t) => {
    for (const [seconds, expected] of [
      [9, []],
      [-1, [1, 2, 3, 4, 5]],
      [0, [1, 2, 3, 4, 5]],
      [0.5, [2, 3, 4, 5]],
      [3, [4, 5]],
      [4, [5]],
      [4.5, []],
    ] as const) {
      const store = await place(t)
      const environment = manualEnvironment()
      const startedAt = environment.now()
      await put(store, [1, 2, 3, 4, 5], { environment })
      const date = new Date(startedAt + seconds * stepMs)
      assert.deepEqual(await heardBy(store, date, [], { environment }), expected, `${seconds} s`)
      // A date may lie ahead; what happens before it is passed over.
      const isAhead = date.getTime() > environment.now()
      assert.deepEqual(await heardBy(store, date, [6], { environment }), isAhead ? [] : [6])
      assert.deepEqual(await heardBy(store, new Date(startedAt), [7], { environment }), [7])
    }
  })

  test('from a date stores nothing until it has handled something, since a date is compared with each event', async (t) => {
    const store = await place(t)
    const { definition } = listening(new Date(0))
    await (await definition.start({ store, projections: 'manual', log: recorder() })).stop()
    const opened = await store.open({ now: () => 0, warn: () => {} })
    assert.equal((await opened.loadCheckpoint('reaction listener')).term, 0)
    await opened.close()
  })

  test('from a date does not mind an event whose clock was wrong', async (t) => {
    const store = await place(t)
    const environment = manualEnvironment()
    const startedAt = environment.now()
    await put(store, [1, 2, 3], { environment })
    const rightMs = environment.now()
    environment.setClock(new Date(0))
    await put(store, [4], { environment })
    environment.setClock(new Date(rightMs))
    await put(store, [5, 6], { environment })
    const date = new Date(startedAt + stepMs)
    const beginning = new Date(date)
    const heard = heardBy(store, beginning, [], { environment })
    assert.deepEqual(await heard, [2, 3, 5, 6])
  })
})

describe('A beginning', () => {
  test('is stored before the domain has started, so a process that is killed then leaves nothing out', async () => {
    const store = memory()
    await put(store, [1])
    // It handles nothing, and is never stopped.
    await listening('now').definition.start({ store, projections: 'manual', leaseMs: 1 })
    await put(store, [2])
    assert.deepEqual(await heardBy(store, 'now', [3]), [2, 3])
  })

  test('is what the first of two processes stored', async () => {
    const store = memory()
    await put(store, [1])
    const watch = watched(store)
    let isHeld = false
    watch.disturb(({ method }) => {
      if (method !== 'saveStep' || isHeld) return undefined
      isHeld = true
      // Between the look at the log and the storing, another process begins and events are stored.
      return heardBy(store, 'now', [2]).then((heard) => {
        assert.deepEqual(heard, [2])
        return put(store, [3])
      })
    })
    assert.deepEqual(await heardBy(watch.store, 'now', [4]), [3, 4])
    assert.ok(isHeld)
  })

  test('that cannot be stored fails the start and closes the store', async () => {
    const watch = watched(memory())
    watch.disturb(({ method }) => (method === 'saveStep' ? new RangeError('no room') : undefined))
    await assert.rejects(heardBy(watch.store, 'now'), { message: 'no room' })
    assert.equal(watch.count('close'), 1)
  })

  test('is refused if it is nothing of the kind', () => {
    for (const bad of ['yesterday', 0, -1, 1.5, Number.NaN, new Date(Number.NaN), null, undefined, {}]) {
      assert.throws(() => reaction('listener').from(bad as never), { code: 'OPTION_INVALID' }, String(bad))
    }
  })
})
