/** Places in the log that clients name: none fails inside, and one that is not there is told before a stream begins. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bank } from '../../examples/bank/bank.ts'
import { assertProblem, type Handle, requests } from '../../test/support/http/client.ts'
import { until } from '../../test/support/kernel/rig.ts'
import { http } from './index.ts'

const sse = { Accept: 'text/event-stream' }
const account = '/aggregates/account/ada'

/** Opens a stream, and lets it go at once. @returns its status */
async function statusOf(handle: Handle, path: string, headers: Record<string, string> = sse): Promise<number> {
  const gone = new AbortController()
  const response = await handle(new Request(`http://bank.example${path}`, { headers, signal: gone.signal }))
  gone.abort()
  await response.body?.cancel().catch(() => {})
  return response.status
}

test('no number is too great for the service', async () => {
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  const { get } = requests(http(bank, { timeoutMs: 1 }))
  const greatest = `${Number.MAX_SAFE_INTEGER}`
  for (const path of [
    `${account}?sequence=${greatest}`,
    `${account}/events?from=${greatest}`,
    `/events?from=${greatest}`,
    '/streams?offset=9999999999999999_0',
    `/streams?offset=${greatest}_1`,
    `/streams?offset=${greatest}_1&live=sse`,
    '/streams/account/ada?offset=9999999999999999_0&live=long-poll',
  ]) {
    assertProblem(await get(path), 400, 'REQUEST_MALFORMED')
  }
  for (const id of [greatest, `${greatest}-1`, `${greatest}-${greatest}-1`]) {
    for (const path of ['/events', `${account}/events`]) {
      assertProblem(await get(path, { ...sse, 'Last-Event-ID': id }), 400, 'REQUEST_MALFORMED')
    }
  }
  assertProblem(await get('/projections/balances/ada', { 'Mneme-Position': greatest }), 400, 'REQUEST_MALFORMED')
})

test('a place that is not there is 410 before a stream begins', async () => {
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  const { get } = requests(http(bank))
  for (const id of ['9', '1-1', '9-9']) {
    assertProblem(await get('/events', { 'Last-Event-ID': id }), 410, 'LOG_REPLACED')
  }
  for (const id of ['9', '1-1-1', '9-9-9', '1-2-1']) {
    assertProblem(await get(`${account}/events`, { ...sse, 'Last-Event-ID': id }), 410, 'LOG_REPLACED')
  }
  for (const id of ['1-1', '1-', '-1-1-1']) {
    assertProblem(await get(`${account}/events`, { ...sse, 'Last-Event-ID': id }), 400, 'REQUEST_MALFORMED')
  }
  for (const path of ['/events?from=100', '/streams?offset=0000000000000001_1&live=sse']) {
    assertProblem(await get(path), 410, 'LOG_REPLACED')
  }
  const other = '/streams/account/ada?offset=0000000000000001_1&live=sse'
  assertProblem(await get(other), 410, 'LOG_REPLACED')
})

test('a position that the log does not have is 410 at once, not a wait', async () => {
  await using bank = await Bank.start()
  const { position } = await bank.account('ada').open({ owner: 'Ada' })
  const { get } = requests(http(bank))
  for (const path of ['/projections/balances/ada', '/projections/balances', '/counts/balances']) {
    assert.equal((await get(path, { 'Mneme-Position': `${position}` })).status, 200)
    assertProblem(await get(path, { 'Mneme-Position': `${position + 1}` }), 410, 'LOG_REPLACED')
  }
})

test('filters that nothing can match are 400 before a stream begins', async () => {
  await using bank = await Bank.start()
  const { get } = requests(http(bank))
  for (const query of ['types=', 'aggregates=', 'tags=', 'tags=%00', `types=${'x'.repeat(3000)}`]) {
    assertProblem(await get(`/events?${query}`), 400, 'ID_INVALID')
  }
})

test('a stream that is refused takes no place of others', async () => {
  await using bank = await Bank.start()
  const handle = http(bank, { streamsMax: 1 })
  await bank.account('ada').open({ owner: 'Ada' })
  const refused = [
    ...['0-0-0', '9-9-9', '9', `${Number.MAX_SAFE_INTEGER}`].map((id) => [`${account}/events`, id] as const),
    ...['9', '9-9', 'x'].map((id) => ['/events', id] as const),
  ]
  for (const [path, id] of refused) {
    await statusOf(handle, path, { ...sse, 'Last-Event-ID': id })
    assert.equal(await statusOf(handle, '/events'), 200, `${path} after ${id}`)
  }
})

test('a stream that begins now has its place at once, so nothing is missed if it breaks before an event', async () => {
  await using bank = await Bank.start()
  const handle = http(bank)
  await bank.account('ada').open({ owner: 'Ada' })
  for (const [path, expected] of [
    ['/events', 'MoneyDeposited'],
    [`${account}/events`, 'MoneyDeposited'],
    ['/aggregates/account/bob/events', 'AccountOpened'],
  ] as const) {
    const gone = new AbortController()
    const init = { headers: sse, signal: gone.signal }
    const reader = (await handle(new Request(`http://bank.example${path}?from=now`, init)))
      .body!.pipeThrough(new TextDecoderStream())
      .getReader()
    const { value } = await reader.read()
    const id = /^: events\nid: (\S+)\n\n$/.exec(value!)?.[1]
    gone.abort()
    if (expected === 'AccountOpened') await bank.account('bob').open({ owner: 'Bob' })
    await bank.account('ada').deposit({ amount: 1 })
    const again = new AbortController()
    const headers = { ...sse, 'Last-Event-ID': id! }
    const next = await handle(new Request(`http://bank.example${path}`, { headers, signal: again.signal }))
    const messages = next.body!.pipeThrough(new TextDecoderStream()).getReader()
    await messages.read()
    const { value: first } = await messages.read()
    const { type } = JSON.parse(/data: (.*)/.exec(first!)![1]!)
    assert.equal(type, expected)
    again.abort()
  }
})

test('long polls count as streams, and end when the domain stops', async () => {
  const bank = await Bank.start()
  const handle = http(bank, { streamsMax: 1, longPollMs: 600_000 })
  const polling = handle(new Request('http://bank.example/streams?offset=now&live=long-poll'))
  await until('the poll has the only place', async () => (await statusOf(handle, '/events', {})) === 503)
  await bank.stop()
  assert.ok([204, 503].includes((await polling).status))
})
