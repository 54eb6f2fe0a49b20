/**
 * Rows that meet conditions. A store may support only some conditions, or none. It may therefore return other rows too,
 * but must never leave out a row that meets the conditions.
 */
import assert from 'node:assert/strict'
import type { Json } from '../../domain/json.ts'
import type { Condition, Store } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import { type ConformanceGroup, type ConformanceKit, upTo } from './kit.ts'
import { keysOf, listAll } from './row-listing.ts'

/** The rule of the port, as simple as possible. */
function meets(value: Json | undefined, condition: Condition): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  if (!Object.hasOwn(value, condition.field)) return false
  const found = (value as Readonly<Record<string, Json>>)[condition.field]!
  if ('oneOf' in condition) return condition.oneOf.some((one) => one === found)
  const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = condition
  if (typeof found === 'object') return found !== null && !Array.isArray(found)
  return typeof found === 'number' && found >= least && found <= most
}

/** Saves a row for each value. */
async function saveValues({ store, name }: ConformanceKit, values: readonly Json[]): Promise<string> {
  const of = name()
  await store.saveStep(of, { from: at(0), to: at(1), rows: values.map((value, i) => ({ key: `${1000 + i}`, value })) })
  return of
}

/**
 * Expects, for any page size, that no row that meets the conditions is left out, and that rows come once and in order.
 */
async function expectAll(store: Store, of: string, where: readonly Condition[], limits = [1000]): Promise<void> {
  const { rows: whole } = await store.listRows(of, { limit: 1000 })
  const wanted = whole.filter(({ value }) => where.every((condition) => meets(value, condition)))
  for (const limit of limits) {
    const found = await listAll(store, of, { where, limit })
    const keysFound = new Set(keysOf(found))
    assert.equal(keysFound.size, found.length, 'a row comes once')
    assert.deepEqual(
      found,
      whole.filter(({ key }) => keysFound.has(key)),
    )
    const missing = wanted.filter(({ key }) => !keysFound.has(key))
    assert.deepEqual(missing, [], `left out for ${JSON.stringify(where)}`)
  }
}

const texts: readonly string[] = [
  ...[
    '',
    'a',
    'A',
    'a ',
    '1',
    '1.0',
    '0',
    'true',
    'null',
    '{}',
    '"',
    'a"b',
    "it's",
    '\\',
    'a\\b',
    '\\u0041',
    '%',
    '\n',
    '\t',
  ],
  ...['a\0b', 'a\0c', '\0', 'é', 'e\u0301', '日本', '😀', '\u2028', '\uffff', '\u007f', ' ', 'x'.repeat(5000)],
]

const numbers: readonly number[] = [
  ...[0, 1, -1, 2, 10, 0.1, 0.2, 0.1 + 0.2, 0.3, 1.5, -1.5, 1 / 3, 123456.789, 1e15 + 0.3, 4.35, 1.0000000000000002],
  ...[
    2 ** 31,
    -(2 ** 31),
    2 ** 32 + 1,
    2 ** 53 - 1,
    -(2 ** 53) + 1,
    2 ** 53,
    2 ** 53 + 2,
    2 ** 60,
    2 ** 63,
    -(2 ** 63),
  ],
  ...[2 ** 64, 1e19, 1e21, 1.2345678901234568e22, 1e-7, 1e300, -1e300, 5e-324, 2.2250738585072014e-308],
  ...[Number.MAX_VALUE, -Number.MAX_VALUE, Number.MAX_VALUE / 3],
]

/** Field names that have a special meaning in some database or in JavaScript. */
const fields: readonly string[] = [
  ...[
    '',
    ' ',
    'a.b',
    '$',
    '$a',
    '$$date',
    '$.a',
    'a"b',
    '"',
    "it's",
    'back\\slash',
    '\\',
    'a[0]',
    '0',
    '1',
    '-1',
    '#',
    '*',
  ],
  ...[
    '%',
    '@',
    '/',
    'a/b',
    '~0',
    '{a,b}',
    'key',
    'value',
    'where',
    'select',
    '日本',
    'é',
    'e\u0301',
    '😀',
    '\uffff',
    'a\nb',
  ],
  ...['a\tb', 'a\0b', '__proto__', 'constructor', 'toString', 'length', 'A', 'a', 'x'.repeat(300)],
]

const recordOf = (field: string, value: Json): Json => JSON.parse(`{${JSON.stringify(field)}:${JSON.stringify(value)}}`)

/** Values without a field `a`, or in which it is not a string, a number or a boolean. */
const others: readonly Json[] = [
  ...[null, true, 5, 'a', '{"a":1}', [], ['a', 1], [{ a: 1 }], {}, { b: 1 }, { A: 1 }, { b: { a: 1 } }],
  ...[{ a: null }, { a: [] }, { a: [1] }, { a: ['a'] }, { a: {} }, { a: { a: 1 } }, { 'a.a': 1 }, { '"a"': 1 }],
]

