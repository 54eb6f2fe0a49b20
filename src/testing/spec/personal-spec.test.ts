import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, event, forgotten, Personal, personal, projection, reaction, reject } from '../../index.ts'
import { spec } from './spec.ts'
import { forgottenValue } from './spec-keys.ts'

const fields = z.object({ id: z.string(), email: z.string(), at: z.coerce.date() })
const whose = { subject: ({ id }: { readonly id: string }) => id, fields: ['email'] } as const
const Registered = event('Registered', fields).personal(whose)
const Customers = aggregate('customer', () => ({ email: undefined as Personal<string> | undefined }))
  .on(Registered, (_, { email }) => ({ email }))
  .command('register', personal(fields, whose), ({ email }, data) => {
    if (email?.value === forgotten) return reject('Forgotten', { email })
    return email?.value === data.email.value ? undefined : Registered(data)
  })
const Emails = projection('emails', () => ({ email: undefined as Personal<string> | undefined })).on(
  Registered,
  (_, { email }) => ({ email }),
)
const Again = reaction('again', { customer: Customers })
  .state(() => ({ last: undefined as Personal<string> | undefined }))
  .on(Registered, async ({ data }, { dispatch, schedule, setState }) => {
    await dispatch({ aggregate: 'customer', id: 'x', name: 'register', data })
    const plain = { ...data, email: String(data.email.value) }
    schedule({ aggregate: 'customer', id: 'y', name: 'register', data: plain }, { afterMs: 5 })
    setState({ last: data.email })
  })

const at = new Date('2026-01-01T00:00:00.000Z')
const ada = { id: '1', email: Personal.of('1', 'ada@example.org'), at }
const other = { id: '1', email: Personal.of('1', 'other@example.org'), at }

test('a spec of an aggregate takes and compares personal values', () => {
  const when = spec(Customers).when.register({ id: '1', email: 'ada@example.org', at })
  when.emits(Registered(ada)).leaves({ email: ada.email })
  assert.throws(() => when.emits(Registered(other)), /other@example\.org/)
  assert.throws(() => when.leaves({ email: other.email }), /ada@example\.org/)
  spec(Customers).given(Registered(ada)).when.register({ id: '1', email: 'ada@example.org', at }).emitsNothing()
})

test('a spec says what happens after a subject was forgotten', () => {
  const email = forgottenValue('1')
  spec(Customers)
    .given(Registered({ ...ada, email }))
    .when.register({ id: '1', email: 'x', at })
    .rejects('Forgotten', { email })
})

test('a spec of a projection compares personal values', () => {
  const given = spec(Emails).given(Registered(ada))
  given.row('spec', { email: ada.email })
  assert.throws(() => given.row('spec', { email: other.email }), /other@example\.org/)
})

test('a spec of a reaction compares personal values', async () => {
  const given = spec(Again).when(Registered(ada))
  await given
    .dispatches({ aggregate: 'customer', id: 'x', name: 'register', data: ada })
    .schedules([{ aggregate: 'customer', id: 'y', name: 'register', data: ada }, { afterMs: 5 }])
    .leaves({ last: ada.email })
  await assert.rejects(async () => await given.leaves({ last: other.email }), /other@example\.org/)
})
