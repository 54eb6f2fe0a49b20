/** Rows whose keys begin with a prefix: exactly these are found, in the order of all rows. */
import assert from 'node:assert/strict'
import { at } from '../checkpoint-at.ts'
import type { ConformanceGroup, ConformanceKit } from './kit.ts'
import { keysOf, listAll } from './row-listing.ts'

/** Keys that are neighbours in some order, or have a meaning in patterns. */
const keys: readonly string[] = [
  ...['a', 'a ', 'a!', 'a%', 'a_', 'a*', "a'", 'a"', 'a\\', 'a.', 'a/b', 'aa', 'ab', 'abc', 'ab c', 'a1', 'az', 'a~'],
  ...['A', 'AB', 'Ab', 'aB', 'B', 'b', 'ba', '%', '%a', '_', '_a', '*', '?', '[a]', '^a', ' ', ' a', '\\', '\\a'],
  ...[
    'á',
    'áb',
    'a\u0301',
    'ä',
    'ß',
    'ss',
    'ıi',
    'I',
    'i',
    '日',
    '日本',
    '日本語',
    '日来',
    '\u007f',
    '\u0080',
    '\u07ff',
    '\u0800',
  ],
  ...['\ud7ff', '\ud7ffa', '\ue000', '\uffee', '\uffff', '\uffffa', 'a\uffee', 'a\uffff', 'a\uffffb', 'a\uffff\uffff'],
  ...[
    '😀',
    '😀a',
    '😀😀',
    '😁',
    'a😀',
    'a😀b',
    'a😁',
    '\u{10000}',
    '\u{10ffff}',
    '\u{10ffff}a',
    'a\u{10ffff}',
    'a\u{10ffff}b',
  ],
]

/** Saves a row for each key. Two other projections get the same keys; the name of one begins like this one's. */
async function saveKeys({ store, name }: ConformanceKit): Promise<string> {
  const of = name()
  const rows = keys.map((key) => ({ key, value: { of: key } }))
  for (const each of [of, `${of}a`, name()]) await store.saveStep(each, { from: at(0), to: at(1), rows })
  return of
}

const isAscii = (key: string): boolean => [...key].every((character) => character <= '\u007f')

export const rowPrefixes: ConformanceGroup = {
  title: 'Rows whose keys begin with a prefix',
  cases: {
    'are found, and no other rows': async (kit) => {
      const of = await saveKeys(kit)
      for (const prefix of ['', ...keys, 'a?', 'x', 'abcd', '日x', '\ufffd']) {
        const found = keysOf((await kit.store.listRows(of, { prefix, limit: 1000 })).rows)
        const expected = keys.filter((key) => key.startsWith(prefix))
        assert.deepEqual([...found].sort(), [...expected].sort(), `prefix ${JSON.stringify(prefix)}`)
      }
    },
    'come in the order of all rows': async (kit) => {
      const of = await saveKeys(kit)
      const whole = keysOf((await kit.store.listRows(of, { limit: 1000 })).rows)
      for (const prefix of ['', 'a', 'ab', '日', '😀', '\uffff']) {
        const found = keysOf((await kit.store.listRows(of, { prefix, limit: 1000 })).rows)
        assert.deepEqual(
          found,
          whole.filter((key) => key.startsWith(prefix)),
        )
      }
    },
    'come in the order of their bytes if they are ASCII': async (kit) => {
      const of = await saveKeys(kit)
      for (const prefix of ['', 'a']) {
        const found = keysOf((await kit.store.listRows(of, { prefix, limit: 1000 })).rows).filter(isAscii)
        assert.deepEqual(found, [...found].sort(), `prefix ${JSON.stringify(prefix)}`)
        assert.ok(found.length > 10)
      }
    },
    'come in the order of numbers that their keys contain with a fixed width': async ({ store, name }) => {
      const of = name()
      const numbers = Array.from({ length: 300 }, (_, i) => ((i * 7919) % 300) ** 6)
      const keyOf = (number: number) => `due ${String(number).padStart(16, '0')} x:1`
      const rows = numbers.map((number) => ({ key: keyOf(number), value: number }))
      await store.saveStep(of, { from: at(0), to: at(1), rows: [...rows, { key: 'dud', value: 0 }] })
      const found = await listAll(store, of, { prefix: 'due ', limit: 70 })
      assert.deepEqual(
        found.map(({ value }) => value),
        [...numbers].sort((a, b) => a - b),
      )
    },
    'are listed page by page': async (kit) => {
      const of = await saveKeys(kit)
      for (const prefix of ['', 'a', 'ab', '日', '😀', '\uffff', 'none']) {
        const { rows: whole } = await kit.store.listRows(of, { prefix, limit: 1000 })
        for (const limit of [1, 2, 3, 7, Math.max(whole.length, 1)]) {
          assert.deepEqual(await listAll(kit.store, of, { prefix, limit }), whole)
        }
      }
    },
    'are listed after any key, with the prefix or not': async (kit) => {
      const of = await saveKeys(kit)
      const whole = keysOf((await kit.store.listRows(of, { limit: 1000 })).rows)
      const prefixes = ['a', '日', '\uffff', '😀']
      for (const [nth, prefix] of prefixes.entries()) {
        for (const [place, after] of whole.entries()) {
          // Each key with one of the prefixes: all pairs would be hundreds of questions.
          if (place % prefixes.length !== nth) continue
          const found = keysOf((await kit.store.listRows(of, { prefix, after, limit: 1000 })).rows)
          const expected = whole.slice(place + 1).filter((key) => key.startsWith(prefix))
          assert.deepEqual(found, expected, `prefix ${JSON.stringify(prefix)} after ${JSON.stringify(after)}`)
        }
      }
    },
    'are listed with their values': async (kit) => {
      const of = await saveKeys(kit)
      for (const { key, value } of (await kit.store.listRows(of, { prefix: 'a', limit: 1000 })).rows) {
        assert.deepEqual(value, { of: key })
      }
    },
    'are up to date: new ones appear, and deleted ones disappear': async ({ store, name }) => {
      const of = name()
      const found = async () => keysOf((await store.listRows(of, { prefix: 'a', limit: 9 })).rows)
      await store.saveStep(of, { from: at(0), to: at(1), rows: ['a1', 'a3', 'b'].map((key) => ({ key, value: 1 })) })
      assert.deepEqual(await found(), ['a1', 'a3'])
      await store.saveStep(of, {
        from: at(1),
        to: at(2),
        rows: [
          { key: 'a2', value: 2 },
          { key: 'a1', value: undefined },
        ],
      })
      assert.deepEqual(await found(), ['a2', 'a3'])
      await store.resetProjection(of)
      assert.deepEqual(await found(), [])
    },
  },
}
