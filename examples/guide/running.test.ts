/** The code of docs/guide/running.md, run as tests. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { commandOptionsOf, headersOf, jsonOf, responseTo, statusOf } from '../../src/http/index.ts'
import {
  type CommandOf,
  CommandRejected,
  type EventsOf,
  type Handle,
  hasCode,
  InputError,
  memory,
  type RowOf,
  type Running,
} from '../../src/index.ts'
import type { Account } from '../bank/account.ts'
import type { Balances } from '../bank/balances.ts'
import { Bank } from '../bank/bank.ts'

test('commands are methods, and rejections are values or exceptions', async () => {
  // #region commands
  await using bank = await Bank.start({ store: memory() })
  const ada = bank.account('ada')

  await ada.open({ owner: 'Ada' })
  const { state, sequence, position, events } = await ada.deposit({ amount: 100 })

  const outcome = await ada.try.withdraw({ amount: 500 })
  if (!outcome.accepted && outcome.rejection.code === 'InsufficientFunds') {
    console.log(`short by ${outcome.rejection.details.requested - outcome.rejection.details.balance}`)
  }

  try {
    await ada.withdraw({ amount: 500 })
  } catch (error) {
    if (!(error instanceof CommandRejected)) throw error
    console.log(error.code, error.details)
  }
  // #endregion
  assert.deepEqual([state.balance, sequence, position, events.length], [100, 2, 2, 1])
  assert.equal(outcome.accepted, false)
})

test('a command with an id has one effect', async () => {
  await using bank = await Bank.start({ store: memory() })
  await bank.account('ada').open({ owner: 'Ada' })
  // #region exactly-once
  const commandId = 'payment-4711'
  await bank.account('ada').deposit({ amount: 100 }, { commandId })
  const repeated = await bank.account('ada').deposit({ amount: 100 }, { commandId })
  console.log(repeated.state.balance) // 100
  // #endregion
  assert.equal(repeated.state.balance, 100)
})

test('a command may be data', async () => {
  await using bank = await Bank.start({ store: memory() })
  // #region dispatch
  await bank.dispatch({
    aggregate: 'account',
    id: 'ada',
    name: 'open',
    data: { owner: 'Ada' },
    commandId: 'c-1',
    metadata: { user: 'u-1' },
    tags: ['web'],
  })
  // #endregion
  assert.equal((await bank.account('ada').state()).status, 'open')
  // #region try-dispatch
  const answer = await bank.try.dispatch({
    aggregate: 'account',
    id: 'ada',
    name: 'withdraw',
    data: { amount: 500 },
  })
  if (!answer.accepted) console.log(answer.rejection.code) // InsufficientFunds
  // #endregion
  assert.ok(!answer.accepted && answer.rejection.code === 'InsufficientFunds')
})

test('time travel and history read the log', async () => {
  await using bank = await Bank.start({ store: memory() })
  const ada = bank.account('ada')
  await ada.open({ owner: 'Ada' })
  await ada.deposit({ amount: 100 })
  // #region time-travel
  await ada.state() // now
  await ada.state({ sequence: 1 }) // after the first event
  await ada.state({ time: new Date('2020-01-01') }) // as it was then
  for await (const { sequence, type, data } of ada.history()) console.log(sequence, type, data)
  // #endregion
  // #region history
  const newest = await Array.fromAsync(ada.history({ direction: 'backward', limit: 20 }))
  const between = await Array.fromAsync(ada.history({ from: 2, to: 4 })) // the sequences 2 and 3
  // #endregion
  assert.deepEqual([newest.map(({ sequence }) => sequence), between.map(({ sequence }) => sequence)], [[2, 1], [2]])
  assert.equal((await ada.state({ sequence: 1 })).balance, 0)
  assert.equal((await ada.state({ time: new Date('2020-01-01') })).status, 'none')
})

test('a command may expect a sequence', async () => {
  await using bank = await Bank.start({ store: memory() })
  await bank.account('ada').open({ owner: 'Ada' })
  await bank.account('ada').deposit({ amount: 100 })
  // #region expected-sequence
  const ada = bank.account('ada')
  const { state, sequence } = await ada.read()
  await ada.withdraw({ amount: state.balance }, { expectedSequence: sequence })
  // #endregion
  await assert.rejects(ada.deposit({ amount: 1 }, { expectedSequence: sequence }), {
    code: 'SEQUENCE_UNEXPECTED',
    facts: { stream: { aggregate: 'account', id: 'ada' }, command: 'deposit', expectedSequence: 2, sequence: 3 },
  })
})

test('commands come over HTTP', async () => {
  await using bank = await Bank.start({ store: memory() })
  // #region http
  async function receive(request: Request, user: string): Promise<Response> {
    try {
      const command = bank.parseCommand(await request.json())
      const outcome = await bank.dispatch({ ...command, metadata: { user } })
      return Response.json(jsonOf(outcome.state), { headers: headersOf(outcome) })
    } catch (error) {
      if (error instanceof SyntaxError) return new Response(null, { status: 400 }) // no JSON
      return responseTo(error)
    }
  }
  // #endregion
  const send = async (body: object) => {
    const request = new Request('http://bank.example/commands', { method: 'POST', body: JSON.stringify(body) })
    const { status } = await receive(request, 'u-1')
    return status
  }
  const open = { aggregate: 'account', id: 'ada', name: 'open', data: { owner: 'Ada' } }
  assert.equal(await send(open), 200)
  assert.equal(await send(open), 422)
  assert.equal(await send({ ...open, data: {} }), 400)
  assert.equal(await send({ ...open, metadata: { user: 'admin' } }), 400)
  assert.equal(await send({ ...open, name: 'close' }), 404)
  assert.deepEqual((await Array.fromAsync(bank.account('ada').history()))[0]?.metadata, { user: 'u-1' })
})

test('a sequence is an ETag, and If-Match expects it', async () => {
  await using bank = await Bank.start({ store: memory() })
  await bank.account('ada').open({ owner: 'Ada' })
  // #region etag
  async function answer(request: Request, id: string): Promise<Response> {
    if (request.method === 'GET') {
      const { state, ...read } = await bank.account(id).read()
      return Response.json(jsonOf(state), { headers: headersOf(read) })
    }
    const data = (await request.json()) as { amount: number } // the schema of the command checks it
    const outcome = await bank.account(id).deposit(data, commandOptionsOf(request))
    return Response.json(jsonOf(outcome.state), { headers: headersOf(outcome) })
  }
  // #endregion
  const url = 'http://bank.example/accounts/ada'
  const deposit = (headers: Record<string, string>) =>
    answer(new Request(url, { method: 'POST', headers, body: '{"amount":5}' }), 'ada')
  const status = async (work: Promise<unknown>) => statusOf(await work.catch((error: unknown) => error))
  const etag = (await answer(new Request(url), 'ada')).headers.get('ETag')!
  assert.equal(etag, '"1"')
  assert.equal((await deposit({ 'If-Match': etag })).headers.get('ETag'), '"2"')
  assert.equal(await status(deposit({ 'If-Match': etag })), 412)
  assert.equal(await status(deposit({ 'If-Match': 'W/"2"' })), 400)
  assert.equal((await deposit({})).headers.get('ETag'), '"3"')
})

test('all instances can be listed', async () => {
  await using bank = await Bank.start({ store: memory() })
  for (const id of ['ada', 'bob', 'eve']) await bank.account(id).open({ owner: id })
  // #region instances
  const { ids, next } = await bank.account.ids({ limit: 2 })
  const more = await bank.account.ids({ after: next, limit: 2 })
  const accounts = await bank.account.states(ids)
  for (const { state, sequence } of accounts) console.log(state.balance, sequence)
  const counts = await bank.account.sequences(ids)
  // #endregion
  assert.deepEqual([ids, more, counts, await bank.head()], [['ada', 'bob'], { ids: ['eve'] }, [1, 1], 3])
})

test('read models answer for your own write', async () => {
  await using bank = await Bank.start({ store: memory() })
  await bank.account('ada').open({ owner: 'Ada' })
  // #region read-model
  const { position } = await bank.account('ada').deposit({ amount: 100 })
  const row = await bank.balances.get('ada', { atLeast: position, timeoutMs: 1000 })
  // #endregion
  assert.equal(row?.balance, 100)
})

// #region types
type RunningBank = Running<{ account: typeof Account }, { balances: typeof Balances }>
type BankCommand = CommandOf<{ account: typeof Account }>
type BankEvent = EventsOf<typeof Account>
type AnAccount = Handle<typeof Account>
type Balance = RowOf<typeof Balances>

async function receive(bank: RunningBank, message: unknown): Promise<boolean> {
  const command: BankCommand = bank.parseCommand(message)
  const { accepted } = await bank.try.dispatch(command)
  return accepted
}
// #endregion

test('the types of a running domain have names', async () => {
  await using bank: Awaited<ReturnType<typeof Bank.start>> = await Bank.start({ store: memory() })
  const message = { aggregate: 'account', id: 'ada', name: 'open', data: { owner: 'Ada' } }
  assert.equal(await receive(bank, message), true)
  assert.equal(await receive(bank, message), false)
  await assert.rejects(receive(bank, { ...message, id: 5 }), { code: 'COMMAND_MALFORMED' })
  const ada: AnAccount = bank.account('ada')
  const types: BankEvent['type'][] = []
  for await (const { type } of ada.history()) types.push(type)
  assert.deepEqual(types, ['AccountOpened'])
  const row: Balance | undefined = await bank.balances.get('ada', { atLeast: 1 })
  assert.equal(row?.owner, 'Ada')
})

test('a program that only follows the log keeps itself alive', async () => {
  const before = process.listeners('SIGTERM')
  // #region worker
  const worker = await Bank.start({ store: memory() })
  const alive = setInterval(() => {}, 60_000)
  process.once('SIGTERM', () => {
    clearInterval(alive)
    void worker.stop()
  })
  // #endregion
  const [added] = process.listeners('SIGTERM').filter((listener) => !before.includes(listener))
  process.off('SIGTERM', added!)
  added!('SIGTERM')
  await worker.stop()
  await assert.rejects(worker.account('ada').open({ owner: 'Ada' }), { code: 'STOPPED' })
})

test('errors are told apart by their code', async () => {
  await using bank = await Bank.start({ store: memory() })
  // #region errors
  try {
    await bank.account('ada').deposit({ amount: -1 })
  } catch (error) {
    if (hasCode(error, 'COMMAND_INVALID'))
      console.log(error.facts.issues) // [{ path: 'amount', message: ... }]
    else throw error
  }
  // #endregion
  await assert.rejects(bank.account('ada').deposit({ amount: -1 }), { code: 'COMMAND_INVALID', retryable: false })
})

test('options are given at the start', async () => {
  const logger = console
  // #region options
  await using bank = await Bank.start({
    store: memory(),
    snapshotEvery: 100,
    passivateAfterMs: 5 * 60_000,
    limits: { liveAggregatesMax: 50_000, mailboxMax: 1_000 },
    log: logger,
  })
  // #endregion
  assert.deepEqual(bank.load(), { liveAggregates: 0, commandsInFlight: 0 })
})

test('an error has a status for HTTP', async () => {
  const bank = await Bank.start({ store: memory() })
  const ada = bank.account('ada')
  const status = async (work: Promise<unknown>) => statusOf(await work.catch((error: unknown) => error))
  assert.equal(await status(ada.deposit({ amount: -1 })), 400)
  assert.equal(await status(ada.withdraw({ amount: 1 })), 422)
  await bank.stop()
  assert.equal(await status(ada.deposit({ amount: 1 })), 503)
  assert.equal(await status(ada.state()), 503)
  assert.equal(statusOf(new InputError('COMMIT_EMPTY', { stream: { aggregate: 'account', id: 'ada' } })), 500)
  assert.equal(statusOf(new RangeError('not of this library')), 500)
})

test('a server answers the requests in progress, then its domain stops', async () => {
  const before = process.listeners('SIGTERM')
  const bank = await Bank.start({ store: memory() })
  await bank.account('ada').open({ owner: 'Ada' })
  // #region server
  const server = createServer(async (request, response) => {
    try {
      const data = JSON.parse(await text(request)) as { amount: number }
      const { state } = await bank.account('ada').deposit(data)
      response.end(String(state.balance))
    } catch (error) {
      response.writeHead(statusOf(error)).end()
    }
  })
  process.once('SIGTERM', () => {
    server.close(() => void bank.stop()) // first the server, then the domain
    setTimeout(() => server.closeAllConnections(), 10_000).unref()
  })
  // #endregion
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = sendRequest({ host: '127.0.0.1', port, method: 'POST', agent: false })
  const answered = once(client, 'response')
  const arrived = once(server, 'request')
  client.write('{"amount"')
  await arrived
  const [added] = process.listeners('SIGTERM').filter((listener) => !before.includes(listener))
  process.off('SIGTERM', added!)
  added!('SIGTERM')
  const closed = once(server, 'close')
  client.end(': 5}')
  const [response] = await answered
  assert.deepEqual([response.statusCode, await text(response)], [200, '5'])
  await closed
  await bank.stop()
  await assert.rejects(bank.account('ada').deposit({ amount: 1 }), { code: 'STOPPED' })
})
