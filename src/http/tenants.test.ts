/** Many tenants behind one service: each request gets to the domain of its tenant, and to no other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bank } from '../../examples/bank/bank.ts'
import { assertProblem, requests } from '../../test/support/http/client.ts'
import { until } from '../../test/support/kernel/rig.ts'
import { memory, tenants } from '../index.ts'
import { http } from './index.ts'

/** Tenants in memory. */
function manyBanks() {
  const stores = new Map<string, ReturnType<typeof memory>>()
  const storeOf = (name: string) => {
    if (name === 'broken') throw new Error('the password is 1234')
    if (!stores.has(name)) stores.set(name, memory())
    return stores.get(name)!
  }
  return tenants(Bank, { start: (name) => ({ store: storeOf(name) }), log: { warn() {} }, openMax: 2 })
}

const tenantOf = ({ request }: { readonly request: Request }): string | Response =>
  request.headers.get('x-tenant') ?? new Response(null, { status: 404 })

const of = (tenant: string) => ({ 'X-Tenant': tenant })

test('a request is answered by the domain of its tenant', async () => {
  await using banks = manyBanks()
  const { get, post } = requests(http(banks, { tenant: tenantOf, log: { warn() {} } }))
  for (const tenant of ['acme', 'umbrella']) {
    assert.equal((await post('/aggregates/account/ada/open', { owner: tenant }, of(tenant))).body.position, 1)
  }
  await post('/aggregates/account/ada/deposit', { amount: 5 }, of('acme'))
  const after = (tenant: string) => ({ ...of(tenant), 'Mneme-Position': '1' })
  assert.equal((await get('/projections/balances/ada', after('acme'))).body.owner, 'acme')
  assert.equal((await get('/projections/balances/ada', after('umbrella'))).body.owner, 'umbrella')
  assert.equal((await get('/aggregates/account/ada', of('umbrella'))).body.state.balance, 0)
  assert.equal((await get('/openapi.json', of('acme'))).body.openapi, '3.1.0')
  assert.equal((await get('/aggregates/account/ada')).status, 404)
  assertProblem(await get('/aggregates/account/ada', of('x'.repeat(65))), 400, 'ID_INVALID')
  assertProblem(await get('/aggregates/account/ada', of('broken')), 503, 'TENANT_NOT_OPENED')
  await until('all are given back', () => banks.load().inUse === 0)
})

test('a stream keeps the domain of its tenant open until it ends', async () => {
  await using banks = manyBanks()
  const handle = http(banks, { tenant: tenantOf })
  await banks.get('acme').account('ada').open({ owner: 'Ada' })
  const gone = new AbortController()
  const init = { headers: of('acme'), signal: gone.signal }
  const response = await handle(new Request('http://bank.example/events', init))
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  await reader.read()
  assert.match((await reader.read()).value!, /AccountOpened/)
  assert.equal(banks.load().inUse, 1)
  await banks.get('acme').account('bob').open({ owner: 'Bob' })
  assert.match((await reader.read()).value!, /AccountOpened/)
  gone.abort()
  await until('the domain is given back', () => banks.load().inUse === 0)
})

test('the tenant is asked for with its user, and hooks get the types of the domain', async () => {
  await using banks = manyBanks()
  const handle = http(banks, {
    user: (request) => ({ company: request.headers.get('authorization') ?? 'none' }),
    tenant: ({ user }) => user.company,
    maySend: ({ user, command }) => {
      // @ts-expect-error there is no such command
      if (command.name === 'close') return false
      return command.name === 'open' && command.data.owner === user.company
    },
  })
  const { post } = requests(handle)
  const open = (owner: string) => post('/aggregates/account/ada/open', { owner }, { Authorization: 'acme' })
  assertProblem(await open('umbrella'), 403, 'REQUEST_FORBIDDEN')
  assert.equal((await open('acme')).status, 200)
  assert.equal(await banks.get('acme').head(), 1)
})

test('a domain that does not open in time is 503, and what was asked for is not done later', async () => {
  const opening = Promise.withResolvers<void>()
  const store = memory()
  const start = async () => {
    await opening.promise
    return { store }
  }
  await using banks = tenants(Bank, { start, log: { warn() {} } })
  const { post } = requests(http(banks, { tenant: tenantOf, timeoutMs: 20 }))
  const answered = await post('/aggregates/account/ada/open', { owner: 'Ada' }, of('acme'))
  assertProblem(answered, 503, 'REQUEST_TIMED_OUT')
  opening.resolve()
  await until('it is open, and given back', () => banks.load().open === 1 && banks.load().inUse === 0)
  assert.equal(await banks.get('acme').head(), 0)
})

test('whose domain it is must be said if there are many, and only then', async () => {
  await using banks = manyBanks()
  await using bank = await Bank.start()
  // @ts-expect-error the option tenant is missing
  assert.throws(() => http(banks, {}), { code: 'OPTION_INVALID' })
  assert.throws(() => http(bank, { tenant: () => 'acme' } as never), { code: 'OPTION_INVALID' })
})
