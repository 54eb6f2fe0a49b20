/** A bank over HTTP: commands, states, rows, and the problems of what does not work. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { Bank } from '../../examples/bank/bank.ts'
import { assertProblem, requests } from '../../test/support/http/client.ts'
import { aggregate, domain, event, memory } from '../index.ts'
import { faultyStore, type StoreMethod } from '../testing/index.ts'
import { http } from './index.ts'
import { segmentOf } from './path.ts'

const silent = { warn: () => {} }

test('a command is a POST, and its answer is that of a handle', async () => {
  await using bank = await Bank.start()
  const { post, get } = requests(http(bank))
  const { status, headers, body } = await post('/aggregates/account/ada/open', { owner: 'Ada' })
  assert.equal(status, 200)
  assert.deepEqual([headers.get('etag'), headers.get('mneme-position')], ['"1"', '1'])
  assert.deepEqual(body.state, { status: 'open', balance: 0 })
  assert.deepEqual([body.sequence, body.position, body.events[0].type], [1, 1, 'AccountOpened'])
  const minimal = await post('/aggregates/account/ada/deposit', { amount: 5 }, { Prefer: 'return=minimal' })
  assert.deepEqual(minimal.body, { sequence: 2, position: 2 })
  const state = await get('/aggregates/account/ada')
  assert.deepEqual(state.body, { state: { status: 'open', balance: 5 }, sequence: 2, position: 2 })
  assert.equal(state.headers.get('cache-control'), 'no-store')
  assert.deepEqual((await get('/aggregates/account/ada?sequence=1')).body.state.balance, 0)
  assert.deepEqual((await get('/aggregates/account/ada?time=2020-01-01')).body.sequence, 0)
  assert.deepEqual((await get('/aggregates/account')).body, { ids: ['ada'] })
})

test('a rejection is 422 with its details, or 409 where that is asked for', async () => {
  await using bank = await Bank.start()
  const { post } = requests(http(bank, { conflicts: ['AlreadyOpen'] }))
  await post('/aggregates/account/ada/open', { owner: 'Ada' })
  const refused = await post('/aggregates/account/ada/withdraw', { amount: 5 })
  assertProblem(refused, 422, 'InsufficientFunds')
  assert.deepEqual(refused.body.details, { balance: 0, requested: 5 })
  assert.equal(refused.body.type, 'urn:mneme:rejection:InsufficientFunds')
  assertProblem(await post('/aggregates/account/ada/open', { owner: 'Ada' }), 409, 'AlreadyOpen')
})

test('an idempotency key is the id of the command, with quotes or without', async () => {
  await using bank = await Bank.start()
  const { post } = requests(http(bank))
  await post('/aggregates/account/ada/open', { owner: 'Ada' })
  for (const key of ['payment-1', '"payment-1"']) {
    const { body } = await post('/aggregates/account/ada/deposit', { amount: 5 }, { 'Idempotency-Key': key })
    assert.deepEqual([body.sequence, body.events[0].commitId], [2, 'payment-1'])
  }
  const other = await post('/aggregates/account/ada/deposit', { amount: 6 }, { 'Idempotency-Key': 'payment-1' })
  assertProblem(other, 409, 'COMMAND_ID_REUSED')
})

test('If-Match is the expected sequence, and If-None-Match expects nothing', async () => {
  await using bank = await Bank.start()
  const { post, get } = requests(http(bank))
  const open = (headers: Record<string, string>) => post('/aggregates/account/ada/open', { owner: 'Ada' }, headers)
  const etag = (await get('/aggregates/account/ada')).headers.get('etag')!
  assert.equal(etag, '"0"')
  assert.equal((await open({ 'If-None-Match': '*' })).status, 200)
  const late = await post('/aggregates/account/ada/deposit', { amount: 5 }, { 'If-Match': etag })
  assertProblem(late, 412, 'SEQUENCE_UNEXPECTED')
  assert.deepEqual([late.body.expectedSequence, late.body.sequence], [0, 1])
  assertProblem(await open({ 'If-None-Match': '*' }), 412, 'SEQUENCE_UNEXPECTED')
  const wrong = [
    { 'If-Match': 'W/"1"' },
    { 'If-Match': '"1' },
    { 'If-Match': '*' },
    { 'If-Match': '"1", "2"' },
    { 'If-None-Match': '"1"' },
  ]
  for (const headers of wrong) assertProblem(await open(headers as never), 400, 'REQUEST_MALFORMED')
})

test('a read model is read after the position of a command', async () => {
  await using bank = await Bank.start()
  const { post, get } = requests(http(bank))
  let position = ''
  for (const [id, amount] of [
    ['ada', 50],
    ['bob', 150],
    ['eve', 250],
  ] as const) {
    await post(`/aggregates/account/${id}/open`, { owner: id })
    const { headers } = await post(`/aggregates/account/${id}/deposit`, { amount })
    position = headers.get('mneme-position')!
  }
  const after = { 'Mneme-Position': position }
  const { body: row } = await get('/projections/balances/eve', after)
  assert.equal(row.balance, 250)
  const query = new URLSearchParams({
    where: '{"balance":{"gte":100}}',
    orderBy: '[["balance","descending"]]',
    limit: '1',
  })
  const first = await get(`/projections/balances?${query}`, after)
  assert.deepEqual(
    first.body.rows.map(({ key }: { key: string }) => key),
    ['eve'],
  )
  query.set('after', first.body.next)
  const second = await get(`/projections/balances?${query}`, after)
  assert.deepEqual([second.body.rows[0].key, second.body.next], ['bob', undefined])
  assertProblem(await get('/projections/balances/nobody', after), 404, 'ROW_UNKNOWN')
  const since = new URLSearchParams({ where: '{"lastMovement":{"gte":{"$date":"2999-01-01T00:00:00.000Z"}}}' })
  assert.deepEqual((await get(`/projections/balances?${since}`, after)).body, { rows: [] })
})

test('rows are counted as they are found', async () => {
  await using bank = await Bank.start()
  for (const [id, amount] of [
    ['ada', 50],
    ['bob', 150],
  ] as const) {
    await bank.account(id).open({ owner: id })
    await bank.account(id).deposit({ amount })
  }
  const asked: unknown[] = []
  const { get } = requests(
    http(bank, {
      mayRead({ user: _, request: __, ...read }) {
        asked.push(read)
        return true
      },
    }),
  )
  const after = { 'Mneme-Position': `${await bank.head()}` }
  const count = async (query: string) => (await get(`/counts/balances${query}`, after)).body
  assert.deepEqual(await count(''), { count: 2 })
  assert.deepEqual(await count('?where={"balance":{"gte":100}}'), { count: 1 })
  assert.deepEqual(await count('?or=[{"balance":1},{"owner":"ada"}]'), { count: 1 })
  assert.deepEqual(asked.at(-2), {
    kind: 'rows',
    projection: 'balances',
    query: { where: { balance: { gte: 100 } } },
  })
  for (const query of ['limit=1', 'where={"none":1}', 'where=[', 'orderBy=["balance"]']) {
    assertProblem(await get(`/counts/balances?${query}`), 400, 'REQUEST_MALFORMED')
  }
  assertProblem(await get('/counts/none'), 404, 'ROUTE_UNKNOWN')
})

test('a read model that does not come so far is 503', async () => {
  await using bank = await Bank.start({ projections: 'manual' })
  const { post, get } = requests(http(bank, { timeoutMs: 1 }))
  await post('/aggregates/account/ada/open', { owner: 'Ada' })
  const behind = await get('/projections/balances/ada', { 'Mneme-Position': '1' })
  assert.equal(behind.status, 503)
  assert.ok(['PROJECTION_BEHIND', 'REQUEST_TIMED_OUT'].includes(behind.body.code))
  assert.equal(behind.headers.get('retry-after'), '1')
})

test('a history has pages in both directions', async () => {
  await using bank = await Bank.start()
  const { get } = requests(http(bank))
  await bank.account('ada').open({ owner: 'Ada' })
  for (let amount = 1; amount <= 4; amount++) await bank.account('ada').deposit({ amount }, { metadata: { user: 'u' } })
  for (const direction of ['forward', 'backward']) {
    const sequences: number[] = []
    let next: Record<string, string> | undefined = {}
    while (next !== undefined) {
      const parameters = new URLSearchParams({ direction, limit: '2', ...next })
      const { body } = await get(`/aggregates/account/ada/events?${parameters}`)
      sequences.push(...body.events.map(({ sequence }: { sequence: number }) => sequence))
      for (const { metadata } of body.events) assert.deepEqual(metadata, {}, 'who sent a command is not for everybody')
      next = body.next
    }
    assert.deepEqual(sequences, direction === 'forward' ? [1, 2, 3, 4, 5] : [5, 4, 3, 2, 1])
  }
  const { body } = await requests(http(bank, { showMetadata: true })).get('/aggregates/account/ada/events?from=5')
  assert.deepEqual(body.events[0].metadata, { user: 'u' })
})

test('any text is an id in a path', async () => {
  await using bank = await Bank.start()
  const { post, get } = requests(http(bank))
  const ids = [
    'a/b',
    '.',
    '..',
    '~',
    '~..',
    '%',
    '%2F',
    '%252f',
    'é',
    '😀',
    'a?b#c',
    'a b+c',
    '\n',
    '\'"<&>',
    '__proto__',
  ]
  for (const id of ids) {
    const segment = segmentOf(id)
    const { body } = await post(`/aggregates/account/${segment}/open`, { owner: id })
    assert.deepEqual([body.events[0].stream.id, body.events[0].data.owner], [id, id])
    assert.equal((await get(`/aggregates/account/${segment}`)).body.sequence, 1)
  }
  assert.deepEqual(new Set((await bank.account.ids()).ids), new Set(ids))
})

test('what an old process cannot read is 503 in a rolling deployment, for commands and states', async () => {
  const store = memory()
  const Counted = event('Counted', z.object({}))
  const start = (kind: typeof Counted) => {
    const item = aggregate('item', () => ({}))
      .on(kind)
      .command('count', z.object({}), () => kind({}))
    return domain({ aggregates: { item } }).start({ store, log: silent })
  }
  const newer = {
    'a newer revision': Counted.revise(z.object({}), () => ({})),
    'another kind': event('Weighed', z.object({})) as unknown as typeof Counted,
  }
  for (const [id, kind] of Object.entries(newer)) {
    await using next = await start(kind)
    await next.item(id).count()
  }
  const codes: string[] = []
  const log = { warn: (_: string, { code }: any) => codes.push(code) }
  await using old = await start(Counted)
  const { post, get } = requests(http(old, { log }))
  for (const id of Object.keys(newer)) {
    const place = `/aggregates/item/${encodeURIComponent(id)}`
    for (const response of [await post(`${place}/count`, {}), await get(place)]) {
      assert.deepEqual([response.status, response.body.retryable], [503, true], JSON.stringify(response.body))
      assert.equal(response.headers.get('retry-after'), '1')
    }
  }
  assert.equal((await get('/aggregates/item/other')).status, 200)
  // Nothing else would say so if it lasted.
  assert.equal(codes[0], 'REQUEST_FAILED')
})

test('what fails inside is a problem that says nothing of it, and a warning that does', async () => {
  const warnings: any[] = []
  const log = { warn: (message: string, facts: unknown) => warnings.push([message, facts]) }
  const Broken = event('Broken', z.object({}))
  const Item = aggregate('item', () => ({}))
    .on(Broken)
    .command('break', z.object({}), () => {
      throw new Error('the password is 1234')
    })
  await using bank = await domain({ aggregates: { item: Item } }).start({ log: silent })
  const { post, get } = requests(http(bank, { log }))
  const failed = await post('/aggregates/item/1/break', {})
  assertProblem(failed, 500, 'DECIDE_FAILED')
  assert.doesNotMatch(JSON.stringify(failed.body), /password/)
  assert.equal(warnings.length, 1)
  assert.match(String(warnings[0][1].cause.cause), /the password/)
  const hooked = requests(http(bank, { log, user: () => Promise.reject(new TypeError('secret')) }))
  assertProblem(await hooked.get('/aggregates/item/1'), 500, 'SERVER_FAILED')
  assert.equal(warnings.length, 2)
  assertProblem(await get('/nowhere'), 404, 'ROUTE_UNKNOWN')
  assert.equal(warnings.length, 2)
})

test('a stopped domain is 503', async () => {
  const bank = await Bank.start()
  const { post, get } = requests(http(bank))
  await bank.stop()
  assertProblem(await post('/aggregates/account/ada/open', { owner: 'Ada' }), 503, 'STOPPED')
  assertProblem(await get('/aggregates/account/ada'), 503, 'STORE_CLOSED')
})

test('a method that is not possible is 405, and says which are', async () => {
  await using bank = await Bank.start()
  const { send } = requests(http(bank))
  for (const [path, method, allow] of [
    ['/aggregates/account/ada', 'DELETE', 'GET, HEAD'],
    ['/aggregates/account/ada/open', 'PUT', 'POST'],
    ['/aggregates/account/ada/events', 'POST', 'GET, HEAD'],
    ['/projections/balances', 'POST', 'GET, HEAD'],
  ] as const) {
    const answered = await send(path, { method })
    assertProblem(answered, 405, 'METHOD_NOT_ALLOWED')
    assert.equal(answered.headers.get('allow'), allow)
  }
  const head = await send('/aggregates/account/ada', { method: 'HEAD' })
  assert.deepEqual([head.status, head.headers.get('etag'), head.body], [200, '"0"', undefined])
})

test('a service can be below a path, and options that cannot work are refused', async () => {
  await using bank = await Bank.start()
  const { get } = requests(http(bank, { basePath: '/api/v1' }))
  assert.equal((await get('/api/v1/aggregates/account/ada')).status, 200)
  assertProblem(await get('/aggregates/account/ada'), 404, 'ROUTE_UNKNOWN')
  assertProblem(await get('/api/v1x/aggregates/account/ada'), 404, 'ROUTE_UNKNOWN')
  for (const options of [
    { basePath: 'api' },
    { basePath: '/api/' },
    { origins: ['app.example'] },
    { origins: 'https://app.example' },
    { timeoutMs: 0 },
    { maySent: () => true },
    { mayRead: true },
  ]) {
    assert.throws(() => http(bank, options as never), { code: 'OPTION_INVALID' }, JSON.stringify(options))
  }
  assert.throws(() => http({} as never), { code: 'OPTION_INVALID' })
})

/** A bank whose calls of one method hang until they are let go. */
async function hanging(method: StoreMethod) {
  const gate = Promise.withResolvers<void>()
  const called = Promise.withResolvers<void>()
  const store = faultyStore(memory(), (call) => {
    if (call.method !== method) return undefined
    called.resolve()
    return gate.promise
  })
  return { bank: await Bank.start({ store, log: silent }), called: called.promise, letGo: () => gate.resolve() }
}

