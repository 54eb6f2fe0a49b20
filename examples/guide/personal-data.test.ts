/** The code of docs/guide/personal-data.md, run as a test. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, forgotten, memory, type Personal, personal, projection } from '../../src/index.ts'

// #region declare
const registration = z.object({ customer: z.string(), email: z.email(), country: z.string() })

const Registered = event('Registered', registration).personal({
  subject: ({ customer }) => customer,
  fields: ['email'],
})

type Customer = { readonly email: Personal<string> | undefined; readonly country: string }

const Customers = aggregate('customer', (): Customer => ({ email: undefined, country: '' }))
  .on(Registered, (_, { email, country }) => ({ email, country }))
  .command('register', personal(registration, { subject: ({ customer }) => customer, fields: ['email'] }), (_, data) =>
    Registered(data),
  )
// #endregion

// #region rows
const Contacts = projection('contacts', () => ({ email: undefined as Personal<string> | undefined })).on(
  Registered,
  (_, { email }) => ({ email }),
)
// #endregion

const Shop = domain({ aggregates: { customer: Customers }, projections: { contacts: Contacts } })

test('a person is forgotten', async () => {
  await using shop = await Shop.start()
  // #region read
  await shop.customer('c-17').register({ customer: 'c-17', email: 'ada@example.org', country: 'GB' })
  const { email } = await shop.customer('c-17').state()
  console.log(`${email}`) // [personal]
  if (email !== undefined && email.value !== forgotten) console.log(email.value) // ada@example.org
  // #endregion
  assert.equal(email?.value, 'ada@example.org')
  // #region forget
  const erasure = await shop.forget('c-17')
  console.log(erasure.keys[0]?.destroyedAt, erasure.events) // when, and which fields of which events
  // #endregion
  assert.equal(erasure.events[0]?.count, 1)
  assert.equal(email?.value, forgotten)
})

test('keys have a store of their own', async () => {
  const [events, keys] = [memory(), memory()]
  // #region keys
  await using shop = await Shop.start({ store: events, keys })
  // #endregion
  assert.equal(await shop.head(), 0)
})

test('a revision declares its personal fields again', async () => {
  // #region revise
  const withName = registration.extend({ name: z.string() })
  const Renamed = Registered.revise(
    personal(withName, { subject: ({ customer }) => customer, fields: ['email', 'name'] }),
    (previous) => ({ ...previous, name: '' }),
  )
  // #endregion
  assert.equal(Renamed.revisions.length, 2)
})
