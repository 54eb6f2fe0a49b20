/** Values for the log are copied and frozen, and refused with their path if JSON would lose them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { depthMax, JsonCopier, toJson } from './json.ts'

class Money {
  readonly cents = 5
}

const refused: Readonly<Record<string, readonly [value: unknown, path: string, found: RegExp]>> = {
  'undefined at the root': [undefined, '', /undefined/],
  'undefined in a list': [{ list: [1, undefined] }, 'list[1]', /undefined/],
  'a hole in a list': [Object.assign([1], { 2: 3 }), '[1]', /undefined/],
  'a function': [{ a: { b: () => 1 } }, 'a.b', /function/],
  'a symbol': [[Symbol('x')], '[0]', /symbol/],
  'a bigint': [{ n: 5n }, 'n', /bigint/],
  NaN: [{ n: Number.NaN }, 'n', /NaN/],
  infinity: [[[Number.POSITIVE_INFINITY]], '[0][0]', /Infinity/],
  'minus infinity': [{ n: Number.NEGATIVE_INFINITY }, 'n', /-Infinity/],
  'a Map': [{ m: new Map([[1, 2]]) }, 'm', /Map/],
  'a Set': [{ s: new Set([1]) }, 's', /Set/],
  'a class instance': [{ price: new Money() }, 'price', /Money/],
  bytes: [{ b: new Uint8Array(2) }, 'b', /Uint8Array/],
  'a Buffer, although it has toJSON': [{ b: Buffer.from('x') }, 'b', /Buffer/],
  'a regular expression': [/x/, '', /RegExp/],
  'an error': [{ e: new Error('x') }, 'e', /Error/],
  'a promise': [{ p: Promise.resolve() }, 'p', /Promise/],
  'an invalid date': [{ at: new Date(Number.NaN) }, 'at', /invalid date/],
  'what toJSON gives, if it cannot be stored': [{ x: { toJSON: () => ({ y: 1n }) } }, 'x.y', /bigint/],
}

for (const [what, [value, path, found]] of Object.entries(refused)) {
  test(`${what} is refused with its path`, () => {
    assert.throws(
      () => toJson('The event X', value),
      (error: { code?: string; facts?: { what: string; path: string; found: string } }) => {
        assert.equal(error.code, 'DATA_NOT_JSON')
        assert.equal(error.facts?.what, 'The event X')
        assert.equal(error.facts.path, path)
        assert.match(error.facts.found, found)
        return true
      },
    )
  })
}

test('a cycle is refused', () => {
  const cycle: { self?: unknown } = {}
  cycle.self = { list: [cycle] }
  assert.throws(() => toJson('X', cycle), { code: 'DATA_NOT_JSON' })
})

test('nesting is allowed up to the limit and refused above', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)])
  assert.deepEqual(toJson('X', nested(depthMax)), nested(depthMax))
  assert.throws(() => toJson('X', nested(depthMax + 1)), { code: 'DATA_NOT_JSON' })
})

test('an object whose toJSON never ends is refused', () => {
  const endless = { toJSON: (): unknown => ({ toJSON: endless.toJSON }) }
  assert.throws(() => toJson('X', endless), { code: 'DATA_NOT_JSON' })
})

test('a date becomes its ISO string', () => {
  const at = new Date('2026-02-28T12:00:00.123Z')
  assert.deepEqual(toJson('X', { at }), { at: '2026-02-28T12:00:00.123Z' })
})

test('an object with toJSON becomes its result, an instance of a class too', () => {
  class Point {
    toJSON() {
      return { x: 1, at: new Date(0) }
    }
  }
  assert.deepEqual(toJson('X', [new Point(), { toJSON: () => 5 }]), [{ x: 1, at: '1970-01-01T00:00:00.000Z' }, 5])
})

test('a property that is undefined is left out', () => {
  const copy = toJson('X', { a: undefined, b: 1 })
  assert.deepEqual(Object.keys(copy as object), ['b'])
})

test('minus zero becomes zero', () => {
  assert.ok(Object.is(toJson('X', -0), 0))
})

test('a key named __proto__ is data, and does not change the prototype', () => {
  const copy = toJson('X', JSON.parse('{"__proto__":{"polluted":true}}'))
  assert.deepEqual(Object.keys(copy as object), ['__proto__'])
  assert.equal((copy as { polluted?: boolean }).polluted, undefined)
  assert.equal(Object.getPrototypeOf(copy), Object.prototype)
  assert.equal(JSON.stringify(copy), '{"__proto__":{"polluted":true}}')
})

test('a record without a prototype is a record', () => {
  const bare = Object.assign(Object.create(null), { a: 1 })
  assert.deepEqual(toJson('X', bare), { a: 1 })
})

test('symbol keys and inherited properties are not data', () => {
  assert.deepEqual(toJson('X', { [Symbol('s')]: 1, a: 2 }), { a: 2 })
})

test('the copy is deeply frozen and independent of its source', () => {
  const source = { list: [{ n: 1 }] }
  const copy = toJson('X', source) as unknown as typeof source
  source.list[0]!.n = 2
  source.list.push({ n: 3 })
  assert.deepEqual(copy, { list: [{ n: 1 }] })
  assert.throws(() => copy.list.push({ n: 4 }), TypeError)
  assert.throws(() => Object.assign(copy.list[0]!, { n: 4 }), TypeError)
  assert.throws(() => Object.assign(copy, { more: 1 }), TypeError)
})

test('the size grows with the text, and adds up over copies', () => {
  const sizeOf = (...values: readonly unknown[]) => {
    const copier = new JsonCopier()
    for (const value of values) copier.copy(value, 'The event', 'X')
    return copier.size
  }
  const small = sizeOf({ text: 'x' })
  assert.equal(sizeOf({ text: 'x'.repeat(101) }), small + 100)
  assert.ok(sizeOf({ text: 'x', more: [1, null, true] }) > small)
  assert.equal(sizeOf({ text: 'x' }, { text: 'x' }), 2 * small)
})

test('toJson gives the same as JSON for everything that JSON can hold', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(toJson('X', value), JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('everything that toJson accepts survives JSON unchanged', () => {
  fc.assert(
    fc.property(fc.anything({ withDate: true, withMap: true, withBigInt: true, withNullPrototype: true }), (value) => {
      let copy: unknown
      try {
        copy = toJson('X', value)
      } catch {
        return
      }
      assert.deepEqual(JSON.parse(JSON.stringify(copy)), copy)
    }),
  )
})

test('A list or record that is too large is read only up to the limit', () => {
  for (const empty of [[], {}]) {
    let reads = 0
    const keys = Array.from({ length: 3000 }, (_, i) => `${i}`)
    const many = new Proxy(empty, {
      ownKeys: () => (Array.isArray(empty) ? ['length'] : keys),
      getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
      get: (target, key) => {
        if (key === 'length') return 3_000_000
        if (typeof key !== 'string' || !/^\d+$/.test(key)) return Reflect.get(target, key)
        reads++
        return 1
      },
    })
    const copier = new JsonCopier()
    copier.sizeMax = 1000
    assert.throws(() => copier.copy(many, 'it', ''), RangeError)
    assert.ok(reads > 0 && reads <= 1000 / 8 + 1, `${reads} were read`)
  }
})
