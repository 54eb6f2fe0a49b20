/** Rows and checkpoints of projections: they change together or not at all, by compare-and-set. */
import assert from 'node:assert/strict'
import type { Json } from '../../domain/json.ts'
import type { Row } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import { type ConformanceGroup, grow, rejectsWith } from './kit.ts'
import { listAll } from './row-listing.ts'

const row = (key: string, value: Json | undefined = { of: key }): Row => ({ key, value })

export const checkpoints: ConformanceGroup = {
  title: 'Checkpoints',
  cases: {
    'are at 0 before the first step': async ({ store, name }) => {
      assert.deepEqual(await store.loadCheckpoint(name()), at(0))
    },
    'move to the position of a step': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(5), rows: [] })
      assert.equal((await store.loadCheckpoint(of)).position, 5)
      await store.saveStep(of, { from: at(5), to: at(9), rows: [] })
      assert.equal((await store.loadCheckpoint(of)).position, 9)
    },
    'may stay where they are': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(0), rows: [row('a')] })
      assert.equal((await store.loadCheckpoint(of)).position, 0)
      await store.saveStep(of, { from: at(0), to: at(3), rows: [] })
      await store.saveStep(of, { from: at(3), to: at(3), rows: [row('b')] })
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [{ of: 'a' }, { of: 'b' }])
    },
    'may be anywhere in the log, or after it': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(Number.MAX_SAFE_INTEGER), rows: [] })
      assert.equal((await store.loadCheckpoint(of)).position, Number.MAX_SAFE_INTEGER)
    },
    'refuse a step computed from an earlier one': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(5), rows: [] })
      await rejectsWith(store.saveStep(of, { from: at(0), to: at(7), rows: [] }), 'CHECKPOINT_CONFLICT')
      assert.equal((await store.loadCheckpoint(of)).position, 5)
    },
    'refuse a step computed from a later one': async ({ store, name }) => {
      const of = name()
      await rejectsWith(store.saveStep(of, { from: at(3), to: at(7), rows: [] }), 'CHECKPOINT_CONFLICT')
      assert.equal((await store.loadCheckpoint(of)).position, 0)
    },
    'name the stored checkpoint when they refuse': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(5), rows: [] })
      await assert.rejects(store.saveStep(of, { from: at(2), to: at(7), rows: [] }), (error: { facts?: unknown }) => {
        assert.deepEqual(error.facts, {
          projection: of,
          expected: { position: 2, term: 0 },
          actual: { position: 5, term: 0 },
        })
        return true
      })
    },
    'have the term and the note of a step, and nothing of the previous note': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(3, 1, { a: 'é', b: [1, null] }), rows: [] })
      assert.deepEqual(await store.loadCheckpoint(of), at(3, 1, { a: 'é', b: [1, null] }))
      await store.saveStep(of, { from: at(3, 1), to: at(3, 2, { c: 1 }), rows: [] })
      assert.deepEqual(await store.loadCheckpoint(of), at(3, 2, { c: 1 }))
    },
    'go back if a step begins another term': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(5), rows: [row('a')] })
      await store.saveStep(of, { from: at(5), to: at(2, 1), rows: [row('b')] })
      assert.deepEqual(await store.loadCheckpoint(of), at(2, 1))
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [{ of: 'a' }, { of: 'b' }])
    },
    'are saved, whether or not a step may be lost in a power failure': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(1), rows: [row('a')], mayBeLost: true })
      await store.saveStep(of, { from: at(1), to: at(2), rows: [row('b')], mayBeLost: false })
      assert.equal((await store.loadCheckpoint(of)).position, 2)
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [{ of: 'a' }, { of: 'b' }])
    },
    'refuse a step of an earlier term, also if it moves nothing': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(3, 1), rows: [row('a', 'first')] })
      await store.saveStep(of, { from: at(3, 1), to: at(3, 2), rows: [] })
      for (const to of [at(3, 1), at(4, 1), at(3, 2), at(4, 2)]) {
        const late = store.saveStep(of, { from: at(3, 1), to, rows: [row('a', 'late')] })
        await rejectsWith(late, 'CHECKPOINT_CONFLICT')
      }
      assert.deepEqual(await store.loadRows(of, ['a']), ['first'])
      await store.saveStep(of, { from: at(3, 2), to: at(3, 2), rows: [row('a', 'second')] })
      assert.deepEqual(await store.loadRows(of, ['a']), ['second'])
    },
    'cannot be moved back by a second runner': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(10), rows: [row('a', 'first')] })
      await rejectsWith(
        store.saveStep(of, { from: at(0), to: at(4), rows: [row('a', 'second')] }),
        'CHECKPOINT_CONFLICT',
      )
      assert.equal((await store.loadCheckpoint(of)).position, 10)
      assert.deepEqual(await store.loadRows(of, ['a']), ['first'])
    },
    'of one projection are separate from those of another': async ({ store, name }) => {
      const of = name()
      const names = [of, `${of} `, `${of}%`, `${of}/x`, of.toUpperCase()]
      for (const [i, each] of names.entries())
        await store.saveStep(each, { from: at(0), to: at(i + 1), rows: [row('k', i)] })
      for (const [i, each] of names.entries()) {
        assert.equal((await store.loadCheckpoint(each)).position, i + 1)
        assert.deepEqual(await store.loadRows(each, ['k']), [i])
      }
    },
    'have exactly one winner when several runners step at the same time': async ({ store, name }) => {
      const of = name()
      const steps = Array.from({ length: 8 }, (_, i) =>
        store.saveStep(of, { from: at(0), to: at(i + 1), rows: [row('winner', i + 1)] }),
      )
      const settled = await Promise.allSettled(steps)
      const winners = settled.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []))
      const rule = 'comparing the checkpoint and saving the step are one atomic operation'
      assert.equal(winners.length, 1, `${winners.length} of 8 steps from one checkpoint were saved: ${rule}`)
      assert.equal((await store.loadCheckpoint(of)).position, winners[0])
      assert.deepEqual(await store.loadRows(of, ['winner']), winners)
    },
    'advance step by step during appends': async ({ store, stream, name }) => {
      const of = name()
      const appended = Promise.all(Array.from({ length: 20 }, () => grow(store, stream(), 2)))
      for (let from = 0; from < 20; from++)
        await store.saveStep(of, { from: at(from), to: at(from + 1), rows: [row('n', from + 1)] })
      await appended
      assert.equal((await store.loadCheckpoint(of)).position, 20)
      assert.deepEqual(await store.loadRows(of, ['n']), [20])
    },
  },
}

