import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import * as v from 'valibot'
import { z } from 'zod'
import { discreet } from './discreet.ts'
import { decode, encode } from './encoding.ts'
import { event, upcast } from './event.ts'
import { type Json, JsonCopier, toJson } from './json.ts'
import { forgotten, Personal } from './personal.ts'
import { personal } from './personal-schema.ts'
import { check } from './schema.ts'
import { adopt, boxStartOf, carrying, SealedValue, type SubjectKey } from './sealed-value.ts'
import { storedForm } from './stored-form.ts'

/** A key that encrypts nothing, but can be destroyed. */
function testKey(subject: string): SubjectKey & { isDestroyed: boolean; isConfirmed: boolean } {
  return {
    id: 'A'.repeat(22),
    subject,
    boxStart: boxStartOf('A'.repeat(22)),
    isDestroyed: false,
    isConfirmed: true,
    seal: (text) => Buffer.from(text).toString('base64url'),
    open: (sealed) => Buffer.from(sealed, 'base64url').toString(),
  }
}

function sealed<Value>(key: SubjectKey, value: Value): Personal<Value> {
  const made = Personal.of(key.subject, value)
  SealedValue.seal([made], key)
  return made
}

/** Stored data as a reader gets it: other objects, with each box connected to its value. */
function readAgain(stored: Json, key: SubjectKey): Json {
  return JSON.parse(JSON.stringify(stored), (_, part) => {
    if (typeof part?.$personal === 'string') adopt(part, new Personal({ subject: key.subject, key, box: part }))
    return part
  })
}

const person = z.object({ id: z.string(), email: z.email(), tags: z.array(z.object({ note: z.string() })).optional() })
const declaration = { subject: ({ id }: { readonly id: string }) => id, fields: ['email', 'tags.note'] } as const
const Person = personal(person, declaration)

function valid(schema: Parameters<typeof check>[0], data: unknown): any {
  const checked = check(schema, data)
  assert.ok(checked !== 'async' && 'value' in checked, JSON.stringify(checked))
  return checked.value
}

function messages(schema: Parameters<typeof check>[0], data: unknown): readonly string[] {
  const checked = check(schema, data)
  assert.ok(checked !== 'async' && 'issues' in checked)
  return checked.issues.map(({ path, message }) => `${path}: ${message}`)
}

test('a personal schema gives out personal values, in lists too', () => {
  const { id, email, tags } = valid(Person, { id: '1', email: 'a@b.org', tags: [{ note: 'x' }, { note: 'y' }] })
  assert.equal(id, '1')
  assert.ok(email instanceof Personal)
  assert.deepEqual([email.subject, email.value, tags[1].note.value], ['1', 'a@b.org', 'y'])
})

test('a personal value passes its schema as it is, and keeps its box', () => {
  const key = testKey('1')
  const email = sealed(key, 'a@b.org')
  assert.equal(valid(Person, { id: '1', email }).email, email)
})

test('a value reads as it was given, whatever characters it has', () => {
  const texts = [
    '',
    'Ada',
    '"',
    '\\',
    'C:\\new',
    'a"b',
    'a\nb',
    '\u0000',
    'é€𝄞',
    '\ud800',
    '\u2028',
    '"Ada"',
    '{"a":1}',
  ]
  for (const value of [
    ...texts,
    0,
    -1.5,
    true,
    null,
    ['Ada', '"'],
    { name: 'a"b' },
    new Date(0),
    new Map([['a', 'b']]),
  ]) {
    const made = sealed(testKey('ada'), value)
    assert.deepEqual(made.value, value)
    SealedValue.release(made)
    assert.deepEqual(made.value, value)
  }
})

test('a value that its schema changes gets a new box of the same key', () => {
  const key = testKey('1')
  const Trimmed = personal(z.object({ id: z.string(), name: z.string().trim() }), { ...declaration, fields: ['name'] })
  const { name } = valid(Trimmed, { id: 'another', name: sealed(key, ' Ada ') })
  assert.deepEqual([name.value, name.subject], ['Ada', '1'])
  key.isDestroyed = true
  assert.equal(name.value, forgotten)
})