export const rowConditions: ConformanceGroup = {
  title: 'Rows that meet conditions',
  cases: {
    'are not left out if a string is wanted': async (kit) => {
      const of = await saveValues(kit, [...texts, ...numbers, true, false].map((a) => ({ a })).concat(others as never))
      for (const text of texts) await expectAll(kit.store, of, [{ field: 'a', oneOf: [text] }])
    },
    'are not left out if a number is wanted': async (kit) => {
      const of = await saveValues(kit, [...numbers, ...texts, true, false].map((a) => ({ a })).concat(others as never))
      for (const number of [...numbers, -0]) await expectAll(kit.store, of, [{ field: 'a', oneOf: [number] }])
    },
    'are not left out if true or false is wanted': async (kit) => {
      const values = [true, false, 0, 1, 'true', 'false', '1', ''].map((a) => ({ a }))
      const of = await saveValues(kit, [...values, ...others])
      for (const wanted of [[true], [false], [true, false], [1], [0]]) {
        await expectAll(kit.store, of, [{ field: 'a', oneOf: wanted }])
      }
    },
    'are not left out if one of several values is wanted': async (kit) => {
      const of = await saveValues(kit, [...numbers, ...texts, true, false].map((a) => ({ a })).concat(others as never))
      const many = upTo(500).map((n) => `other ${n}`)
      for (const oneOf of [
        [],
        ['a', 1, true],
        ['1', 0.1, false, '日本'],
        [...many, 'a'],
        [...texts, ...numbers, true],
      ]) {
        await expectAll(kit.store, of, [{ field: 'a', oneOf }])
      }
    },
    'are not left out if a number has bounds': async (kit) => {
      const of = await saveValues(kit, [...numbers, ...texts, true, false].map((a) => ({ a })).concat(others as never))
      const bounds = [...numbers, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      for (const bound of bounds) {
        await expectAll(kit.store, of, [{ field: 'a', least: bound }])
        await expectAll(kit.store, of, [{ field: 'a', most: bound }])
        await expectAll(kit.store, of, [{ field: 'a', least: bound, most: bound }])
      }
      for (const [least, most] of [
        [0, 1],
        [1, 0],
        [-1.5, 0.3],
        [2 ** 53, 1e21],
      ] as const) {
        await expectAll(kit.store, of, [{ field: 'a', least, most }])
      }
      await expectAll(kit.store, of, [{ field: 'a' }])
    },
    'are not left out if a number that JSON lacks may be within bounds': async (kit) => {
      const kept: readonly Json[] = [
        ...[{ $number: '-0' }, { $number: 'Infinity' }, { $number: '-Infinity' }, { $number: 'NaN' }],
        ...[{ $bigint: '7' }, { $date: '2026-01-01T00:00:00.000Z' }],
      ]
      const of = await saveValues(
        kit,
        [...kept, 1].map((a) => ({ a })),
      )
      await expectAll(kit.store, of, [{ field: 'a', least: 0 }])
      await expectAll(kit.store, of, [{ field: 'a', most: 0 }])
      await expectAll(kit.store, of, [{ field: 'a', least: -5, most: 10 }])
    },
    'are found by fields of any name': async (kit) => {
      const of = await saveValues(
        kit,
        fields.flatMap((field) => [recordOf(field, 'yes'), recordOf(field, 3), recordOf(field, false)]),
      )
      for (const field of fields) {
        await expectAll(kit.store, of, [{ field, oneOf: ['yes'] }])
        await expectAll(kit.store, of, [{ field, oneOf: [3, false] }])
        await expectAll(kit.store, of, [{ field, least: 2, most: 4 }])
      }
    },
    'meet all of several': async (kit) => {
      const of = await saveValues(
        kit,
        upTo(60).map((n) => ({ n, kind: n % 2 === 0 ? 'even' : 'odd', small: n < 30 })),
      )
      await expectAll(kit.store, of, [
        { field: 'kind', oneOf: ['even'] },
        { field: 'n', least: 10, most: 40 },
        { field: 'small', oneOf: [true] },
      ])
      await expectAll(kit.store, of, [
        { field: 'n', least: 10 },
        { field: 'n', most: 12 },
      ])
      await expectAll(kit.store, of, [
        { field: 'n', oneOf: [3, 4] },
        { field: 'none', oneOf: ['x'] },
      ])
      await expectAll(kit.store, of, [])
    },
    'are counted for the limit only if they meet the conditions': async (kit) => {
      const of = await saveValues(
        kit,
        upTo(100).map((n) => ({ n, tenth: n % 10 === 0 })),
      )
      const limits = [1, 2, 3, 5, 10, 11]
      await expectAll(kit.store, of, [{ field: 'tenth', oneOf: [true] }], limits)
      await expectAll(kit.store, of, [{ field: 'n', least: 95 }], limits)
      await expectAll(kit.store, of, [{ field: 'n', oneOf: [1, 100] }], limits)
      await expectAll(kit.store, of, [{ field: 'n', least: 1000 }], limits)
    },
    'are found among those with a prefix, page by page': async ({ store, name }) => {
      const of = name()
      const rows = upTo(60).map((n) => ({ key: `${n % 3 === 0 ? 'a' : 'b'}${n}`, value: { even: n % 2 === 0 } }))
      await store.saveStep(of, { from: at(0), to: at(1), rows })
      const where = [{ field: 'even', oneOf: [true] }]
      const wanted = rows.filter(({ key, value }) => key.startsWith('a') && value.even)
      for (const limit of [1, 3, 10, 100]) {
        const found = await listAll(store, of, { prefix: 'a', where, limit })
        assert.ok(found.every(({ key }) => key.startsWith('a')))
        const keysFound = new Set(keysOf(found))
        assert.equal(keysFound.size, found.length)
        for (const { key } of wanted) assert.ok(keysFound.has(key), `${key} was left out`)
      }
    },
    'are found among many': async ({ store, name }) => {
      const of = name()
      const rows = upTo(5000).map((n) => ({ key: `${n}`, value: { n, rare: n % 1250 === 0 } }))
      await store.saveStep(of, { from: at(0), to: at(1), rows })
      const found = await listAll(store, of, { where: [{ field: 'rare', oneOf: [true] }], limit: 1000 })
      const keysFound = new Set(keysOf(found))
      for (const key of ['1250', '2500', '3750', '5000']) assert.ok(keysFound.has(key), `${key} was left out`)
    },
  },
}
