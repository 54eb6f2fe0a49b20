/**
 * A fold of a projection is pure. A change in place fails at that event, and spoils neither other rows nor later tries.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder } from '../../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, projection } from '../../index.ts'

const Raised = event('Raised', z.object({ n: z.number(), tags: z.array(z.string()), at: z.coerce.date().readonly() }))
const Counter = aggregate('counter', () => 0)
  .on(Raised)
  .command('raise', z.object({ n: z.number() }), (_, { n }) => Raised({ n, tags: ['x'], at: new Date(0) }))

type Row = { n: number; tags: string[]; at?: Date; map?: Map<string, number> }
type Fold = (row: Row, data: any, event: any) => Row

async function started(initial: () => Row, fold: Fold, giveUp: 'stop' | 'park' = 'stop') {
  const Rows = projection('rows', initial)
    .on(Raised, fold as never)
    .by(({ stream }) => [stream.id, 'all'])
    .onFailure({ giveUp })
  const options = { store: memory(), log: recorder() }
  const running = await domain({ aggregates: { counter: Counter }, projections: { rows: Rows } }).start(options)
  return { running, Rows }
}

/** Returns the row after a side effect. */
const after = (_done: unknown, row: Row): Row => row

const shared: Row = { n: 0, tags: [] }
const changing: Record<string, [initial: () => Row, fold: Fold]> = {
  'the initial row, which is one for all': [() => shared, (row) => Object.assign(row, { n: row.n + 1 })],
  'a list in the initial row': [() => shared, (row) => after(row.tags.push('x'), { ...row, n: row.n + 1 })],
  'a frozen map in the initial row': [
    () => ({ n: 0, tags: [], map: Object.freeze(new Map([['a', 1]])) as Map<string, number> }),
    (row) => after(row.map!.set('a', 2), { ...row, n: 1 }),
  ],
  'the data of its event': [
    () => ({ n: 0, tags: [] }),
    (row, data) => after(Object.assign(data, { n: 2 }), { ...row, n: 1 }),
  ],
  'a list in the data': [() => ({ n: 0, tags: [] }), (row, data) => after(data.tags.push('y'), { ...row, n: 1 })],
  'a date in the data': [() => ({ n: 0, tags: [] }), (row, data) => after(data.at.setTime(1), { ...row, n: 1 })],
  'the event itself': [
    () => ({ n: 0, tags: [] }),
    (row, _, told) => after(Object.assign(told, { data: { n: 5 } }), { ...row, n: 1 }),
  ],
  'the date of its event': [
    () => ({ n: 0, tags: [] }),
    (row, _, told) => after(told.recordedAt.setTime(1), { ...row, n: 1 }),
  ],
  'the tags of its event': [() => ({ n: 0, tags: [] }), (row, _, told) => after(told.tags.push('x'), { ...row, n: 1 })],
}

describe('A fold that changes in place', () => {
  for (const [what, [initial, fold]] of Object.entries(changing)) {
    test(`${what} fails, and no row is stored`, async () => {
      const { running } = await started(initial, fold)
      const { position } = await running.counter('a').raise({ n: 1 })
      await assert.rejects(running.rows.get('a', { atLeast: position }), (error: any) => {
        assert.equal(error.code, 'PROJECTION_FAILED')
        assert.ok(error.cause instanceof TypeError, String(error.cause))
        return true
      })
      assert.equal(await running.rows.get('a'), undefined)
      await running.stop()
      assert.deepEqual(shared, { n: 0, tags: [] })
    })
  }

  test('a row that was stored changes only that row', async () => {
    const fold: Fold = (row, _, { recordedAt }) => {
      if (row.n === 0) return { ...row, n: 1, at: recordedAt }
      row.at!.setTime(row.at!.getTime() + 1)
      return Object.assign(row, { n: row.n + 1 })
    }
    const { running } = await started(() => ({ n: 0, tags: [] }), fold)
    const first = await running.counter('a').raise({ n: 1 })
    const { recordedAt } = first.events[0]!
    const { position } = await running.counter('b').raise({ n: 1 })
    const at = (ms: number) => new Date(recordedAt.getTime() + ms)
    assert.deepEqual(await running.rows.get('a', { atLeast: position }), { n: 1, tags: [], at: recordedAt })
    assert.deepEqual(await running.rows.get('all'), { n: 2, tags: [], at: at(1) })
    await running.stop()
  })

  test('the date that two rows of a batch have from one event changes only one of the rows', async () => {
    const fold: Fold = (row, { n }, { recordedAt }) =>
      row.n === 0 ? { ...row, n, at: recordedAt } : after(row.at!.setTime(0), { ...row, n: row.n + n })
    const store = memory()
    const Rows = projection('rows', (): Row => ({ n: 0, tags: [] }))
      .on(Raised, fold as never)
      .by(({ stream }) => [stream.id, 'all'])
    const { start } = domain({ aggregates: { counter: Counter }, projections: { rows: Rows } })
    await using running = await start({ store, projections: 'manual' })
    const { events } = await running.counter('a').raise({ n: 1 })
    await running.counter('b').raise({ n: 1 })
    await running.projections.runOnce('rows')
    assert.deepEqual(await running.rows.get('a'), { n: 1, tags: [], at: events[0]!.recordedAt })
    assert.deepEqual(await running.rows.get('all'), { n: 2, tags: [], at: new Date(0) })
  })

  test('the data of its event gets fresh data when the batch is folded again after another event failed', async () => {
    const fold: Fold = (row, data) => {
      if (data.n === 2) throw new Error('no')
      data.tags.push('y')
      return { ...row, n: row.n + data.n, tags: [...row.tags, ...data.tags] }
    }
    const Rows = projection('rows', (): Row => ({ n: 0, tags: [] }))
      .on(Raised, fold as never)
      .by(({ stream }) => stream.id)
      .onFailure({ giveUp: 'park', retries: 0 })
    const { start } = domain({ aggregates: { counter: Counter }, projections: { rows: Rows } })
    await using running = await start({ projections: 'manual', log: recorder() })
    await running.counter('a').raise({ n: 1 })
    await running.counter('b').raise({ n: 2 })
    await running.projections.runOnce('rows')
    assert.deepEqual(await running.rows.get('a'), { n: 1, tags: ['x', 'y'] })
    assert.equal((await running.projections.parked('rows')).length, 1)
  })
})

test('A reader cannot change the initial row of a projection', async () => {
  const initial: Row = { n: 0, tags: [] }
  const Sum = projection('sum', () => initial)
    .on(Raised, (row, { n }) => ({ ...row, n: row.n + n }))
    .single()
  await using running = await domain({ aggregates: { counter: Counter }, projections: { sum: Sum } }).start()
  const state = await running.sum.state()
  assert.throws(() => state.tags.push('x'), TypeError)
  const { position } = await running.counter('a').raise({ n: 1 })
  assert.deepEqual(await running.sum.state({ atLeast: position }), { n: 1, tags: [] })
})