test('a personal value shows itself in no text, log or JSON', () => {
  const value = Personal.of('1', 'a@b.org')
  assert.equal(
    `${value} ${inspect({ value })} ${JSON.stringify({ value })}`,
    '[personal] { value: [personal] } {"value":"[personal]"}',
  )
})

test('issues show no personal value', () => {
  assert.deepEqual(messages(Person, { id: 1, email: 'secret' }), [
    'id: Invalid input: expected string, received number',
    'email: it is not valid (the reason is left out, because it may show personal data)',
  ])
  const Valibot = personal(v.object({ id: v.string(), age: v.pipe(v.number(), v.maxValue(150)) }), {
    subject: ({ id }) => id,
    fields: ['age'],
  })
  assert.doesNotMatch(messages(Valibot, { id: '1', age: 777 }).join(), /777/)
  const Rooted = personal(
    person.refine(({ email }) => email !== 'a@b.org', { error: ({ input }) => `taken: ${JSON.stringify(input)}` }),
    declaration,
  )
  assert.doesNotMatch(messages(Rooted, { id: '1', email: 'a@b.org' }).join(), /a@b/)
  const validate = (): never => {
    throw new TypeError('a@b.org')
  }
  const Throwing = personal<any, string>({ '~standard': { version: 1, vendor: 'own', validate } }, declaration)
  assert.doesNotMatch(messages(Throwing, { id: '1', email: 'a@b.org' }).join(), /a@b/)
})

test('the subject is made without the personal fields, and must be an id', () => {
  const ByEmail = personal(person, { subject: ({ email }) => email, fields: ['email'] })
  assert.match(messages(ByEmail, { id: '1', email: 'a@b.org' }).join(), /the subject of personal fields/)
})

test('a forgotten field passes, and everything else is still checked', () => {
  const key = testKey('1')
  const email = sealed(key, 'a@b.org')
  key.isDestroyed = true
  const data = valid(Person, { id: '1', email, tags: [{ note: email }] })
  assert.deepEqual([data.id, data.email.value, data.tags[0].note.value], ['1', forgotten, forgotten])
  assert.deepEqual(messages(Person, { id: 1, email }), [
    'id: Invalid input: expected string, received number',
    'email: it is not valid (the reason is left out, because it may show personal data)',
  ])
})

test('an event is stored with boxes, and read with its values or without', () => {
  const schema = z.object({ id: z.string(), born: z.coerce.date(), at: z.coerce.date() })
  const bornOf = { subject: ({ id }: { readonly id: string }) => id, fields: ['born'] } as const
  const born = new Date('1815-12-10T00:00:00.000Z')
  const at = new Date('2026-01-01T00:00:00.000Z')
  // A personal schema that a command has as well says the same.
  for (const Registered of [
    event('Registered', schema).personal(bornOf),
    event('Registered', personal(schema, bornOf)),
  ]) {
    const key = testKey('1')
    const { stored } = storedForm(Registered, { id: '1', born: sealed(key, born), at }, new JsonCopier())
    assert.doesNotMatch(JSON.stringify(stored), /1815/)
    const read = upcast(Registered, 1, readAgain(stored, key)) as { born: Personal<Date>; at: Date }
    assert.deepEqual([read.born.value, read.at], [born, at])
    key.isDestroyed = true
    const later = upcast(Registered, 1, readAgain(stored, key)) as { born: Personal<Date>; at: Date }
    assert.deepEqual([later.born.value, later.at], [forgotten, at])
  }
})

test('an event with a plain value in a personal field is refused', () => {
  for (const Registered of [event('Registered', person).personal(declaration), event('Registered', Person)]) {
    for (const email of ['a@b.org', Personal.of('1', 'a@b.org')]) {
      assert.throws(() => storedForm(Registered, { id: '1', email }, new JsonCopier()), { code: 'PERSONAL_PLAIN' })
    }
  }
})

