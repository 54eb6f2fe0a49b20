/** The hooks: who may send and read what, who sees personal values, and that nothing else gets out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { Bank } from '../../examples/bank/bank.ts'
import { assertProblem, requests } from '../../test/support/http/client.ts'
import { HttpError } from '../domain/error.ts'
import { aggregate, domain, event, type Personal, personal, projection, reject } from '../index.ts'
import { http } from './index.ts'
import type { ReadIn } from './options.ts'

const registration = z.object({ email: z.email(), plan: z.string() })
const whose = { subject: () => 'ada', fields: ['email'] } as const
const Registered = event('Registered', registration).personal(whose)
interface State {
  readonly email: Personal<string> | undefined
}
const Customer = aggregate('customer', (): State => ({ email: undefined }))
  .on(Registered, (_, { email }) => ({ email }))
  .command('register', personal(registration, whose), ({ email }, data) =>
    email === undefined ? Registered(data) : reject('Known', { email: data.email }),
  )
const Customers = projection('customers', (): State => ({ email: undefined }))
  .on(Registered, (_, { email }) => ({ email }))
  .by(({ stream }) => stream.id)
const Shop = domain({ aggregates: { customer: Customer }, projections: { customers: Customers } })

const all = async (paths: readonly string[], get: (path: string) => Promise<unknown>): Promise<string> =>
  JSON.stringify(await Promise.all(paths.map(get)))

test('a sender who may not send gets 403, before anything is decided', async () => {
  await using bank = await Bank.start()
  const asked: unknown[] = []
  const { post } = requests(
    http(bank, {
      user: (request) => ({ name: request.headers.get('authorization') }),
      async maySend({ user, command }) {
        asked.push([user.name, command.name, command.id])
        if (command.aggregate === 'account' && command.name === 'withdraw') return command.data.amount < 10
        return user.name === 'ada'
      },
      metadata: ({ user }) => ({ user: user.name }),
    }),
  )
  const ada = { Authorization: 'ada' }
  assert.equal((await post('/aggregates/account/ada/open', { owner: 'Ada' }, ada)).status, 200)
  assertProblem(
    await post('/aggregates/account/eve/open', { owner: 'Eve' }, { Authorization: 'eve' }),
    403,
    'REQUEST_FORBIDDEN',
  )
  assertProblem(await post('/aggregates/account/ada/withdraw', { amount: 10 }, ada), 403, 'REQUEST_FORBIDDEN')
  assertProblem(await post('/aggregates/account/ada/withdraw', { amount: 9 }, ada), 422, 'InsufficientFunds')
  assert.deepEqual(asked[0], ['ada', 'open', 'ada'])
  assert.equal(await bank.head(), 1)
  const [event] = await Array.fromAsync(bank.account('ada').history())
  assert.deepEqual(event!.metadata, { user: 'ada' })
})

test('a hook lets nobody through but by true', async () => {
  await using bank = await Bank.start()
  for (const result of [false, undefined, null, 1, 'true', {}]) {
    const hook = () => result as boolean
    const { post, get } = requests(http(bank, { maySend: hook, mayRead: hook }))
    assertProblem(await post('/aggregates/account/ada/open', { owner: 'Ada' }), 403, 'REQUEST_FORBIDDEN')
    assertProblem(await get('/aggregates/account/ada'), 403, 'REQUEST_FORBIDDEN')
  }
})

test('each read is asked for by what it is, before it is made', async () => {
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  const asked: unknown[] = []
  const { get } = requests(
    http(bank, {
      mayRead({ user: _, request: __, ...read }) {
        asked.push(read)
        return false
      },
    }),
  )
  const query = 'where={"owner":"Ada"}&limit=2'
  const paths = ['aggregates/account/ada', 'aggregates/account/ada/events', 'aggregates/account']
  for (const path of [
    ...paths,
    'projections/balances/ada',
    `projections/balances?${query}`,
    'projections/balances/none',
  ]) {
    const forbidden = await get(`/${path}`)
    assertProblem(forbidden, 403, 'REQUEST_FORBIDDEN')
    assert.doesNotMatch(JSON.stringify(forbidden.body), /Ada|none/)
  }
  assert.deepEqual(asked, [
    { kind: 'state', aggregate: 'account', id: 'ada' },
    { kind: 'stream', aggregate: 'account', id: 'ada' },
    { kind: 'ids', aggregate: 'account' },
    { kind: 'row', projection: 'balances', key: 'ada' },
    { kind: 'rows', projection: 'balances', query: { where: { owner: 'Ada' }, limit: 2 } },
    { kind: 'row', projection: 'balances', key: 'none' },
  ])
})

test('a sender who may send but not read gets no state, and says so before', async () => {
  await using bank = await Bank.start()
  const { post } = requests(http(bank, { mayRead: () => false }))
  const open = (headers: Record<string, string>) => post('/aggregates/account/ada/open', { owner: 'Ada' }, headers)
  assertProblem(await open({}), 403, 'REQUEST_FORBIDDEN')
  assert.equal(await bank.head(), 0)
  assert.deepEqual((await open({ Prefer: 'return=minimal' })).body, { sequence: 1, position: 1 })
})

test('a response of the hook that knows users is the answer', async () => {
  await using bank = await Bank.start()
  const user = () => new Response('Who are you?', { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } })
  const response = await http(bank, { user })(new Request('http://bank.example/aggregates/account/ada'))
  assert.deepEqual([response.status, response.headers.get('www-authenticate')], [401, 'Bearer'])
})

test('a personal value is shown to those who may see it, and to nobody once it is forgotten', async () => {
  await using shop = await Shop.start()
  const hidden = requests(http(shop))
  const open = requests(http(shop, { mayReveal: ({ subject }) => subject === 'ada' }))
  const data = { email: 'a@b.org', plan: 'basic' }
  const sent = await hidden.post('/aggregates/customer/1/register', data)
  assert.deepEqual([sent.body.state.email, sent.body.events[0].data.email], ['[personal]', '[personal]'])
  const again = await hidden.post('/aggregates/customer/1/register', data)
  assertProblem(again, 422, 'Known')
  assert.equal(again.body.details.email, '[personal]')
  const after = { 'Mneme-Position': '1' }
  const paths = [
    'aggregates/customer/1',
    'aggregates/customer/1/events',
    'projections/customers/1',
    'projections/customers',
  ]
  const marked = { Accept: 'application/vnd.mneme+json', ...after }
  for (const headers of [after, marked]) {
    const seen = await all(paths, (path) => hidden.get(`/${path}`, headers))
    assert.doesNotMatch(seen, /a@b|\$personal/)
    assert.equal(seen.match(/\[personal\]/g)?.length, paths.length)
    assert.equal((await all(paths, (path) => open.get(`/${path}`, headers))).match(/a@b\.org/g)?.length, paths.length)
  }
  await shop.forget('ada')
  for (const headers of [after, marked]) {
    const seen = await all(paths, (path) => open.get(`/${path}`, headers))
    assert.doesNotMatch(seen, /a@b/)
    assert.equal(seen.match(/\[forgotten\]/g)?.length, paths.length)
  }
})

test('the issues of a command show no personal value', async () => {
  await using shop = await Shop.start()
  const { post } = requests(http(shop))
  const refused = await post('/aggregates/customer/1/register', { email: 'not an address', plan: 5 })
  assertProblem(refused, 400, 'COMMAND_INVALID')
  assert.deepEqual(refused.body.issues.map(({ path }: { path: string }) => path).sort(), ['email', 'plan'])
  assert.doesNotMatch(JSON.stringify(refused.body), /not an address/)
})

test('a query cannot ask for what is in a personal value', async () => {
  await using shop = await Shop.start()
  await shop.customer('1').register({ email: 'a@b.org', plan: 'basic' })
  const { get } = requests(http(shop))
  const finds = async (where: unknown) => {
    const parameters = new URLSearchParams({ where: JSON.stringify(where) })
    return get(`/projections/customers?${parameters}`, { 'Mneme-Position': '1' })
  }
  assertProblem(await finds({ email: { $personal: ['ada', '"a@b.org"'] } }), 400, 'REQUEST_MALFORMED')
  const { status, body } = await finds({ email: 'a@b.org' })
  assert.ok(status === 400 || body.rows.length === 0, JSON.stringify(body))
})

test('a hook that fails is a failure of the program, whatever it throws', async () => {
  await using bank = await Bank.start()
  const rejected = () => bank.account('none').withdraw({ amount: 1 })
  const failures: readonly (() => unknown)[] = [
    rejected,
    () => bank.account('').state(),
    () => Promise.reject(new HttpError('ROUTE_UNKNOWN', { what: 'route' })),
    () => Promise.reject(undefined),
    () => {
      throw new TypeError('secret')
    },
  ]
  for (const hook of failures) {
    for (const name of ['user', 'maySend', 'mayRead', 'metadata'] as const) {
      const warnings: string[] = []
      const log = { warn: (message: string) => warnings.push(message) }
      const { post } = requests(http(bank, { [name]: hook, log }))
      assertProblem(await post('/aggregates/account/ada/open', { owner: 'Ada' }), 500, 'SERVER_FAILED')
      assert.equal(warnings.length, 1)
    }
  }
  for (const metadata of [() => ({ name: () => {} }), () => ({ amount: 5n }), () => 'Ada']) {
    const { post } = requests(http(bank, { metadata: metadata as never, log: { warn() {} } }))
    assertProblem(await post('/aggregates/account/ada/open', { owner: 'Ada' }), 500, 'SERVER_FAILED')
  }
  assert.equal(await bank.head(), 0)
})

test('a response of a hook may be one for all, and one that cannot be sent again is a failure', async () => {
  await using bank = await Bank.start()
  const warnings: string[] = []
  const log = { warn: (message: string) => warnings.push(message) }
  const empty = new Response(null, { status: 401 })
  const said = new Response('Who are you?', { status: 401 })
  for (const [response, second] of [[empty, 401] as const, [said, 500] as const, [Response.error(), 500] as const]) {
    const handle = http(bank, { user: () => response, log })
    const ask = async () => {
      const answered = await handle(new Request('http://bank.example/aggregates/account/ada'))
      await answered.text()
      return answered.status
    }
    await ask()
    assert.equal(await ask(), second)
  }
  assert.ok(warnings.length > 0)
})

test('an answer that cannot be written does not hide that the command was stored', async () => {
  await using shop = await Shop.start()
  let isBroken = true
  const mayReveal = () => {
    if (isBroken) throw new Error('secret')
    return true
  }
  const { post } = requests(http(shop, { mayReveal, log: { warn() {} } }))
  const register = (headers: Record<string, string>) =>
    post('/aggregates/customer/1/register', { email: 'a@b.org', plan: 'basic' }, headers)
  const lost = await register({})
  assertProblem(lost, 504, 'OUTCOME_UNKNOWN')
  isBroken = false
  const again = await register({ 'Idempotency-Key': lost.body.commandId })
  assert.deepEqual([again.status, again.body.sequence, again.body.state.email], [200, 1, 'a@b.org'])
})

test('what hooks get has types', async () => {
  await using bank = await Bank.start()
  http(bank, {
    user: () => ({ admin: true }),
    maySend: ({ user, command }) => {
      if (command.name === 'open') return command.data.owner === 'Ada'
      // @ts-expect-error there is no such command
      if (command.name === 'close') return false
      return user.admin
    },
    mayRead: ({ user, ...read }) => {
      if (read.kind === 'state') return read.aggregate === 'account'
      if (read.kind === 'row') return read.projection === 'balances' && read.key === 'ada'
      // @ts-expect-error rows have no key
      if (read.kind === 'rows') return read.key === 'ada'
      return user.admin
    },
  })
  // @ts-expect-error there is no such aggregate
  const read: ReadIn<typeof bank> = { kind: 'state', aggregate: 'customer', id: 'ada' }
  assert.ok(read)
})
