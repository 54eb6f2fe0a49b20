/** Requests that mean harm: bodies, paths, queries, other origins. Each gets the right answer; nothing is stored. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { z } from 'zod'
import { Bank } from '../../examples/bank/bank.ts'
import { assertProblem, requests } from '../../test/support/http/client.ts'
import { sized } from '../../test/support/size.ts'
import { aggregate, domain, event } from '../index.ts'
import { http } from './index.ts'

const path = '/aggregates/account/ada/open'
const json = { 'Content-Type': 'application/json' }

/** A body that gives what it is asked for, and tells how much that was. */
function body(chunk: Uint8Array | undefined) {
  const told = { chunks: 0, isCancelled: false }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (chunk === undefined) return
        told.chunks++
        controller.enqueue(chunk)
      },
      cancel() {
        told.isCancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { told, stream }
}

test('a body without an end is read to the limit and no further', async () => {
  await using bank = await Bank.start()
  const { send } = requests(http(bank, { bodySizeMax: 10_000 }))
  const { told, stream } = body(new Uint8Array(1000).fill(32))
  const answered = await send(path, { method: 'POST', headers: json, body: stream })
  assertProblem(answered, 413, 'BODY_TOO_LARGE')
  assert.equal(answered.body.sizeMax, 10_000)
  assert.deepEqual(told, { chunks: 11, isCancelled: true })
})

test('a body that says how large it is is not read at all', async () => {
  await using bank = await Bank.start()
  const { send } = requests(http(bank, { bodySizeMax: 10_000 }))
  const { told, stream } = body(new Uint8Array(1000))
  const headers = { ...json, 'Content-Length': '10001' }
  assertProblem(await send(path, { method: 'POST', headers, body: stream }), 413, 'BODY_TOO_LARGE')
  assert.equal(told.chunks, 0)
})

test('a body in tiny pieces costs no more than its size', async () => {
  await using bank = await Bank.start()
  const { send } = requests(http(bank))
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const pieces = sized(100_000, 30_000)
  let grown = 0
  let given = 0
  const held = () => {
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const before = held()
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        given++
        if (given === pieces) grown = held() - before
        if (given <= pieces) controller.enqueue(new Uint8Array([32]))
        else controller.close()
      },
    },
    { highWaterMark: 0 },
  )
  assertProblem(await send(path, { method: 'POST', headers: json, body: stream }), 400, 'REQUEST_MALFORMED')
  assert.ok(grown < pieces * 100, `${grown} bytes for ${pieces}`)
})

test('a body that does not come is given up', async () => {
  await using bank = await Bank.start()
  const { send } = requests(http(bank, { bodyTimeoutMs: 20 }))
  const { told, stream } = body(undefined)
  assertProblem(await send(path, { method: 'POST', headers: json, body: stream }), 408, 'BODY_TOO_SLOW')
  assert.ok(told.isCancelled)
})

test('what is not JSON in UTF-8, or not of its type, is refused', async () => {
  await using bank = await Bank.start()
  const { send } = requests(http(bank))
  const status = async (headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer> | null) => {
    const { status, body: problem } = await send(path, { method: 'POST', headers, body })
    return `${status} ${problem.code}`
  }
  for (const text of ['{', '{"owner":', 'owner=Ada', '{"owner":"Ada"}}', '[1,]', "{'owner':'Ada'}", 'undefined']) {
    assert.equal(await status(json, text), '400 REQUEST_MALFORMED', text)
  }
  assert.equal(await status(json, new Uint8Array([0x22, 0xff, 0x22])), '400 REQUEST_MALFORMED')
  for (const text of ['null', '5', '"Ada"', '[]', '{}', '{"owner":5}', '{"__proto__":{"owner":"Ada"}}', '']) {
    assert.equal(await status(json, text), '400 COMMAND_INVALID', text)
  }
  assert.equal(await status(json, `${'['.repeat(100_000)}${']'.repeat(100_000)}`), '400 DATA_NOT_JSON')
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/json; charset=utf-16',
  ]) {
    assert.equal(await status({ 'Content-Type': type }, '{"owner":"Ada"}'), '415 CONTENT_UNSUPPORTED', type)
  }
  assert.equal(await status({ ...json, 'Content-Encoding': 'gzip' }, '{"owner":"Ada"}'), '415 CONTENT_UNSUPPORTED')
  assert.equal(await bank.head(), 0)
})