test('an upcast carries personal values, also when they are forgotten', () => {
  const key = testKey('1')
  const First = event('Registered', person).personal(declaration)
  const named = person.extend({ name: z.string(), plan: z.string() })
  const Second = First.revise(
    personal(named, { ...declaration, fields: ['email', 'name', 'tags.note'] }),
    (before) => ({
      ...before,
      name: 'unknown',
      plan: 'basic',
    }),
  )
  const { stored } = storedForm(First, { id: '1', email: sealed(key, 'a@b.org') }, new JsonCopier())
  for (const email of ['a@b.org', forgotten]) {
    key.isDestroyed = email === forgotten
    const read = upcast(Second, 1, readAgain(stored, key)) as {
      email: Personal<string>
      name: Personal<string>
      plan: string
    }
    assert.deepEqual([read.email.value, read.name.value, read.plan], [email, 'unknown', 'basic'])
  }
})

test('values that were stored before their field was personal can be read and carried', () => {
  const Registered = event('Registered', person).personal(declaration)
  const { email } = upcast(Registered, 1, { id: '1', email: 'a@b.org' }) as { email: Personal<string> }
  assert.equal(email.value, 'a@b.org')
  assert.deepEqual(encode('The row', { email }), { email: { $personal: ['1', '"a@b.org"'] } })
})

test('a state with personal values is stored with their boxes, and has the same values again', () => {
  const key = testKey('1')
  const state = { email: sealed(key, 'a@b.org'), all: new Map([['a', sealed(key, 1)]]) }
  const json = encode('The state', state)
  const again = decode(readAgain(json, key)) as typeof state
  assert.deepEqual([again.email.value, again.all.get('a')!.value], ['a@b.org', 1])
  assert.deepEqual(encode('The state', again), json)
  const unknown = decode(JSON.parse(JSON.stringify(json)))
  assert.deepEqual(encode('The state', unknown), json, 'a box without a key stays as it is')
  assert.throws(() => encode('The state', { email: Personal.of('1', 'x') }), { code: 'PERSONAL_PLAIN' })
})

test('a user cannot make a box by hand', () => {
  const box = { $personal: `1.${'A'.repeat(22)}.${Buffer.from('"x@y.org"').toString('base64url')}` }
  assert.ok(messages(Person, { id: '1', email: box }).length > 0)
})

test('a personal value is refused where nobody would find it again', () => {
  assert.throws(() => toJson('The metadata', { user: Personal.of('1', 'a') }), { code: 'DATA_NOT_JSON' })
})

test('a function that only carries values cannot read them', () => {
  const value = sealed(testKey('1'), 'a@b.org')
  assert.throws(() => carrying(() => value.value), { code: 'PERSONAL_READ' })
  assert.throws(() => carrying(() => carrying(() => value.value)), { code: 'PERSONAL_READ' })
  assert.equal(value.value, 'a@b.org')
})

test('an error shows no personal value, neither in its messages nor in its properties', () => {
  const email = sealed(testKey('1'), 'a@b.org')
  const thrown = Object.assign(new RangeError('no mail to a@b.org', { cause: 'a@b.org bounced' }), {
    code: 'BOUNCED',
    to: 'Ada <a@b.org>',
    tries: 3,
  })
  const hidden = discreet(thrown, [{ email }]) as typeof thrown
  assert.ok(hidden instanceof RangeError)
  assert.doesNotMatch(inspect(hidden), /a@b\.org/)
  assert.deepEqual({ ...hidden }, { code: 'BOUNCED', to: 'Ada <[personal]>', tries: 3 })
  assert.equal(discreet(thrown, [{ email: 'a@b.org' }]), thrown)
})

test('definitions that cannot work are refused', () => {
  for (const fields of [[], 'email', [1]]) {
    assert.throws(() => personal(person, { ...declaration, fields: fields as never }), { code: 'DEFINITION_INVALID' })
  }
  assert.throws(() => personal(person, { fields: ['email'] } as never), { code: 'DEFINITION_INVALID' })
  const tagged = event('Registered', person).tagged(() => [])
  assert.throws(() => tagged.personal(declaration), { code: 'DEFINITION_INVALID', message: /call .tagged after/ })
})
