/** The definition of a projection with rows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { projection } from './code-projection.ts'
import { event, type RecordedEvent } from './event.ts'
import { singleKey } from './projection.ts'

const Raised = event('Raised', z.object({ by: z.int(), team: z.string() }))

const Sums = projection('sums', () => ({ sum: 0 })).on(Raised, (row, { by }) => ({ sum: row.sum + by }))

const stored: RecordedEvent<'Raised', { readonly by: number; readonly team: string }> = {
  type: 'Raised',
  data: { by: 2, team: 'red' },
  stream: { aggregate: 'counter', id: 'c1' },
  sequence: 1,
  position: 1,
  recordedAt: new Date(0),
  metadata: {},
  tags: [],
  revision: 1,
  commitId: 'c',
}

test('its parts are plain functions', () => {
  assert.deepEqual(Sums.initial(), { sum: 0 })
  assert.deepEqual(Sums.evolve({ sum: 1 }, stored), { sum: 3 })
})

test('the key of a row is by default the id of the stream', () => {
  assert.deepEqual(Sums.keysOf(stored), ['c1'])
  assert.deepEqual(Sums.by(({ data }) => data.team).keysOf(stored), ['red'])
  assert.deepEqual(Sums.keysOf(stored), ['c1'])
})

test('an event may belong to no row', () => {
  assert.deepEqual(Sums.by(() => undefined).keysOf(stored), [])
})

test('an event that it does not know does not change the row', () => {
  const row = { sum: 1 }
  assert.equal(Sums.evolve(row, { ...stored, type: 'Other' } as never), row)
})

test('two .on for one event are refused', () => {
  assert.throws(() => Sums.on(Raised, (row) => row), { code: 'DEFINITION_INVALID', message: /The projection sums/ })
})

test('an invalid name is refused', () => {
  assert.throws(() => projection('', () => 0), { code: 'ID_INVALID' })
})

test('an event may belong to several rows, once to each', () => {
  assert.deepEqual(Sums.by(({ data }) => [data.team, 'all', data.team]).keysOf(stored), ['red', 'all'])
})

test('a projection may have one state for the whole log', () => {
  const Total = Sums.single()
  assert.equal(Total.shape, 'state')
  assert.deepEqual(Total.keysOf(stored), [singleKey])
  assert.equal(Total.by(() => 'x').shape, 'rows')
})

test('a definition without a necessary function is refused', () => {
  assert.throws(() => projection('p', 5 as never), { code: 'DEFINITION_INVALID' })
  assert.throws(() => projection('p', () => 0).on(Raised, undefined as never), { code: 'DEFINITION_INVALID' })
})

test('options as an argument are refused, because they are set with methods', () => {
  const given = projection as unknown as (...parts: readonly unknown[]) => unknown
  assert.throws(() => given('p', () => 0, { revision: 2 }), { code: 'DEFINITION_INVALID', message: /\.revision\(2\)/ })
})