test('a command with a thousand mistakes is told some of them', async () => {
  const Kept = event('Kept', z.object({}))
  const Box = aggregate('box', () => ({}))
    .on(Kept)
    .command('fill', z.object({ names: z.array(z.string()) }), () => Kept({}))
  await using boxes = await domain({ aggregates: { box: Box } }).start()
  const { post } = requests(http(boxes))
  const refused = await post('/aggregates/box/1/fill', { names: Array.from({ length: 1000 }, () => 0) })
  assertProblem(refused, 400, 'COMMAND_INVALID')
  assert.equal(refused.body.issues.length, 100)
})

test('a request without a body needs no content type', async () => {
  await using bank = await Bank.start()
  const { send } = requests(http(bank))
  const empty = () => new Blob([]).stream()
  assertProblem(await send(path, { method: 'POST', body: empty() }), 400, 'COMMAND_INVALID')
  const untyped = new Blob(['{"owner":"Ada"}']).stream()
  assertProblem(await send(path, { method: 'POST', body: untyped }), 415, 'CONTENT_UNSUPPORTED')
})

test('a path or a query that tricks routers leads nowhere', async () => {
  await using bank = await Bank.start()
  const { get } = requests(http(bank))
  const status = async (path: string) => {
    const { status, body } = await get(path)
    return `${status} ${body.code ?? ''}`
  }
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'dispatch', 'stop', 'projections']) {
    assert.equal(await status(`/aggregates/${name}/ada`), '404 ROUTE_UNKNOWN')
    assert.equal(await status(`/projections/${name}`), '404 ROUTE_UNKNOWN')
  }
  for (const id of ['%00', 'a%00b', 'x'.repeat(1025)])
    assert.equal(await status(`/aggregates/account/${id}`), '400 ID_INVALID')
  for (const id of ['%', '%zz', '%C0%AF', '%ED%A0%80', '%FF']) {
    assert.equal(await status(`/aggregates/account/${id}`), '400 REQUEST_MALFORMED', id)
  }
  for (const path of [
    '/',
    '//',
    '/aggregates',
    '/aggregates/',
    '/aggregates/account/',
    '//aggregates/account/ada',
    '/aggregates//ada',
    '/aggregates/account/ada/',
    '/AGGREGATES/account/ada',
    '/aggregates%2Faccount/ada',
  ]) {
    assert.equal(await status(path), '404 ROUTE_UNKNOWN', path)
  }
  for (const query of [
    'sequence=-1',
    'sequence=1e3',
    'sequence=01',
    'sequence=',
    'sequence=1&sequence=2',
    'time=now',
    'x=1',
    '__proto__=1',
  ]) {
    assert.equal(await status(`/aggregates/account/ada?${query}`), '400 REQUEST_MALFORMED', query)
  }
  for (const query of [
    'limit=1001',
    'where=1',
    'where={',
    'where={"$date":1}',
    'orderBy=x',
    'or={}',
    'where={"__proto__":1}',
  ]) {
    assert.equal(await status(`/projections/balances?${query}`), '400 REQUEST_MALFORMED', query)
  }
  assert.equal(await status('/projections/balances?after=x'), '400 CURSOR_INVALID')
})

test('a page has at least one item', async () => {
  await using bank = await Bank.start()
  const { get } = requests(http(bank))
  for (const path of ['/aggregates/account', '/aggregates/account/ada/events', '/projections/balances']) {
    for (const limit of ['0', '1001', '-1'])
      assertProblem(await get(`${path}?limit=${limit}`), 400, 'REQUEST_MALFORMED')
    assert.equal((await get(`${path}?limit=1`)).status, 200)
  }
})

