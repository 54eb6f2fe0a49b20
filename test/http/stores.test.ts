/** A bank over HTTP by two processes on one store: entity tags, keys, places and positions are true in both. */
import assert from 'node:assert/strict'
import { Bank } from '../../examples/bank/bank.ts'
import { http } from '../../src/http/index.ts'
import { type Answered, assertProblem, type Handle, requests } from '../support/http/client.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const account = '/aggregates/account/ada'

/** The messages of a stream, until there are so many. */
async function messages(handle: Handle, path: string, count: number, lastId?: string): Promise<readonly string[]> {
  const gone = new AbortController()
  const headers = { Accept: 'text/event-stream', ...(lastId !== undefined && { 'Last-Event-ID': lastId }) }
  const { body } = await handle(new Request(`http://bank.example${path}`, { headers, signal: gone.signal }))
  let text = ''
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.split('\n\n').filter((part) => part.startsWith('id:')).length >= count) break
  }
  gone.abort()
  return text.split('\n\n').filter((part) => part.startsWith('id:'))
}

const ids = (found: readonly string[]) => found.map((message) => /^id: (.*)$/m.exec(message)![1]!)

await onEveryStore('HTTP', ({ place, severalWriters }) => {
  testWhere(severalWriters)('two processes give true answers', async (t) => {
    const store = await place(t)
    await using first = await Bank.start({ store })
    await using second = await Bank.start({ store })
    const [one, two] = [requests(http(first)), requests(http(second))]
    await one.post(`${account}/open`, { owner: 'Ada' })
    const deposit = ({ post }: typeof one, headers: Record<string, string>) =>
      post(`${account}/deposit`, { amount: 5 }, headers)

    // Each sees at once what the other has done, and only one of two wins.
    for (const [here, there] of [[one, two] as const, [two, one] as const]) {
      const etag = (await here.get(account)).headers.get('etag')!
      const racing: readonly Answered[] = await Promise.all([
        deposit(here, { 'If-Match': etag }),
        deposit(there, { 'If-Match': etag }),
      ])
      assert.deepEqual(racing.map(({ status }) => status).sort(), [200, 412])
      const [a, b] = [await one.get(account), await two.get(account)]
      assert.deepEqual([a.body, a.headers.get('etag')], [b.body, b.headers.get('etag')])
    }

    // A key is one command, whoever answers, and whatever the answer was worth.
    const key = { 'Idempotency-Key': 'k-1' }
    const answers = await Promise.all([deposit(one, key), deposit(two, key), deposit(one, key)])
    assert.deepEqual(new Set(answers.map(({ body }) => body.sequence)), new Set([4]))
    assertProblem(await two.post(`${account}/deposit`, { amount: 6 }, key), 409, 'COMMAND_ID_REUSED')
    assertProblem(await two.post(`${account}/withdraw`, { amount: 5 }, key), 409, 'COMMAND_ID_REUSED')
    assert.equal((await two.get(account)).body.sequence, 4)

    // A position of one is a position of the other.
    const after = { 'Mneme-Position': answers[0]!.headers.get('mneme-position')! }
    assert.equal((await two.get('/projections/balances/ada', after)).body.balance, 15)
    assert.deepEqual((await two.get('/counts/balances', after)).body, { count: 1 })
  })

  testWhere(severalWriters)('a stream goes on in another process', async (t) => {
    const store = await place(t)
    const first = await Bank.start({ store })
    await first.account('ada').open({ owner: 'Ada' })
    for (let i = 0; i < 3; i++) await first.account('ada').deposit({ amount: 1 })
    for (const path of ['/events', `${account}/events`]) {
      const [, last] = ids(await messages(http(first), path, 2))
      await using second = await Bank.start({ store })
      const rest = ids(await messages(http(second), path, 2, last))
      assert.deepEqual(
        rest.slice(0, 2).map((id) => id.split('-')[0]),
        ['3', '4'],
      )
      const wrong = { Accept: 'text/event-stream', 'Last-Event-ID': last!.replace(/\d+$/, '1') }
      assertProblem(await requests(http(second)).get(path, wrong), 410, 'LOG_REPLACED')
    }
    await first.stop()
  })

  testWhere(true)('whatever a request asks for, nothing fails inside', async (t) => {
    const warnings: string[] = []
    const log = { warn: (message: string) => warnings.push(message) }
    await using bank = await Bank.start({ store: await place(t) })
    await bank.account('ada').open({ owner: 'Ada' })
    const { get, send } = requests(http(bank, { log, streamMsMax: 1, longPollMs: 1 }))
    const greatest = '999999999999999'
    for (const path of [
      ...['sequence=0', `sequence=${greatest}`, 'time=0000-01-01', 'time=9999-12-31'].map((q) => `${account}?${q}`),
      ...[`from=${greatest}`, `to=${greatest}`, 'to=0&direction=backward'].map((q) => `${account}/events?${q}`),
      ...['after=%00', 'after=%EF%BF%BF', 'after=%F0%9F%98%80', 'after=a%2Fb'].map((q) => `/aggregates/account?${q}`),
      ...['offset=0000000000000001_1', `offset=0${greatest}_1`, 'offset=now&live=long-poll'].map(
        (q) => `/streams?${q}`,
      ),
      ...['{"owner":"\\u0000"}', '{"owner":"\\ud800"}', '{"balance":{"gte":1e308}}', '{"owner":{"in":[]}}'].map(
        (where) => `/projections/balances?where=${encodeURIComponent(where)}`,
      ),
      '/projections/balances/%00',
      `/aggregates/account/${'%F0%9F%98%80'.repeat(256)}`,
      `/aggregates/account/${'%F0%9F%98%80'.repeat(257)}`,
      `/events?from=${greatest}`,
    ]) {
      const { status } = await get(path)
      assert.ok([200, 204, 400, 404, 410].includes(status), `${status} ${path}`)
    }
    for (const id of ['\u0001', '😀', "'; DROP TABLE events; --", '$where', '__proto__', '*', '>', 'a.b.c', ' ']) {
      const path = `/aggregates/account/${encodeURIComponent(id)}`
      const headers = { 'Content-Type': 'application/json' }
      const opened = await send(`${path}/open`, { method: 'POST', headers, body: JSON.stringify({ owner: id }) })
      assert.deepEqual([opened.status, opened.body.events?.[0].data.owner], [200, id])
      assert.equal((await get(path)).body.sequence, 1)
    }
    assert.deepEqual(warnings, [])
  })
})
