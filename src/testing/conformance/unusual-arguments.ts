/** Arguments that are unusual but valid: no store refuses them, and all treat them in the same way. */
import assert from 'node:assert/strict'
import { at } from '../checkpoint-at.ts'
import { type ConformanceGroup, everything, grow } from './kit.ts'

export const unusualArguments: ConformanceGroup = {
  title: 'An argument that is unusual but valid',
  cases: {
    'is a text with null characters and lone surrogates within data': async ({ store, name }) => {
      const of = name()
      const value = { 'a\0b': '\ud800', list: ['\0'] }
      await store.saveStep(of, { from: at(0), to: at(1, 0, value), rows: [{ key: 'k', value }] })
      assert.deepEqual(await store.loadRows(of, ['k']), [value])
      assert.deepEqual((await store.loadCheckpoint(of)).note, value)
    },
    'is a text like that in a condition on rows': async ({ store, name }) => {
      const of = name()
      const value = { 'a\0b': 'c\0d', '\ud800': 7, e: '\udc00' }
      await store.saveStep(of, { from: at(0), to: at(1), rows: [{ key: 'k', value }] })
      for (const one of [
        { field: 'a\0b', oneOf: ['c\0d'] },
        { field: '\ud800', least: 7, most: 7 },
        { field: 'e', oneOf: ['x', '\udc00'] },
      ]) {
        assert.deepEqual((await store.listRows(of, { where: [one], limit: 9 })).rows, [{ key: 'k', value }])
      }
    },
    'is an infinite bound of a condition': async ({ store, name }) => {
      const of = name()
      const row = { key: 'k', value: { n: 1 } }
      await store.saveStep(of, { from: at(0), to: at(1), rows: [row] })
      const [most, least] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      const where = [{ field: 'n', least, most }]
      assert.deepEqual((await store.listRows(of, { where, limit: 9 })).rows, [row])
      const vain = [{ field: 'n', oneOf: [Number.NaN, most, 5e-324] }]
      assert.ok((await store.listRows(of, { where: vain, limit: 9 })).rows.length <= 1)
    },
    'is an infinite limit': async ({ store, stream, name }) => {
      const [of, id, limit] = [name(), stream(), Number.POSITIVE_INFINITY]
      await grow(store, id, 2)
      const rows = ['j', 'k'].map((key) => ({ key, value: { n: 1 } }))
      await store.saveStep(of, { from: at(0), to: at(1), rows })
      assert.deepEqual((await store.listRows(of, { limit })).rows, rows)
      assert.deepEqual((await store.listRows(of, { limit, where: [{ field: 'n', oneOf: [1] }] })).rows, rows)
      assert.equal((await store.readStream(id, everything, { limit })).length, 2)
      assert.equal((await store.readStream(id, everything, { limit, direction: 'backward' })).length, 2)
    },
    'is a fraction of a millisecond in a duration': async ({ store, name }) => {
      const [aggregate, owner] = [name(), name()]
      assert.deepEqual(await store.reserve([{ aggregate, id: 'b' }], owner, 1000.5), [true])
      assert.equal((await store.acquireLease(name(), owner, 30_000.25)).owner, owner)
      assert.equal((await store.acquireLease(name(), owner, 0.5)).owner, owner)
    },
  },
}