test('any path at all is answered by a problem or a read, never by a 500', async () => {
  await using bank = await Bank.start()
  const handle = http(bank)
  const segment = fc.oneof(
    fc.constantFrom(
      'aggregates',
      'account',
      'projections',
      'balances',
      'events',
      '..',
      '%2e%2e',
      '%2F',
      '~',
      'openapi.json',
      'streams',
    ),
    fc.string({ unit: 'grapheme', maxLength: 6 }).map((text) => encodeURIComponent(text.toWellFormed())),
    fc.string({ maxLength: 6 }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(segment, { maxLength: 6 }), async (segments) => {
      const url = `http://bank.example/${segments.join('/')}`
      const gone = new AbortController()
      const response = await handle(new Request(url, { signal: gone.signal }))
      gone.abort()
      await response.body?.cancel()
      assert.ok([200, 400, 404, 405].includes(response.status), `${response.status} ${url}`)
    }),
    { numRuns: sized(500, 100) },
  )
})

test('a page of another origin may do nothing, unless its origin is listed', async () => {
  await using bank = await Bank.start()
  const { post, get, send } = requests(http(bank, { origins: ['https://app.example'] }))
  for (const origin of [
    'https://evil.example',
    'null',
    'http://bank.example.evil.example',
    'http://bank.example:81',
    'https://app.example.evil.example',
    'http://app.example',
  ]) {
    const refused = await post(path, { owner: 'Eve' }, { Origin: origin })
    assertProblem(refused, 403, 'ORIGIN_FORBIDDEN')
    assert.equal(refused.headers.get('access-control-allow-origin'), null)
    assertProblem(await get('/aggregates/account/ada', { Origin: origin }), 403, 'ORIGIN_FORBIDDEN')
    const asked = { Origin: origin, 'Access-Control-Request-Method': 'POST' }
    assertProblem(await send(path, { method: 'OPTIONS', headers: asked }), 403, 'ORIGIN_FORBIDDEN')
  }
  assert.equal(await bank.head(), 0)
  assert.equal((await post(path, { owner: 'Ada' }, { Origin: 'http://bank.example' })).status, 200)
  const asked = { Origin: 'https://app.example', 'Access-Control-Request-Method': 'POST' }
  const preflight = await send(path, { method: 'OPTIONS', headers: asked })
  assert.deepEqual(
    [preflight.status, preflight.headers.get('access-control-allow-origin')],
    [204, 'https://app.example'],
  )
  const read = await get('/aggregates/account/ada', { Origin: 'https://app.example' })
  assert.equal(read.headers.get('access-control-allow-origin'), 'https://app.example')
  assert.match(read.headers.get('vary')!, /Origin/)
})

test('what a browser sends for a page of another site without its origin is refused too', async () => {
  await using bank = await Bank.start()
  const { get } = requests(http(bank, { origins: ['https://app.example'] }))
  const sent = (site: string, mode: string) =>
    get('/aggregates/account/ada', { 'Sec-Fetch-Site': site, 'Sec-Fetch-Mode': mode })
  for (const site of ['cross-site', 'same-site']) assertProblem(await sent(site, 'no-cors'), 403, 'ORIGIN_FORBIDDEN')
  for (const site of ['same-origin', 'none']) assert.equal((await sent(site, 'no-cors')).status, 200)
  // Somebody follows a link.
  assert.equal((await sent('cross-site', 'navigate')).status, 200)
})

test('a name that was made to point here is not one of the service', async () => {
  await using bank = await Bank.start()
  const handle = http(bank, { hosts: ['localhost:3000', 'bank.example'] })
  const at = async (host: string) => (await handle(new Request(`http://${host}/aggregates/account/ada`))).status
  assert.deepEqual(
    await Promise.all(['bank.example', 'localhost:3000', 'evil.example', 'localhost'].map(at)),
    [200, 200, 421, 421],
  )
  for (const hosts of [['Bank.example'], ['https://bank.example'], ['bank.example/'], ['localhost:80:80'], ['']]) {
    assert.throws(() => http(bank, { hosts }), { code: 'OPTION_INVALID' }, hosts[0])
  }
  http(bank, { hosts: ['bank.example:443', 'bank.example:80', '[::1]:3000', '127.0.0.1'] })
})
