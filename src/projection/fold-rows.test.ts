/**
 * A fold of a projection is pure: what it changes in place is found out at that event, and spoils neither other rows
 * nor later tries.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder } from '../../test/kernel/rig.ts'
import { aggregate, domain, event, memory, projection } from '../index.ts'

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

/** A row, when something has been done. */
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
    test(`${what} fails, and no row is made`, async () => {
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

  test('the row as it is stored fails too, and is parked', async () => {
    const fold: Fold = (row, { n }) => (row.n === 0 ? { ...row, n } : Object.assign(row, { n: row.n + n }))
    const { running } = await started(() => ({ n: 0, tags: [] }), fold, 'park')
    await running.counter('a').raise({ n: 1 })
    const { position } = await running.counter('a').raise({ n: 1 })
    assert.deepEqual(await running.rows.get('a', { atLeast: position }), { n: 1, tags: [] })
    assert.equal((await running.projections.parked('rows')).length, 1)
    await running.stop()
  })
})

test('The state of a projection before its first event cannot be changed by who reads it', async () => {
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
