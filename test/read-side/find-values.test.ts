/**
 * `find` by values that stores keep in another form than JSON: every store returns the rows whose fields are equal, and
 * no others.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, projection } from '../../src/index.ts'
import { recorder } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const values: Readonly<Record<string, unknown>> = {
  zero: 0,
  minusZero: -0,
  one: 1,
  text: '0',
  none: null,
  emptySet: new Set(),
  set: new Set(['a', 'b']),
  otherSet: new Set(['a', 'c']),
  map: new Map([['a', 1]]),
  otherMap: new Map([['a', 2]]),
  list: [new Set(['a'])],
  otherList: [new Set(['b'])],
  record: { of: new Map([[0, -0]]) },
}

/** In order. */
const ordered: readonly unknown[] = [true, -1, 2, 4, Number.NaN, 3n, '5', '7', '9', new Date(0), new Date(Number.NaN)]

const Named = event('Named', z.object({}))
const Thing = aggregate('thing', () => ({}))
  .on(Named)
  .command('name', z.object({}), () => Named({}))
const Things = projection('things', () => ({ value: undefined as unknown })).on(Named, (_, __, { stream: { id } }) => ({
  value: id.startsWith('ordered') ? ordered[Number(id.slice(7))] : values[id],
}))

await onEveryStore('Rows found by a value', ({ place }) => {
  test('are those whose field has the same contents', async (t) => {
    const definition = domain({ aggregates: { thing: Thing }, projections: { things: Things } })
    await using running = await definition.start({ store: await place(t), projections: 'manual', log: recorder() })
    for (const id of Object.keys(values)) await running.thing(id).name({})
    await running.projections.runOnce('things')
    const found = async (wanted: unknown) => {
      const each = [{ where: { value: wanted } }, { where: { value: { in: [wanted, 'no such value'] } } }] as any[]
      const [equal, among] = await Promise.all(each.map(async (query) => (await running.things.find(query)).rows))
      assert.deepEqual(among, equal)
      const { rows: others } = await running.things.find({ where: { value: { not: wanted } } } as any)
      assert.equal(others.length, Object.keys(values).length - equal!.length)
      return equal!.map(({ key }) => key).sort()
    }
    for (const [id, value] of Object.entries(values)) {
      assert.deepEqual(await found(value), value === 0 ? ['minusZero', 'zero'] : [id], id)
    }
    assert.deepEqual(await found(new Set(['b', 'a'])), ['set'])
    assert.deepEqual(await found(new Set(['b'])), [])
    assert.deepEqual(await found({ of: new Map([[-0, 0]]) }), ['record'])
  })

  test('come kind by kind if they are ordered', async (t) => {
    const definition = domain({ aggregates: { thing: Thing }, projections: { things: Things } })
    await using running = await definition.start({ store: await place(t), projections: 'manual', log: recorder() })
    // Neither in the right order nor in the opposite order.
    for (let i = 0; i < ordered.length; i++) await running.thing(`ordered${(i * 7) % ordered.length}`).name({})
    await running.thing('nothing').name({})
    await running.projections.runOnce('things')
    const keys = ordered.map((_, i) => `ordered${i}`)
    const found = async (direction: 'ascending' | 'descending') =>
      (await running.things.find({ orderBy: [['value', direction]] })).rows.map(({ key }) => key)
    assert.deepEqual(await found('ascending'), ['nothing', ...keys])
    assert.deepEqual(await found('descending'), [...keys.toReversed(), 'nothing'])
  })
})