test('a command whose outcome is unknown is 504 with its id, and can be repeated', async () => {
  const { bank, called, letGo } = await hanging('append')
  const { send } = requests(http(bank, { log: silent }))
  const gone = new AbortController()
  const sending = send('/aggregates/account/ada/open', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{"owner":"Ada"}',
    signal: gone.signal,
  })
  await called
  gone.abort()
  const lost = await sending
  assertProblem(lost, 504, 'OUTCOME_UNKNOWN')
  assert.equal(lost.body.retryable, true)
  letGo()
  const patient = requests(http(bank))
  const again = { 'Idempotency-Key': lost.body.commandId }
  const { body } = await patient.post('/aggregates/account/ada/open', { owner: 'Ada' }, again)
  assert.deepEqual([body.sequence, body.events[0].commitId], [1, lost.body.commandId])
  await bank.stop()
})

test('a command that was not decided in time is 503, and never is', async () => {
  const { bank, letGo } = await hanging('readStream')
  const { post, get } = requests(http(bank, { timeoutMs: 20, log: silent }))
  assertProblem(await post('/aggregates/account/ada/open', { owner: 'Ada' }), 503, 'REQUEST_TIMED_OUT')
  assertProblem(await get('/aggregates/account/ada'), 503, 'REQUEST_TIMED_OUT')
  letGo()
  assert.equal((await requests(http(bank)).get('/aggregates/account/ada')).body.sequence, 0)
  await bank.stop()
})

test('a client that has gone is no failure of the service', async () => {
  const { bank, called, letGo } = await hanging('readStream')
  const warnings: string[] = []
  const { send } = requests(http(bank, { log: { warn: (message) => warnings.push(message) } }))
  const gone = new AbortController()
  const reading = send('/aggregates/account/ada', { signal: gone.signal })
  await called
  gone.abort()
  assertProblem(await reading, 499, 'ABORTED')
  const command = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"owner":"Ada"}' }
  assertProblem(await send('/aggregates/account/ada/open', { ...command, signal: gone.signal }), 499, 'ABORTED')
  assert.deepEqual(warnings, [])
  letGo()
  await bank.stop()
})
