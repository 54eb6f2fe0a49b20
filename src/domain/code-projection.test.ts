/** The definition of a projection as code. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { projection, streamKey } from './code-projection.ts'
import { event, type RecordedEvent } from './event.ts'

const Paid = event('Paid', z.object({ to: z.string() }))
const Closed = event('Closed', z.object({}))
const handler = () => {}
const Ledger = projection('ledger').handle([Paid, Closed], handler)

const paid: RecordedEvent = {
  type: 'Paid',
  data: { to: 'bob' },
  stream: { aggregate: 'account', id: 'ada' },
  sequence: 1,
  position: 1,
  recordedAt: new Date(0),
  metadata: {},
  tags: [],
  revision: 1,
  commitId: 'c',
}

test('it has the given parts, and is frozen', () => {
  assert.deepEqual([Ledger.name, Ledger.shape, Ledger.handler], ['ledger', 'code', handler])
  assert.deepEqual(Ledger.kinds, [Paid, Closed])
  assert.equal(Ledger.preparation, undefined)
  assert.ok(Object.isFrozen(Ledger))
  const prepared = Ledger.prepare(handler).onFailure({ retries: 1 })
  assert.deepEqual([prepared.preparation, prepared.policy.retries], [handler, 1])
  assert.deepEqual([Ledger.preparation, Ledger.policy.retries], [undefined, 10])
})

test('events stay in order by stream, or by the chosen keys', () => {
  assert.deepEqual(Ledger.keysOf(paid), ['["account","ada"]'])
  const keyed = Ledger.by((event) => (event.type === 'Paid' ? [event.data.to, event.data.to, 'all'] : undefined))
  assert.deepEqual(keyed.keysOf(paid), ['bob', 'all'])
  assert.deepEqual(keyed.keysOf({ ...paid, type: 'Closed', data: {} }), [])
})

test('two streams never have the same key', () => {
  const streams = [
    ['a', 'b'],
    ['a","b', ''],
    ['a', 'b","'],
    ['ab', ''],
  ] as const
  const keys = streams.map(([aggregate, id]) => streamKey({ stream: { aggregate, id } }))
  assert.equal(new Set(keys).size, streams.length)
})

test('a definition that cannot work is refused where it is written', () => {
  const named = projection('ledger')
  const bad: readonly (() => unknown)[] = [
    () => named.handle([], handler),
    () => named.handle(Paid as never, handler),
    () => named.handle([Paid], undefined as never),
    () => named.handle([Paid, Closed, Paid], handler),
    () => Ledger.prepare(undefined as never),
  ]
  for (const define of bad) assert.throws(define, { code: 'DEFINITION_INVALID', message: /The projection ledger/ })
  assert.throws(() => projection(''), { code: 'ID_INVALID' })
  assert.throws(() => Ledger.onFailure({ retries: -1 }), { code: 'OPTION_INVALID' })
})
