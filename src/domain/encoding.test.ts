/** States and rows become JSON and come back the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decode, decodeOwn, encode, NotEncoded } from './encoding.ts'
import { depthMax, type Json } from './json.ts'

function roundTrip(value: unknown): unknown {
  const text = JSON.stringify(encode('X', value))
  const decoded = decode(JSON.parse(text))
  assert.deepEqual(decodeOwn(JSON.parse(text)), decoded)
  return decoded
}

const kept: Readonly<Record<string, unknown>> = {
  'a text': 'text',
  null: null,
  'a record': { a: 1, b: { c: [true, null, 'x'] } },
  'a date': new Date('2026-02-28T12:00:00.123Z'),
  'an invalid date': new Date(Number.NaN),
  'a bigint': 12345678901234567890n,
  NaN: Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  'minus infinity': Number.NEGATIVE_INFINITY,
  'minus zero': -0,
  undefined: undefined,
  'undefined in a list': [1, undefined, 2],
  'a Map with keys of all kinds': new Map<unknown, unknown>([
    ['a', 1],
    [2, new Date(0)],
    [{ k: 1 }, new Map([[null, new Set([1])]])],
  ]),
  'a Set': new Set<unknown>(['a', 1, null, [2]]),
  'keys that look like marks': { $date: 'not one', $map: [1], $: 0, $$date: 2, $$$x: { $set: [] } },
  'a record with only one key that looks like a mark': { $date: '2026-01-01T00:00:00.000Z' },
  'a record with only one key of two dollars': { $$date: 'x' },
  'an unknown mark': { $unknown: { $bigint: 'x' } },
  'an empty record and an empty list': [{}, []],
}

for (const [what, value] of Object.entries(kept)) {
  test(`${what} comes back the same`, () => {
    assert.deepEqual(roundTrip(value), value)
  })
}

test('a property that is undefined is left out', () => {
  assert.deepEqual(roundTrip({ a: undefined, b: 1 }), { b: 1 })
})

test('a key named __proto__ is data', () => {
  const value = JSON.parse('{"__proto__":{"polluted":true},"b":1}')
  const copy = roundTrip(value) as { polluted?: boolean }
  assert.deepEqual(Object.keys(copy), ['__proto__', 'b'])
  assert.equal(copy.polluted, undefined)
})

class Money {
  readonly cents = 5
}

const refused: Readonly<Record<string, readonly [unknown, string]>> = {
  'a function': [{ a: { f: () => 1 } }, 'a.f'],
  'a symbol': [[Symbol('x')], '[0]'],
  'an instance of a class': [{ list: [new Money()] }, 'list[0]'],
  'a promise': [Promise.resolve(), ''],
  bytes: [{ list: [new Uint8Array(2)] }, 'list[0]'],
  'a buffer': [{ a: Buffer.from('abc') }, 'a'],
  'numbers in a typed array': [new Map([['a', new Float64Array(2)]]), '[0][1]'],
  'a view of bytes': [new DataView(new ArrayBuffer(2)), ''],
  'an instance of a class that extends Map': [{ a: new (class Cache extends Map {})() }, 'a'],
  'an instance of a class that extends Date': [[new (class Days extends Date {})()], '[0]'],
  'a set with extra properties': [{ a: Object.assign(new Set(), { name: 'x' }) }, 'a'],
  'a function in a Map': [{ m: new Map([['k', () => 1]]) }, 'm[0][1]'],
}

for (const [what, [value, path]] of Object.entries(refused)) {
  test(`${what} is refused with its path`, () => {
    assert.throws(
      () => encode('The state', value),
      (error: { code?: string; facts?: { path: string } }) => {
        assert.equal(error.code, 'DATA_NOT_JSON')
        assert.equal(error.facts?.path, path)
        return true
      },
    )
  })
}

test('a cycle is refused, and so is data that is nested too deep', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = new Map([[1, cycle]])
  assert.throws(() => encode('X', cycle), { code: 'DATA_NOT_JSON' })
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
  assert.deepEqual(decode(encode('X', nested(depthMax))), nested(depthMax))
  assert.throws(() => encode('X', nested(depthMax + 1)), { code: 'DATA_NOT_JSON' })
})

test('the result is an equal but different object', () => {
  const state = { list: [1], at: new Date(0) }
  const copy = decode(encode('X', state)) as typeof state
  assert.notEqual(copy, state)
  copy.list.push(2)
  assert.deepEqual(state.list, [1])
})

const key = fc.oneof(fc.string(), fc.constantFrom('$date', '$map', '$$', '$bigint', '__proto__', 'toString'))
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null), fc.bigInt(), fc.date({ noInvalidDate: false })),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
  ),
}))

test('any state of plain data comes back the same', () => {
  fc.assert(fc.property(value, (state) => assert.deepEqual(roundTrip(state), state)))
})

const notEncoded: Readonly<Record<string, Json>> = {
  'a date that is none': { $date: 'tomorrow' },
  'a date in another form': { $date: '2026-01-01' },
  'a date that does not exist': { $date: '2026-02-30T00:00:00.000Z' },
  'a number as a date': { $date: 5 },
  'a bigint that is none': { $bigint: 'five' },
  'a bigint in another form': { $bigint: '0x10' },
  'a bigint with a zero before it': { $bigint: '007' },
  'true as a bigint': { $bigint: true },
  'a record as a bigint': { $bigint: {} },
  'a number that JSON has': { $number: '5' },
  'a number that is none': { $number: 'many' },
  'undefined that is false': { $undefined: false },
  'a map that is none': { $map: 5 },
  'a map of something other than pairs': { $map: [1] },
  'a map of three': { $map: [[1, 2, 3]] },
  'a map with a key twice': {
    $map: [
      [1, 2],
      [1, 3],
    ],
  },
  'a set that is a text': { $set: 'abc' },
  'a set with a value twice': { $set: [1, 1] },
  'a mark that is unknown': { $other: 1 },
  'a mark within a map': { $map: [['a', { $bigint: 'x' }]] },
  'a mark that is not alone': { $date: '2026-01-01T00:00:00.000Z', other: 1 },
  'an empty mark': { $: 1 },
}

for (const [what, json] of Object.entries(notEncoded)) {
  test(`${what} is refused`, () => {
    assert.throws(() => decode(json), NotEncoded)
    assert.throws(() => decode({ list: [json] }), NotEncoded)
  })
}

test('a text that is cut in the reason of a refusal stays well-formed', () => {
  assert.throws(
    () => decode({ $bigint: `${'x'.repeat(58)}😀` }),
    (error: Error) => error.message.isWellFormed(),
  )
})