export const rows: ConformanceGroup = {
  title: 'Rows',
  cases: {
    'of an unknown projection are absent': async ({ store, name }) => {
      assert.deepEqual(await store.loadRows(name(), ['a', 'b']), [undefined, undefined])
      assert.deepEqual((await store.listRows(name(), { limit: 10 })).rows, [])
    },
    'are loaded in the order of the keys, with undefined for missing ones': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(1), rows: ['a', 'b', 'c'].map((key) => row(key)) })
      const loaded = await store.loadRows(of, ['c', 'x', 'a', 'c'])
      assert.deepEqual(loaded, [{ of: 'c' }, undefined, { of: 'a' }, { of: 'c' }])
      assert.deepEqual(await store.loadRows(of, []), [])
    },
    'are replaced by a later step': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(1), rows: [row('a', 1), row('b', 1)] })
      await store.saveStep(of, { from: at(1), to: at(2), rows: [row('a', 2)] })
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [2, 1])
    },
    'without a value are deleted': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(1), rows: [row('a'), row('b')] })
      await store.saveStep(of, {
        from: at(1),
        to: at(2),
        rows: [
          { key: 'a', value: undefined },
          { key: 'never', value: undefined },
        ],
      })
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [undefined, { of: 'b' }])
      assert.deepEqual(
        (await listAll(store, of, { limit: 10 })).map(({ key }) => key),
        ['b'],
      )
    },
    'may be null, which differs from a missing row': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(1), rows: [row('a', null)] })
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [null, undefined])
    },
    'come back the same, whatever their JSON is': async ({ store, name }) => {
      const of = name()
      const values: Json[] = [0, '', false, [], {}, [null], { $date: 'x', 'a.b': '\0 "q" 日本' }, 'x'.repeat(100_000)]
      await store.saveStep(of, { from: at(0), to: at(1), rows: values.map((value, i) => row(`${i}`, value)) })
      assert.deepEqual(
        await store.loadRows(
          of,
          values.map((_, i) => `${i}`),
        ),
        values,
      )
    },
    'may have any key': async ({ store, name }) => {
      const of = name()
      const keys = [
        "it's",
        '%',
        '_',
        '*',
        '>',
        'a/b',
        'a.b',
        ' ',
        '__proto__',
        'constructor',
        '日本',
        'x'.repeat(1024),
        'K',
        'k',
      ]
      await store.saveStep(of, { from: at(0), to: at(1), rows: keys.map((key) => row(key)) })
      assert.deepEqual(
        await store.loadRows(of, keys),
        keys.map((key) => ({ of: key })),
      )
      assert.deepEqual(new Set((await listAll(store, of, { limit: 3 })).map(({ key }) => key)), new Set(keys))
    },
    'are not changed by a refused step': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(5), rows: [row('a', 1)] })
      const step = { from: at(4), to: at(6), rows: [row('a', 2), row('b', 2)] }
      await rejectsWith(store.saveStep(of, step), 'CHECKPOINT_CONFLICT')
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [1, undefined])
    },
    'cannot be changed by the code that saved them': async ({ store, name }) => {
      const of = name()
      const value = { list: [1] }
      await store.saveStep(of, { from: at(0), to: at(1), rows: [row('a', value)] })
      value.list.push(2)
      assert.deepEqual(await store.loadRows(of, ['a']), [{ list: [1] }])
    },
    'are listed page by page, each once, in the same order': async ({ store, name }) => {
      const of = name()
      const keys = Array.from({ length: 25 }, (_, i) => `key ${(i * 7) % 25}`)
      await store.saveStep(of, { from: at(0), to: at(1), rows: keys.map((key) => row(key)) })
      const whole = await listAll(store, of, { limit: 1000 })
      assert.equal(whole.length, 25)
      for (const limit of [1, 4, 24, 25, 26]) assert.deepEqual(await listAll(store, of, { limit: limit }), whole)
      assert.deepEqual(new Set(whole.map(({ key }) => key)), new Set(keys))
      for (const { key, value } of whole) assert.deepEqual(value, { of: key })
    },
    'are listed after a key that does not exist': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(1), rows: ['a', 'b', 'd'].map((key) => row(key)) })
      assert.deepEqual(
        (await store.listRows(of, { after: 'c', limit: 9 })).rows.map(({ key }) => key),
        ['d'],
      )
      assert.deepEqual((await store.listRows(of, { after: 'z', limit: 9 })).rows, [])
    },
    'of a large step are all stored': async ({ store, name }) => {
      const of = name()
      const many = Array.from({ length: 2000 }, (_, i) => row(`${i}`, i))
      await store.saveStep(of, { from: at(0), to: at(2000), rows: many })
      assert.deepEqual(
        await store.loadRows(
          of,
          many.map(({ key }) => key),
        ),
        many.map(({ value }) => value),
      )
    },
    'are deleted with the checkpoint when the projection is reset': async ({ store, name }) => {
      const [of, other] = [name(), name()]
      for (const each of [of, other]) await store.saveStep(each, { from: at(0), to: at(5), rows: [row('a')] })
      await store.resetProjection(of)
      assert.equal((await store.loadCheckpoint(of)).position, 0)
      assert.deepEqual(await store.loadRows(of, ['a']), [undefined])
      assert.deepEqual((await store.listRows(of, { limit: 9 })).rows, [])
      assert.equal((await store.loadCheckpoint(other)).position, 5)
      assert.deepEqual(await store.loadRows(other, ['a']), [{ of: 'a' }])
    },
    'can be rebuilt after a reset': async ({ store, name }) => {
      const of = name()
      await store.saveStep(of, { from: at(0), to: at(5), rows: [row('a', 'old')] })
      await store.resetProjection(of)
      await rejectsWith(store.saveStep(of, { from: at(5), to: at(6), rows: [] }), 'CHECKPOINT_CONFLICT')
      await store.saveStep(of, { from: at(0), to: at(2), rows: [row('a', 'new')] })
      assert.deepEqual(await store.loadRows(of, ['a']), ['new'])
    },
    'of an unknown projection can be reset': async ({ store, name }) => {
      const of = name()
      await store.resetProjection(of)
      assert.equal((await store.loadCheckpoint(of)).position, 0)
    },
  },
}

