/**
 * Long work lets the event loop turn, and an abort ends it. The clock is replaced by one that moves a millisecond at
 * each look, so nothing depends on the speed of the machine. It is replaced before the store is loaded.
 */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Store } from '../store.ts'

let clock = 0
performance.now = () => ++clock
const { commitTo, snapshotOf, stream, testPlace } = await import('./test-place.fixture.ts')
const { at } = await import('../../testing/checkpoint-at.ts')
const { listAll } = await import('../../testing/conformance/row-listing.ts')
const { Snapshots } = await import('./rows/snapshots.ts')
const { platformLoop } = await import('../../runtime/timers.ts')

const unlimited = { limit: Number.POSITIVE_INFINITY }
const all = { from: 0, to: Number.POSITIVE_INFINITY }
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)
const rowsOf = (count: number) => upTo(count).map((n) => ({ key: `row ${(n * 7919) % count}`, value: n }))

/** The number of turns of the event loop during the work. Turns that only wait for the disk do not count. */
async function turnsOf(work: () => Promise<unknown>): Promise<number> {
  let [turns, isDone, before] = [0, false, clock]
  const turn = () => {
    if (clock !== before) turns++
    before = clock
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  await work()
  isDone = true
  return turns
}

async function turnsOften(least: number, work: () => Promise<unknown>): Promise<void> {
  const turns = await turnsOf(work)
  assert.ok(turns >= least, `${turns} turns, and ${least} were to be`)
}

/** Checks that a read ends with the reason when it is aborted. */
async function endsWhenAborted(read: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController()
  const reason = new Error('no more')
  const reading = read(controller.signal)
  setImmediate(() => controller.abort(reason))
  await assert.rejects(reading, reason)
}

const many = 20_000

async function filled(store: Store): Promise<void> {
  for (let from = 0; from < many; from += 1000) {
    await store.append(upTo(1000).map((n) => commitTo('long', `c${from + n}`)))
  }
}

describe('The event loop turns', () => {
  test('while one call appends many commits, and while one commit has many events', async () => {
    await using place = await testPlace()
    const store = await place.open()
    const commits = upTo(many).map((n) => commitTo(`s${n}`, `c${n}`))
    await turnsOften(60, () => store.append(commits))
    const events = upTo(5000).map((n) => ({ type: 'Happened', data: { n, text: 'x'.repeat(20) } }))
    const large = commitTo('large', 'large', { events })
    await turnsOften(500, () => store.append([large]))
  })

  test('while a log is read, forward and backward, by stream, and for events that do not exist', async () => {
    await using place = await testPlace()
    const store = await place.open()
    await filled(store)
    for (const direction of ['forward', 'backward'] as const) {
      await turnsOften(60, () => store.readAll(all, { ...unlimited, direction }))
      await turnsOften(60, () => store.readStream(stream('long'), all, { ...unlimited, direction }))
      for (const filters of [{ types: ['None'] }, { tags: ['none'] }]) {
        await turnsOften(60, () => store.readAll(all, { ...filters, direction }))
      }
      await turnsOften(2, () => store.readAll(all, { aggregates: ['none'], direction }))
    }
    await turnsOften(3, () => store.streamEnds(upTo(many).map((n) => stream(`s${n}`))))
  })

  test('and an abort is noticed, while a log is read', async () => {
    await using place = await testPlace()
    const store = await place.open()
    await filled(store)
    await endsWhenAborted((signal) => store.readStream(stream('long'), all, { ...unlimited, signal }))
    await endsWhenAborted((signal) => store.readAll(all, { ...unlimited, signal }))
    for (const filters of [{ types: ['None'] }, { tags: ['none'] }, { aggregates: ['none'] }]) {
      await endsWhenAborted((signal) => store.readAll(all, { ...filters, signal }))
    }
  })

  test('while many rows are saved, loaded and listed', async () => {
    await using place = await testPlace()
    const store = await place.open()
    await turnsOften(2000, () => store.saveStep('p', { from: at(0), to: at(1), rows: rowsOf(many) }))
    await turnsOften(2000, () =>
      store.loadRows(
        'p',
        rowsOf(many).map(({ key }) => key),
      ),
    )
    await turnsOften(30, () => store.listRows('p', { limit: 1 }))
    const where = [{ field: 'none', oneOf: [1] }]
    await turnsOften(30, () => listAll(store, 'p', { where, limit: 1 }))
  })

  test('while a caller makes small requests again and again', async () => {
    await using place = await testPlace()
    const store = await place.open()
    await store.append(upTo(100).map((n) => commitTo('x', `c${n}`)))
    await store.saveStep('p', { from: at(0), to: at(1), rows: rowsOf(10) })
    const questions: (() => Promise<unknown>)[] = [
      () => store.readAll({ from: 5, to: 8 }),
      () => store.readStream(stream('x'), { from: 5, to: 8 }),
      () => store.findCommit(stream('x'), 'c7'),
      () => store.streamEnds([stream('x')]),
      () => store.head(),
      () => store.loadSnapshot(stream('x')),
      () => store.loadCheckpoint('p'),
      () => store.loadRows('p', ['row 1']),
      () => store.listRows('p', { limit: 1 }),
    ]
    for (const ask of questions) {
      await turnsOften(10, async () => {
        for (let times = 0; times < 200; times++) await ask()
      })
    }
  })

  test('while a store is opened, with its index and without', async () => {
    await using place = await testPlace()
    const first = await place.open()
    await filled(first)
    await first.saveStep('p', { from: at(0), to: at(1), rows: [] })
    for (let n = 1; n < 2000; n++) await first.saveStep('p', { from: at(n), to: at(n + 1), rows: [] })
    await first.close()
    await turnsOften(200, async () => (await place.open()).close())
    await rm(join(place.directory, 'index.bin'))
    await turnsOften(2000, async () => (await place.open()).close())
  })

  test('while snapshots without events are searched for', async () => {
    const snapshots = new Snapshots(platformLoop)
    for (const n of upTo(2000)) snapshots.save(snapshotOf(stream(`s${n}`), 1), 1, true).apply()
    await turnsOften(200, () => snapshots.dropLost(() => 0))
  })
})
