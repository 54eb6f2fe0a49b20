/** A person is forgotten: what is read before and after, on every store. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, forgotten, hasCode, memory, personal, type StoreFactory } from '../../src/index.ts'
import { faultyStore } from '../../src/testing/index.ts'
import { ada, impatient, Shop, secrets } from '../support/personal/shop.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'
import type { StoreUnderTest } from '../support/stores/store-under-test.ts'

async function open(t: TestContext, store: StoreFactory, environment: ReturnType<typeof impatient> = impatient()) {
  const shop = await Shop.start({ store, environment, log: { warn: (...args) => assert.fail(String(args)) } })
  t.after(() => shop.stop())
  return shop
}

await onEveryStore('a person is forgotten', (store: StoreUnderTest) => {
  test('personal fields read as they were given, also by another program', async (t) => {
    const place = await store.place(t)
    let shop = await open(t, place)
    const outcome = await shop.customer('1').register(ada('1'))
    assert.equal(outcome.state.email!.value, secrets[0])
    const [registered] = outcome.events
    assert.ok(registered?.type === 'Registered')
    assert.equal(registered.data.address.city.value, secrets[1])
    if (store.name !== 'memory') {
      await shop.stop()
      shop = await open(t, place)
    }
    const { email, contacts } = await shop.customer('1').state()
    assert.equal(email!.value, secrets[0])
    assert.deepEqual([contacts[0]!.kind, contacts[0]!.phone.value], ['home', secrets[2]])
    const row = await shop.addresses.get('1', { atLeast: outcome.position })
    assert.deepEqual([row!.email!.value, row!.country], [secrets[0], 'GB'])
    const [event] = await Array.fromAsync(shop.customer('1').history())
    assert.ok(event?.type === 'Registered')
    assert.equal(event.data.contacts[1]!.phone.value, '+44 20 7946 0001')
  })

  test('everything that held the fields reads as forgotten, other fields and other persons do not', async (t) => {
    const place = await store.place(t)
    let shop = await open(t, place)
    await shop.customer('1').register(ada('1'))
    await shop.customer('1').note({ text: 'called' })
    const { position } = await shop.customer('2').register(ada('2'))
    const before = await shop.customer('1').state()
    await shop.addresses.get('2', { atLeast: position })
    const erasure = await shop.forget('1')
    assert.equal(erasure.subject, '1')
    assert.equal(erasure.keys.length, 1)
    assert.deepEqual(
      erasure.events.map(({ fields, ...rest }) => ({ ...rest, fields: [...fields].sort() })),
      [
        {
          aggregate: 'customer',
          type: 'Registered',
          count: 1,
          firstPosition: 1,
          lastPosition: 1,
          fields: ['address.city', 'contacts[].phone', 'email'],
        },
      ],
    )
    assert.deepEqual(erasure.rows, [{ of: 'projection', name: 'addresses', count: 1 }])
    assert.equal(before.email!.value, forgotten, 'a state that somebody still holds')
    for (const _ of ['live', 'loaded again']) {
      const state = await shop.customer('1').state()
      assert.equal(state.email!.value, forgotten)
      assert.deepEqual([state.notes, state.contacts.length, state.contacts[0]!.kind], [1, 2, 'home'])
      const row = await shop.addresses.get('1', { atLeast: position })
      assert.deepEqual([row!.email!.value, row!.country, row!.changes], [forgotten, 'GB', 1])
      const [event] = await Array.fromAsync(shop.customer('1').history())
      assert.ok(event?.type === 'Registered')
      assert.deepEqual([event.data.address.city.value, event.data.address.country], [forgotten, 'GB'])
      assert.equal((await shop.customer('2').state()).email!.value, secrets[0])
      if (store.name === 'memory') break
      await shop.stop()
      shop = await open(t, place)
    }
    await shop.customer('1').note({ text: 'called again' })
    assert.equal((await shop.customer('1').state()).notes, 2)
    assert.deepEqual((await shop.forget('1')).keys, erasure.keys, 'forgetting again says the same')
  })

  test('rows are built again from events with forgotten fields', async (t) => {
    const shop = await open(t, await store.place(t))
    await shop.customer('1').register(ada('1'))
    const { position } = await shop.customer('1').change(ada('1'))
    await shop.forget('1')
    await shop.projections.rebuild('addresses')
    const row = await shop.addresses.get('1', { atLeast: position })
    assert.deepEqual([row!.email!.value, row!.changes], [forgotten, 2])
    assert.equal((await shop.projections.compare('addresses')).differences.length, 0)
  })

  test('a repeated command still gets its stored answer', async (t) => {
    const shop = await open(t, await store.place(t))
    const first = await shop.customer('1').register(ada('1'), { commandId: 'r1' })
    await shop.forget('1')
    const again = await shop.customer('1').register(ada('1'), { commandId: 'r1' })
    assert.deepEqual([again.sequence, again.position], [first.sequence, first.position])
    const [event] = again.events
    assert.ok(event?.type === 'Registered')
    assert.equal(event.data.email.value, forgotten)
  })

  test('what comes in afterwards has a new key', async (t) => {
    const shop = await open(t, await store.place(t))
    await shop.customer('1').register(ada('1'))
    await shop.forget('1')
    await shop.customer('1').change({ ...ada('1'), email: 'new@example.org' })
    assert.equal((await shop.customer('1').state()).email!.value, 'new@example.org')
    const erasure = await shop.forget('1')
    assert.equal(erasure.keys.length, 2)
    assert.equal(erasure.events[0]!.count, 2)
  })

  testWhere(store.severalWriters)('another process cannot read a value after forget has answered', async (t) => {
    const place = await store.place(t)
    const shop = await open(t, place)
    const clock = impatient()
    const other = await open(t, place, clock)
    await shop.customer('1').register(ada('1'))
    const { email } = await other.customer('1').state()
    assert.equal(email!.value, secrets[0])
    await shop.forget('1')
    // `forget` waits for as long as the other process may use its key. This test moves that process's clock instead.
    clock.forward(5001)
    assert.throws(
      () => email!.value,
      (error) => hasCode(error, 'KEYS_UNCONFIRMED') && error.retryable,
    )
    assert.equal((await other.customer('1').state()).email!.value, forgotten)
    assert.equal(email!.value, forgotten)
    await other.customer('1').change({ ...ada('1'), email: 'new@example.org' })
    assert.equal((await shop.customer('1').state()).email!.value, 'new@example.org')
  })

  testWhere(store.severalWriters)('two processes that need the first key of a person agree on one', async (t) => {
    const place = await store.place(t)
    const shops = await Promise.all([open(t, place), open(t, place), open(t, place)])
    await Promise.all(
      shops.flatMap((shop, i) =>
        Array.from({ length: 5 }, (_, j) => shop.customer(`${i} ${j}`).register(ada(`person ${j}`))),
      ),
    )
    const { keys, events } = await shops[0]!.forget('person 3')
    assert.deepEqual([keys.length, events[0]!.count], [1, 3])
  })

  test('keys can be in a store of their own', async (t) => {
    const [events, keys] = [await store.place(t), await store.place(t)]
    const start = (keyStore: StoreFactory) => Shop.start({ store: events, keys: keyStore, environment: impatient() })
    const shop = await start(keys)
    await shop.customer('1').register(ada('1'))
    assert.equal((await shop.customer('1').state()).email!.value, secrets[0])
    if (store.name === 'memory') return shop.stop()
    await shop.stop()
    await using without = await start(await store.place(t))
    await assert.rejects(without.customer('1').state(), (error) => hasCode(error, 'KEY_MISSING'))
    const certified = without.forget('1')
    await assert.rejects(certified, (error) => hasCode(error, 'KEY_MISSING'), 'nothing is certified without the keys')
  })
})

test('rows are found and ordered by other fields than personal ones', async (t) => {
  const shop = await open(t, memory())
  const { position } = await shop.customer('1').register(ada('1'))
  const { rows } = await shop.addresses.find({ where: { country: 'GB' } }, { atLeast: position })
  assert.equal(rows[0]!.row.email?.value, secrets[0])
  // @ts-expect-error it cannot be ordered by
  const ordered = shop.addresses.find({ orderBy: ['email'] }, { atLeast: position })
  await assert.rejects(ordered, (error) => hasCode(error, 'OPTION_INVALID') && /not personal/.test(error.message))
  // @ts-expect-error and it cannot be asked for
  await shop.addresses.find({ where: { email: secrets[0] } })
})

test('an event with a plain value, or a fold that reads one, is refused before anything is stored', async (t) => {
  const fields = z.object({ id: z.string(), email: z.string() })
  const whose = { subject: ({ id }: { readonly id: string }) => id, fields: ['email'] } as const
  const Made = event('Made', fields).personal(whose)
  const Leaky = aggregate('leaky', () => ({ email: '' }))
    .on(Made, (_, { email }) => ({ email: String(email.value) }))
    .command('make', personal(fields, whose), (_, data) => Made(data))
    // @ts-expect-error the command does not declare the field
    .command('makePlain', fields, (_, data) => Made(data))
  await using domainOfLeaks = await domain({ aggregates: { leaky: Leaky } }).start({ environment: impatient() })
  const data = { id: '1', email: 'a@b.org' }
  await assert.rejects(domainOfLeaks.leaky('1').make(data), (error) => hasCode(error, 'PERSONAL_READ'))
  await assert.rejects(domainOfLeaks.leaky('1').makePlain(data), (error) => hasCode(error, 'PERSONAL_PLAIN'))
  assert.equal(await domainOfLeaks.head(), 0)
  t.diagnostic('nothing was stored')
})

test('an id that is used again with other personal data gets the stored answer, with other data it is refused', async (t) => {
  const shop = await open(t, memory())
  const first = await shop.customer('1').register(ada('1'), { commandId: 'c' })
  const again = await shop.customer('1').register({ ...ada('1'), email: 'x@y.org' }, { commandId: 'c' })
  assert.equal(again.position, first.position)
  const other = shop.customer('1').register({ ...ada('1'), customer: 'another' }, { commandId: 'c' })
  await assert.rejects(other, (error) => hasCode(error, 'COMMAND_ID_REUSED'))
})

test('a digest of data that is a text as a whole would be one of personal data: an id gets the stored answer', async () => {
  const Fields = z.object({ id: z.string(), email: z.string() })
  const declaration = { subject: ({ id }: { readonly id: string }) => id, fields: ['email'] } as const
  const Made = event('Made', Fields).personal(declaration)
  const parsing = z.string().transform((text) => JSON.parse(text) as z.infer<typeof Fields>)
  const Customer = aggregate('customer', () => 0)
    .on(Made, (count) => count + 1)
    .command('make', personal(parsing, declaration), (_, data) => Made(data))
  await using customers = await domain({ aggregates: { customer: Customer } }).start({ environment: impatient() })
  const first = await customers.customer('1').make(JSON.stringify({ id: '1', email: 'a@b.org' }), { commandId: 'c' })
  const again = await customers.customer('1').make(JSON.stringify({ id: '1', email: 'x@y.org' }), { commandId: 'c' })
  assert.equal(again.position, first.position)
})

test('a domain without personal fields has nothing to forget', async () => {
  const Plain = aggregate('plain', () => 0)
  await using plain = await domain({ aggregates: { plain: Plain } }).start()
  await assert.rejects(plain.forget('1'), (error) => hasCode(error, 'DEFINITION_INVALID'))
  await assert.rejects(plain.forget(''), (error) => hasCode(error, 'ID_INVALID'))
})

test('a value of another domain gets a key of the domain that it comes to', async (t) => {
  const [one, other] = [await open(t, memory()), await open(t, memory())]
  const { state } = await one.customer('1').register(ada('1'))
  await other.customer('1').register({ ...ada('1'), email: state.email! })
  await one.forget('1')
  assert.equal(state.email!.value, forgotten)
  assert.equal((await other.customer('1').state()).email!.value, secrets[0])
  const [event] = await Array.fromAsync(other.customer('1').history())
  assert.ok(event?.type === 'Registered')
  assert.equal(event.data.email.value, secrets[0])
  const again = other.customer('2').register({ ...ada('1'), email: state.email! })
  await assert.rejects(again, (error) => hasCode(error, 'PERSONAL_PLAIN'))
  assert.equal((await other.forget('1')).events[0]!.count, 1)
})

test('a snapshot of plain values is not used once the fields are personal', async () => {
  const fields = z.object({ id: z.string(), email: z.string() })
  const whose = { subject: ({ id }: { readonly id: string }) => id, fields: ['email'] } as const
  const Before = event('Made', fields)
  const evolve = (_: unknown, { email }: { readonly email: any }) => ({ email })
  const initial = () => ({ email: undefined as any })
  const before = aggregate('thing', initial, { snapshotEvery: 1 })
    .on(Before, evolve)
    .command('make', fields, (_, data) => Before(data))
  const after = aggregate('thing', initial, { snapshotEvery: 1 }).on(Before.personal(whose), evolve)
  const store = memory()
  {
    await using first = await domain({ aggregates: { thing: before } }).start({ store })
    await first.thing('1').make({ id: '1', email: 'a@b.org' })
  }
  await using second = await domain({ aggregates: { thing: after } }).start({ store, log: { warn: () => {} } })
  assert.equal((await second.thing('1').state()).email.value, 'a@b.org')
})

/** Lets a call to a store wait for another one's end. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const hold = () => {
    reached.resolve()
    return promise
  }
  return { hold, reached: reached.promise, let: resolve }
}

for (const method of ['readStream', 'append'] as const) {
  test(`a command that waits for ${method} while its person is forgotten is decided on what was sent`, async (t) => {
    const seen: unknown[] = []
    const data = personal(z.object({ person: z.string(), email: z.string() }), {
      subject: ({ person }) => person,
      fields: ['email'],
    })
    const Moved = event('Moved', data)
    const Person = aggregate('person', () => ({ moves: 0 }))
      .on(Moved, ({ moves }) => ({ moves: moves + 1 }))
      .command('move', data, (_, { person, email }) => {
        seen.push(email.value)
        return Moved({ person, email })
      })
    const People = domain({ aggregates: { person: Person } })
    const place = memory()
    const wait = held()
    let isHeld = false
    const store = faultyStore(place, (call) => {
      if (!isHeld || call.method !== method) return undefined
      isHeld = false
      return wait.hold()
    })
    const environment = impatient()
    const [one, other] = [await People.start({ store, environment }), await People.start({ store: place, environment })]
    t.after(() => Promise.all([one.stop(), other.stop()]))
    await one.person('a').move({ person: 'ada', email: 'first' })
    isHeld = true
    const id = method === 'append' ? 'a' : 'b'
    const moving = one.person(id).move({ person: 'ada', email: 'second' })
    await wait.reached
    await one.forget('ada')
    if (method === 'append') await other.person('a').move({ person: 'ada', email: 'between' })
    wait.let()
    const { events } = await moving
    assert.deepEqual(seen.filter((email) => email !== 'first' && email !== 'between').at(-1), 'second')
    assert.ok(!seen.includes(forgotten))
    assert.equal(events[0]!.data.email.value, 'second')
    assert.equal((await one.forget('ada')).keys.length, 2)
    assert.equal(events[0]!.data.email.value, forgotten)
  })
}
