/** Kinds of events: calling one makes an event, its schema checks the data, and old revisions are upcast. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { type AnyEventKind, event, outputOf, upcast } from './event.ts'
import { toJson } from './json.ts'

const asDecided = (kind: AnyEventKind, data: unknown) => outputOf(kind, toJson('The event', data), data)

const Deposited = event('MoneyDeposited', z.object({ amount: z.int().positive() }))
const Pinged = event('Pinged', z.object({}))

const Placed = event('OrderPlaced', z.object({ total: z.number() }))
  .revise(z.object({ total: z.number(), currency: z.string() }), ({ total }) => ({ total, currency: 'EUR' }))
  .revise(z.object({ cents: z.int(), currency: z.string() }), ({ total, currency }) => ({
    cents: total * 100,
    currency,
  }))

test('a kind makes events of its type', () => {
  assert.deepEqual(Deposited({ amount: 5 }), { type: 'MoneyDeposited', data: { amount: 5 } })
  assert.equal(Deposited.type, 'MoneyDeposited')
})

test('data may be left out if an empty record is enough', () => {
  assert.deepEqual(Pinged(), { type: 'Pinged', data: {} })
})

test('a kind recognises its events by their type', () => {
  assert.ok(Deposited.is(Deposited({ amount: 1 })))
  assert.ok(!Deposited.is(Pinged()))
})

test('a kind cannot be changed', () => {
  assert.throws(() => Object.assign(Deposited, { type: 'Other' }), TypeError)
  assert.throws(() => (Deposited.revisions as unknown[]).push(1), TypeError)
})

test('a revision makes a new kind and does not change the old one', () => {
  const first = event('X', z.object({ a: z.number() }))
  const second = first.revise(z.object({ b: z.number() }), ({ a }) => ({ b: a }))
  assert.equal(first.revisions.length, 1)
  assert.equal(second.revisions.length, 2)
})

test('events of each revision are upcast through all later ones', () => {
  assert.deepEqual(upcast(Placed, 1, { total: 3 }), { cents: 300, currency: 'EUR' })
  assert.deepEqual(upcast(Placed, 2, { total: 3, currency: 'USD' }), { cents: 300, currency: 'USD' })
  assert.deepEqual(upcast(Placed, 3, { cents: 5, currency: 'USD' }), { cents: 5, currency: 'USD' })
})

test('each upcast gets the output of the previous schema', () => {
  const kind = event('X', z.object({ at: z.coerce.date() })).revise(z.object({ year: z.number() }), ({ at }) => ({
    year: at.getUTCFullYear(),
  }))
  assert.deepEqual(upcast(kind, 1, { at: '2026-05-05T00:00:00.000Z' }), { year: 2026 })
})

test('readers get the output of the schema', () => {
  const kind = event('Joined', z.object({ at: z.coerce.date(), nick: z.string().default('anon') }))
  const expected = { at: new Date(0), nick: 'anon' }
  assert.deepEqual(asDecided(kind, { at: '1970-01-01T00:00:00.000Z' }), expected)
  assert.deepEqual(upcast(kind, 1, { at: '1970-01-01T00:00:00.000Z' }), expected)
})

test('data that does not pass as decided is refused with every issue', () => {
  assert.throws(
    () => asDecided(Placed, { cents: 0.5 }),
    (error: { code?: string; facts?: { issues: readonly { path: string }[] } }) => {
      assert.equal(error.code, 'EVENT_INVALID')
      assert.deepEqual(error.facts?.issues.map(({ path }) => path).sort(), ['cents', 'currency'])
      return true
    },
  )
})

test('stored data that does not pass its revision is refused, with the revision', () => {
  assert.throws(() => upcast(Placed, 2, { total: 1 }), { code: 'EVENT_INVALID', message: /as stored in revision 2/ })
})

test('data that does not pass after an upcast is refused, with the revision it was upcast to', () => {
  const upcasting = event('X', z.object({ a: z.number() })).revise(z.object({ b: z.int() }), ({ a }) => ({ b: a }))
  assert.throws(() => upcast(upcasting, 1, { a: 0.5 }), { code: 'EVENT_INVALID', message: /as upcast to revision 2/ })
})

test('an event with a newer revision than the program knows is refused', () => {
  assert.throws(() => upcast(Placed, 4, {}), {
    code: 'EVENT_NEWER',
    facts: { event: 'OrderPlaced', revision: 4, known: 3 },
  })
})

test('an upcast that throws is an error with its cause', () => {
  const cause = new Error('no rate')
  const kind = event('X', z.object({})).revise(z.object({}), () => {
    throw cause
  })
  assert.throws(() => upcast(kind, 1, {}), { code: 'EVENT_UPCAST_FAILED', facts: { event: 'X', revision: 2 }, cause })
})

test('an asynchronous schema is refused', () => {
  const kind = event(
    'X',
    z.object({}).refine(async () => true),
  )
  assert.throws(() => asDecided(kind, {}), { code: 'SCHEMA_ASYNC' })
  assert.throws(() => upcast(kind, 1, {}), { code: 'SCHEMA_ASYNC' })
})

test('tags are made from the data that readers get', () => {
  const kind = event('X', z.object({ city: z.string().toLowerCase() })).tagged(({ city }) => [`city:${city}`])
  const output = asDecided(kind, { city: 'Graz' })
  assert.deepEqual(kind.tagsOf?.(output), ['city:graz'])
  assert.equal(Deposited.tagsOf, undefined)
})

test('tagging does not change the untagged kind', () => {
  const plain = event('X', z.object({ a: z.string() }))
  plain.tagged(({ a }) => [a])
  assert.equal(plain.tagsOf, undefined)
})

test('a revision keeps the tags that were set before it', () => {
  const kind = event('X', z.object({ a: z.string() }))
    .tagged(({ a }) => [`a:${a}`])
    .revise(z.object({ a: z.string(), b: z.string() }), ({ a }) => ({ a, b: '' }))
    .revise(z.object({ a: z.string(), c: z.string() }), ({ a }) => ({ a, c: '' }))
  assert.deepEqual(kind.tagsOf?.({ a: 'x', c: 'y' }), ['a:x'])
})

test('a date whose schema does not accept a string is refused, with advice', () => {
  const kind = event('Shipped', z.object({ at: z.date() }))
  assert.throws(() => asDecided(kind, { at: new Date(0) }), {
    code: 'EVENT_INVALID',
    message: /in which a Date is a string \(z\.coerce\.date\(\) accepts it/,
  })
  assert.throws(() => asDecided(kind, { at: 'never' }), { code: 'EVENT_INVALID', message: /as decided/ })
})

for (const type of ['', 'x'.repeat(1025), '\ud800', 'a\0b', 5 as unknown as string]) {
  test(`${JSON.stringify(type).slice(0, 12)} cannot be the type of an event`, () => {
    assert.throws(() => event(type, z.object({})), { code: 'ID_INVALID' })
  })
}

test('a schema that does not implement Standard Schema is refused', () => {
  for (const schema of [undefined, null, {}, () => true, { '~standard': {} }]) {
    assert.throws(() => event('X', schema as never), { code: 'DEFINITION_INVALID', message: /The event X/ })
  }
  assert.throws(() => Deposited.revise({} as never, () => ({}) as never), { code: 'DEFINITION_INVALID' })
})
