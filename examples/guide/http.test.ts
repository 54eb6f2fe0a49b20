/** The code of docs/guide/http.md, run as tests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { http } from '../../src/http/index.ts'
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
