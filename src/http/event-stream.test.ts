/** Events as server-sent events: in order, continued after the last, and bounded for clients that are slow or gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bank } from '../../examples/bank/bank.ts'
import { assertProblem, type Handle, requests } from '../../test/support/http/client.ts'
import { until } from '../../test/support/kernel/rig.ts'
import { memory } from '../index.ts'
import { faultyStore } from '../testing/index.ts'
import { http } from './index.ts'

interface Message {
  readonly id?: string
  readonly event?: string
  readonly data: any
}

/** Opens a stream, and gives its messages, without comments. */
async function opened(handle: Handle, path: string, headers: Record<string, string> = {}) {
  const gone = new AbortController()
  const request = new Request(`http://bank.example${path}`, {
    headers: { Accept: 'text/event-stream', ...headers },
    signal: gone.signal,
  })
  const response = await handle(request)
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  return { response, gone, messages: messagesOf(response) }
}

async function* messagesOf(response: Response): AsyncGenerator<Message, void, void> {
  let text = ''
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const parts = text.split('\n\n')
    text = parts.pop()!
    for (const part of parts) {
      const fields = part.split('\n').filter((line) => !line.startsWith(':'))
      if (fields.length === 0) continue
      const entries = fields.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
      const message = Object.fromEntries(entries)
      yield { ...message, data: JSON.parse(message.data) }
    }
  }
}

async function take(messages: AsyncGenerator<Message>, count: number): Promise<readonly Message[]> {
  const taken: Message[] = []
  while (taken.length < count) {
    const { value, done } = await messages.next()
    if (done === true) break
    taken.push(value)
  }
  return taken
}

const positions = (messages: readonly Message[]) => messages.map(({ data }) => data.position)

test('the log is followed from its beginning, live, and after the last event', async () => {
  await using bank = await Bank.start()
  const handle = http(bank)
  await bank.account('ada').open({ owner: 'Ada' })
  await bank.account('ada').deposit({ amount: 1 })
  const first = await opened(handle, '/events')
  const early = await take(first.messages, 2)
  await bank.account('bob').open({ owner: 'Bob' })
  const [live] = await take(first.messages, 1)
  assert.deepEqual(positions([...early, live!]), [1, 2, 3])
  assert.deepEqual([live!.data.type, live!.data.stream.id, live!.data.metadata], ['AccountOpened', 'bob', {}])
  assert.match(live!.id!, /^3-\d+$/)
  first.gone.abort()
  for (const id of [early[0]!.id!, '1']) {
    const again = await opened(handle, '/events', { 'Last-Event-ID': id })
    assert.deepEqual(positions(await take(again.messages, 2)), [2, 3])
    again.gone.abort()
  }
  const filtered = await opened(handle, '/events?types=AccountOpened&types=Other&aggregates=account&from=2')
  assert.deepEqual(positions(await take(filtered.messages, 1)), [3])
  filtered.gone.abort()
})

test('an aggregate is followed in the same way', async () => {
  await using bank = await Bank.start()
  const handle = http(bank)
  await bank.account('bob').open({ owner: 'Bob' })
  await bank.account('ada').open({ owner: 'Ada' })
  const { messages, gone } = await opened(handle, '/aggregates/account/ada/events')
  const [first] = await take(messages, 1)
  await bank.account('ada').deposit({ amount: 1 })
  const [second] = await take(messages, 1)
  gone.abort()
  assert.deepEqual([first!.data.sequence, second!.data.sequence, second!.id!.split('-')[0]], [1, 2, '2'])
  for (const id of [first!.id!, '1']) {
    const again = await opened(handle, '/aggregates/account/ada/events', { 'Last-Event-ID': id })
    assert.equal((await take(again.messages, 1))[0]!.data.sequence, 2)
    again.gone.abort()
  }
})

test('a place that the log does not have is 410, and a wrong id is 400', async () => {
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  const { get } = requests(http(bank))
  for (const id of ['9', '1-1']) assertProblem(await get('/events', { 'Last-Event-ID': id }), 410, 'LOG_REPLACED')
  for (const id of ['x', '-1', '1-2-3', '1-', '1e3']) {
    assertProblem(await get('/events', { 'Last-Event-ID': id }), 400, 'REQUEST_MALFORMED')
  }
  for (const query of ['from=x', 'from=1&from=2', 'type=A']) {
    assertProblem(await get(`/events?${query}`), 400, 'REQUEST_MALFORMED')
  }
  const asked: unknown[] = []
  const mayRead = ({ user: _, request: __, ...read }: any) => asked.push(read) < 0
  assertProblem(await requests(http(bank, { mayRead })).get('/events?tags=vip'), 403, 'REQUEST_FORBIDDEN')
  assert.deepEqual(asked, [{ kind: 'log', tags: ['vip'] }])
})

test('when a client goes, its subscription ends; when the domain stops, all streams do', async () => {
  const bank = await Bank.start()
  const handle = http(bank, { streamsMax: 2 })
  const [one, two] = [await opened(handle, '/events'), await opened(handle, '/events')]
  assertProblem(await requests(handle).get('/events'), 503, 'OVERLOADED')
  await one.response.body!.cancel().catch(() => {})
  one.gone.abort()
  const three = await opened(handle, '/events')
  two.gone.abort()
  const four = await opened(handle, '/events')
  const waiting = Promise.all([take(three.messages, 1), take(four.messages, 1)])
  await bank.stop()
  assert.deepEqual(await waiting, [[], []])
})

test('a quiet stream has comments', async () => {
  await using bank = await Bank.start()
  const { body } = await http(bank, { heartbeatMs: 1 })(new Request('http://bank.example/events'))
  let text = ''
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.length >= 20) break
  }
  assert.match(text, /^: events\n\n(:\n\n)+$/)
})

test('a stream that has lasted long enough ends', async () => {
  await using bank = await Bank.start()
  const { response } = await opened(http(bank, { streamMsMax: 10 }), '/events')
  assert.equal(await response.text(), ': events\n\n')
})

test('a client that takes nothing is cut off', async () => {
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  for (let i = 0; i < 50; i++) await bank.account('ada').deposit({ amount: 1 })
  const handle = http(bank, { slowClientMs: 20, streamsMax: 1 })
  const { body } = await handle(new Request('http://bank.example/events'))
  const reader = body!.getReader()
  await reader.read()
  await reader.read()
  // Its place is free again only when it was cut off.
  await until('the client is cut off', async () => {
    const response = await handle(new Request('http://bank.example/events', { method: 'GET' }))
    await response.body?.cancel()
    return response.status === 200
  })
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  }, /takes nothing/)
})

test('events that cannot be read are a problem, and the end', async () => {
  const store = memory()
  let isBroken = false
  const broken = faultyStore(store, ({ method }) =>
    isBroken && method === 'readAll' ? new TypeError('secret') : undefined,
  )
  await using bank = await Bank.start({ store: broken, projections: 'manual', log: { warn() {} } })
  await bank.account('ada').open({ owner: 'Ada' })
  const warnings: string[] = []
  const handle = http(bank, { log: { warn: (message) => warnings.push(message) } })
  const { messages } = await opened(handle, '/events')
  isBroken = true
  const [message] = await take(messages, 2)
  assert.deepEqual([message!.event, message!.data.code], ['problem', 'SERVER_FAILED'])
  assert.doesNotMatch(JSON.stringify(message), /secret/)
  assert.match(warnings.join(), /secret/)
  assertProblem(await requests(handle).get('/events'), 500, 'SERVER_FAILED')
  isBroken = false
})
