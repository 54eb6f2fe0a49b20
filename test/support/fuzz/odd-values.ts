/** Values that programs give by mistake, and ids that are unusual but good. */
import type { Random } from '../../../src/testing/random.ts'

/** Ids that every store keeps apart. */
export const unusualIds: readonly string[] = [
  ...['a', 'A', 'a ', ' a', 'a/b', 'a_b', '%', '_', '$gt', '1', '01', 'é', 'e\u0301', '日本', '😀', '\ufffd', '\uffff'],
  ...['__proto__', 'constructor', 'toString', 'null', '"', "'", '\\', '\n', '\u0001', '\u0001\u0001', '\u007f', '~~'],
  'x'.repeat(1024),
]

const odd: readonly unknown[] = [
  ...[undefined, null, true, false, 0, -0, 1, 2, 1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, -Infinity],
  ...[2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e308, 5e-324, 1n, '', ' ', '\0', '\ud800', 'a\udfff', 'x'.repeat(1025)],
  ...['é'.repeat(513), 'x'.repeat(100_000), '1', '-1', 'NaN', [], {}, [[]], ['a'], [null], [undefined], { length: 1 }],
  ...[{ toString: null }, Object.create(null), { toJSON: () => 'x' }, new Date(0), new Date(Number.NaN)],
  ...[
    new Map(),
    new Set(['a']),
    /x/,
    Symbol('x'),
    () => 'x',
    new Uint8Array(2),
    new URL('https://x.org'),
    new Error('x'),
  ],
  Object.defineProperty({}, 'after', { enumerable: true, get: () => 'a' }),
]

export const oddValue = (random: Random): unknown => random.pick(odd)

/** One of the good values, or now and then an odd one. */
export const mostly = <Value>(random: Random, good: readonly Value[], share = 0.15): Value =>
  random.chance(share) ? (oddValue(random) as Value) : random.pick(good)

/** A record of some of the fields, mostly with good values, and now and then with other fields. Sometimes no record. */
export function oddRecord(random: Random, fields: Readonly<Record<string, readonly unknown[]>>): any {
  if (random.chance(0.04)) return oddValue(random)
  const record: Record<string, unknown> = {}
  for (const [name, good] of Object.entries(fields)) {
    if (random.chance(0.6)) record[name] = mostly(random, good)
  }
  if (random.chance(0.03))
    record[random.pick(['extra', 'limits', 'form', '__proto__', 'constructor'])] = oddValue(random)
  return record
}