export const rowsWithCheckpoint: ConformanceGroup = {
  title: 'Rows that are read with their checkpoint',
  cases: {
    'are in the order of the keys, with position, term and note': async ({ store, name }) => {
      const of = name()
      assert.deepEqual(await store.loadRowsWithCheckpoint(of, ['a']), { checkpoint: at(0), values: [undefined] })
      const to = { position: 5, term: 2, note: { began: 1 } }
      await store.saveStep(of, { from: at(0), to, rows: [row('a'), row('b')] })
      const keys = ['b', 'none', 'a', 'b']
      const values = [{ of: 'b' }, undefined, { of: 'a' }, { of: 'b' }]
      assert.deepEqual(await store.loadRowsWithCheckpoint(of, keys), { checkpoint: to, values })
      assert.deepEqual(await store.loadRowsWithCheckpoint(of, []), { checkpoint: to, values: [] })
      await store.resetProjection(of)
      assert.deepEqual(await store.loadRowsWithCheckpoint(of, ['a']), { checkpoint: at(0), values: [undefined] })
    },
    'are of the same step as it, while steps are saved': async ({ store, name }) => {
      const of = name()
      const keys = Array.from({ length: 5 }, (_, i) => `k${i}`)
      let isOver = false
      const saved = (async () => {
        for (let n = 1; n <= 40; n++) {
          const rows = keys.map((key) => ({ key, value: n % 5 === 0 ? undefined : n }))
          await store.saveStep(of, { from: at(n - 1), to: at(n), rows })
        }
      })().finally(() => {
        isOver = true
      })
      const read = (async () => {
        while (!isOver) {
          const { checkpoint, values } = await store.loadRowsWithCheckpoint(of, keys)
          const { position } = checkpoint
          const expected = keys.map(() => (position % 5 === 0 ? undefined : position))
          assert.deepEqual(values, expected)
        }
      })()
      // Both end before the store is closed, also if one fails.
      for (const end of await Promise.allSettled([saved, read])) if (end.status === 'rejected') throw end.reason
    },
  },
}
