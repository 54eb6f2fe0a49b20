/** What routes that a program writes by hand get of `http(bank)`. The guide shows them in use. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, InputError, personal, reject } from '../index.ts'
import {
  commandOptionsOf,
  followOptionsOf,
  headersOf,
  jsonOf,
  pageOptionsOf,
  responseTo,
  waitOptionsOf,
} from './own-routes.ts'

const requestWith = (headers: Record<string, string>) => ({ headers: new Headers(headers) })

test('the options of a command are those that the headers have', () => {
  assert.deepEqual(commandOptionsOf(requestWith({})), {})
  assert.deepEqual(commandOptionsOf(requestWith({ 'Idempotency-Key': '"a b"', 'If-Match': '"3"' })), {
    commandId: 'a b',
    expectedSequence: 3,
  })
  assert.deepEqual(commandOptionsOf(requestWith({ 'If-None-Match': '*' })), { expectedSequence: 0 })
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  assert.deepEqual(commandOptionsOf(requestWith({ traceparent, tracestate: 'a=b' })), {
    metadata: { traceparent, tracestate: 'a=b' },
  })
  assert.throws(() => commandOptionsOf(requestWith({ 'If-Match': 'W/"3"' })), { code: 'REQUEST_MALFORMED' })
})

test('a position is waited for, and an answer has one', () => {
  assert.deepEqual(waitOptionsOf(requestWith({})), {})
  assert.deepEqual(waitOptionsOf(requestWith(headersOf({ sequence: 2, position: 7 }))), { atLeast: 7 })
  assert.throws(() => waitOptionsOf(requestWith({ 'Mneme-Position': '-1' })), { code: 'REQUEST_MALFORMED' })
})

test('a stream of events goes on behind the last one that its client got', () => {
  assert.deepEqual(followOptionsOf(requestWith({})), { from: 1 })
  assert.deepEqual(followOptionsOf(requestWith({ 'Last-Event-ID': '' })), { from: 1 })
  assert.deepEqual(followOptionsOf(requestWith({ 'Last-Event-ID': '7' })), { from: 8 })
  for (const id of ['x', '-1', '1.5', '7-1', '9007199254740991']) {
    assert.throws(() => followOptionsOf(requestWith({ 'Last-Event-ID': id })), { code: 'REQUEST_MALFORMED' })
  }
})

test('a page is asked for in the address', () => {
  assert.deepEqual(pageOptionsOf({ url: '/orders' }), { limit: 100 })
  assert.deepEqual(pageOptionsOf({ url: 'http://shop.example/orders?limit=5&after=x' }, 20), { limit: 5, after: 'x' })
  for (const limit of ['0', '21', 'x', '']) {
    assert.throws(() => pageOptionsOf({ url: `/orders?limit=${limit}` }, 20), { code: 'REQUEST_MALFORMED' })
  }
})

test('personal values are shown to those who may see them, and in no problem', async () => {
  const fields = z.object({ id: z.string(), email: z.string() })
  const whose = { subject: ({ id }: { readonly id: string }) => id, fields: ['email'] } as const
  const Registered = event('Registered', fields).personal(whose)
  const Customer = aggregate('customer', () => ({}) as { readonly email?: unknown })
    .on(Registered, (_, { email }) => ({ email }))
    .command('register', personal(fields, whose), ({ email }, data) =>
      email === undefined ? Registered(data) : reject('Taken', { by: email }),
    )
  await using shop = await domain({ aggregates: { customer: Customer } }).start()
  const { state } = await shop.customer('1').register({ id: '1', email: 'a@b.org' })
  assert.deepEqual(jsonOf(state), { email: '[personal]' })
  assert.deepEqual(
    jsonOf(state, (subject) => subject === '1'),
    { email: 'a@b.org' },
  )
  const again = shop.customer('1').register({ id: '1', email: 'c@d.org' })
  const problem = responseTo(await again.catch((error: unknown) => error))
  assert.deepEqual([problem.status, problem.headers.get('Content-Type')], [422, 'application/problem+json'])
  const { code, details } = (await problem.json()) as { code: string; details: unknown }
  assert.deepEqual({ code, details }, { code: 'Taken', details: { by: '[personal]' } })
  await shop.forget('1')
  assert.deepEqual(
    jsonOf(state, () => true),
    { email: '[forgotten]' },
  )
})

test('what only the program can mend is in its log, and not in the answer', async () => {
  const logged: unknown[] = []
  const log = { warn: () => assert.fail(), error: (_: string, facts: unknown) => logged.push(facts) }
  const error = new RangeError('secret')
  const unknown = responseTo(error, log)
  assert.equal(unknown.status, 500)
  assert.doesNotMatch(await unknown.text(), /secret/)
  assert.deepEqual(logged, [{ code: 'REQUEST_FAILED', cause: error }])
  assert.equal(responseTo(new InputError('CURSOR_INVALID', { cursor: 'x' }), log).status, 400)
  assert.equal(logged.length, 1)
})
