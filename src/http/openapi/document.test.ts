/** The OpenAPI document: what it says of commands, whose schemas of whatever library, and who may read it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { Bank } from '../../../examples/bank/bank.ts'
import { assertProblem, requests } from '../../../test/support/http/client.ts'
import { aggregate, domain, event, personal } from '../../index.ts'
import { http } from '../index.ts'

test('the document has each route, with the schemas of commands and events', async () => {
  await using bank = await Bank.start()
  const { body } = await requests(http(bank)).get('/openapi.json')
  assert.equal(body.openapi, '3.1.0')
  assert.deepEqual(Object.keys(body.paths).sort(), [
    ...['/aggregates/account', '/aggregates/account/{id}', '/aggregates/account/{id}/deposit'],
    ...['/aggregates/account/{id}/events', '/aggregates/account/{id}/open', '/aggregates/account/{id}/withdraw'],
    ...['/counts/balances', '/events', '/projections/balances', '/projections/balances/{key}'],
    ...['/streams', '/streams/account/{id}'],
  ])
  const { post } = body.paths['/aggregates/account/{id}/deposit']
  const { schema } = post.requestBody.content['application/json']
  assert.deepEqual([schema.required, schema.properties.amount.type], [['amount'], 'integer'])
  assert.equal(post.operationId, 'account_deposit')
  const events = post.responses['200'].content['application/json'].schema.properties.events.items.anyOf
  assert.deepEqual(
    events.map((one: any) => one.properties.type.const),
    ['AccountOpened', 'MoneyDeposited', 'MoneyWithdrawn'],
  )
  const { responses } = body.paths['/aggregates/account/{id}/events'].get
  assert.ok('text/event-stream' in responses['200'].content && '410' in responses)
  const log = body.paths['/events'].get
  assert.deepEqual(Object.keys(log.responses['200'].content), ['text/event-stream'])
  assert.deepEqual(
    log.parameters.map((one: any) => one.name),
    ['from', 'types', 'aggregates', 'tags', 'Last-Event-ID'],
  )
  const stream = body.paths['/streams/account/{id}'].get
  assert.deepEqual(stream.responses['200'].content['application/json'].schema.items.anyOf, events)
  assert.ok(['204', '304', '404', '410'].every((status) => status in stream.responses))
  const ids = Object.values<any>(body.paths).flatMap((path) => Object.values<any>(path).map((each) => each.operationId))
  assert.equal(new Set(ids).size, ids.length)
})

test('what a request must be by the document is what the service takes', async () => {
  await using bank = await Bank.start()
  // Streams end at once, so that their answers can be read.
  const handle = http(bank, { basePath: '/api', streamMsMax: 1 })
  const { get, post } = requests(handle)
  const { body } = await get('/api/openapi.json')
  assert.deepEqual(body.servers, [{ url: '/api' }])
  const [server] = body.servers
  for (const [path, operations] of Object.entries<any>(body.paths)) {
    const address = `${server.url}${path.replace('{id}', 'ada').replace('{key}', 'ada')}`
    if (path === '/events') {
      const response = await handle(new Request(`http://bank.example${address}`))
      assert.deepEqual([response.status, await response.text()], [200, ': events\n\n'])
    } else if ('get' in operations) assert.ok([200, 404].includes((await get(address)).status), address)
    else assert.equal((await post(address, { none: 1 })).body.code, 'COMMAND_INVALID')
  }
})

test('a schema that cannot be told allows everything; one with personal fields is told', async () => {
  const Happened = event('Happened', z.object({}))
  const secret = personal(z.object({ email: z.email() }), { subject: () => '1', fields: ['email'] })
  const Thing = aggregate('thing', () => ({}))
    .on(Happened)
    .command('ark', type({ name: 'string' }), () => undefined)
    .command('vali', v.object({ name: v.string() }), () => undefined)
    .command('dated', z.object({ at: z.date() }), () => undefined)
    .command('secret', secret, () => undefined)
  await using things = await domain({ aggregates: { thing: Thing } }).start()
  const { body } = await requests(http(things)).get('/openapi.json')
  const schemaOf = (name: string) => {
    const { requestBody } = body.paths[`/aggregates/thing/{id}/${name}`].post
    return requestBody.content['application/json'].schema
  }
  assert.equal(schemaOf('ark').properties.name.type, 'string')
  assert.deepEqual([schemaOf('vali'), schemaOf('dated')], [{}, {}])
  assert.equal(schemaOf('secret').properties.email.format, 'email')
})

test('who may not read the document gets 403', async () => {
  await using bank = await Bank.start()
  const { get } = requests(http(bank, { mayRead: ({ kind }) => kind !== 'document' }))
  assertProblem(await get('/openapi.json'), 403, 'REQUEST_FORBIDDEN')
})
