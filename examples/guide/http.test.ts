/** The code of docs/guide/http.md, run as tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client } from '../../src/http/client/index.ts'
import {
  commandOptionsOf,
  headersOf,
  http,
  jsonOf,
  pageOptionsOf,
  responseTo,
  waitOptionsOf,
} from '../../src/http/index.ts'
import { memory, tenants } from '../../src/index.ts'
import { Bank } from '../bank/bank.ts'

const json = { 'Content-Type': 'application/json' }

test('a bank is served by a function', async () => {
  // #region serve
  const bank = await Bank.start()
  const handle = http(bank)

  const response = await handle(
    new Request('http://localhost/aggregates/account/ada/open', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'c-1' },
      body: JSON.stringify({ owner: 'Ada' }),
    }),
  )
  console.log(response.status, await response.json()) // 200 { state: { status: 'open', balance: 0 }, sequence: 1, ... }
  // #endregion
  assert.equal(response.status, 200)
  await bank.stop()
})

/** The sessions of the example. */
const sessions = new Map([['s-1', { id: 'ada', isClerk: false }]])

test('hooks decide who may do what', async () => {
  await using bank = await Bank.start()
  // #region hooks
  const handle = http(bank, {
    user: (request) => {
      const session = sessions.get(request.headers.get('Authorization') ?? '')
      return session ?? new Response(null, { status: 401 })
    },
    maySend: ({ user, command }) => {
      if (command.name === 'withdraw' && command.data.amount > 1000) return user.isClerk
      return command.id === user.id
    },
    mayRead: ({ user, ...read }) => {
      switch (read.kind) {
        case 'state':
        case 'stream':
          return user.isClerk || read.id === user.id
        case 'row':
          return user.isClerk || read.key === user.id
        case 'rows':
          return user.isClerk || read.query.where?.owner === user.id
        default:
          return user.isClerk
      }
    },
    metadata: ({ user }) => ({ user: user.id }),
  })
  // #endregion
  const send = async (id: string, headers: Record<string, string>) => {
    const request = new Request(`http://bank.example/aggregates/account/${id}/open`, {
      method: 'POST',
      headers: { ...json, ...headers },
      body: '{"owner":"Ada"}',
    })
    return (await handle(request)).status
  }
  assert.equal(await send('ada', {}), 401)
  assert.equal(await send('eve', { Authorization: 's-1' }), 403)
  assert.equal(await send('ada', { Authorization: 's-1' }), 200)
})

test('each request gets to the domain of its tenant', async () => {
  const stores = new Map([['acme', memory()]])
  await using banks = tenants(Bank, { start: (name) => ({ store: stores.get(name)! }) })
  const sessions = new Map([['s-1', { company: 'acme' }]])
  // #region tenants
  const handle = http(banks, {
    user: (request) => sessions.get(request.headers.get('Authorization') ?? '') ?? new Response(null, { status: 401 }),
    tenant: ({ user }) => user.company,
  })
  // #endregion
  const ask = async (headers: Record<string, string>) =>
    (await handle(new Request('http://bank.example/aggregates/account/ada', { headers }))).status
  assert.deepEqual([await ask({}), await ask({ Authorization: 's-1' })], [401, 200])
})

test('a client has the types of the domain', async () => {
  await using served = await Bank.start()
  const handle = http(served, { basePath: '/api' })
  const fetch = (address: string, init: RequestInit) => handle(new Request(address, init))
  const url = 'https://bank.example/api'
  // #region client
  const bank = client<typeof Bank>(url, {
    headers: () => ({ Authorization: 's-1' }),
    fetch, // by default that of the platform
  })

  const ada = bank.account('ada')
  await ada.open({ owner: 'Ada' })
  const { state, sequence, position } = await ada.deposit({ amount: 100 })
  const outcome = await ada.try.withdraw({ amount: 500 }, { expectedSequence: sequence })
  if (!outcome.accepted) console.log(outcome.rejection.code) // InsufficientFunds

  const row = await bank.balances.get('ada', { atLeast: position })
  const { rows, next } = await bank.balances.find({ where: { balance: { gte: 100 } }, limit: 20 })
  const count = await bank.balances.count({ where: { balance: { gte: 100 } } })
  // #endregion
  assert.deepEqual([state.balance, row?.balance, rows.length, next, count], [100, 100, 1, undefined, 1])
  const signal = AbortSignal.abort(new Error('enough'))
  const follow = async () => {
    // #region follow
    for await (const event of bank.events({ types: ['MoneyDeposited'], from: 'now', signal })) {
      console.log(event.position, event.data.amount)
    }
    // #endregion
  }
  await assert.rejects(follow(), /enough/)
})

test('routes of your own have the same headers and problems', async () => {
  await using bank = await Bank.start()
  // #region own
  async function deposits(request: Request, id: string): Promise<Response> {
    try {
      const data = (await request.json()) as { amount: number } // the schema of the command checks it
      const outcome = await bank.account(id).deposit(data, commandOptionsOf(request))
      return Response.json(jsonOf(outcome.state), { headers: headersOf(outcome) })
    } catch (error) {
      if (error instanceof SyntaxError) return new Response(null, { status: 400 }) // the body is no JSON
      return responseTo(error)
    }
  }
  async function richest(request: Request): Promise<Response> {
    const query = { orderBy: [['balance', 'descending']], ...pageOptionsOf(request) } as const
    return Response.json(jsonOf(await bank.balances.find(query, waitOptionsOf(request))))
  }
  // #endregion
  await bank.account('ada').open({ owner: 'Ada' })
  const url = 'http://bank.example/accounts/ada/deposits'
  const deposit = (body: string, headers: Record<string, string> = {}) =>
    deposits(new Request(url, { method: 'POST', headers, body }), 'ada')
  const once = { 'Idempotency-Key': 'd-1', 'If-Match': '"1"' }
  const first = await deposit('{ "amount": 5 }', once)
  assert.deepEqual([first.status, first.headers.get('ETag')], [200, '"2"'])
  assert.equal((await deposit('{ "amount": 5 }', once)).headers.get('ETag'), '"2"')
  assert.equal((await deposit('{ "amount": 5 }', { 'If-Match': '"1"' })).status, 412)
  assert.equal((await deposit('{ "amount": 5 }', { 'If-Match': 'yesterday' })).status, 400)
  assert.equal((await deposit('{ "amount": -5 }')).status, 400)
  assert.equal((await deposit('{')).status, 400)
  const seen = { 'Mneme-Position': first.headers.get('Mneme-Position')! }
  const { rows } = (await (await richest(new Request(url, { headers: seen }))).json()) as { rows: readonly unknown[] }
  assert.equal(rows.length, 1)
})
