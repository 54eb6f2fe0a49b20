/** Parked events as rows: what they block, their order, and how they are removed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemEnvironment } from '../../application/system-environment.ts'
import { memory } from '../../index.ts'
import { Breath } from '../../runtime/breath.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { listParked, ParkedEvents, parkedRow, reasonOf, unparkedRow } from './parked-events.ts'
import { checkRowKey, isOwnKey, storedKey, userKey } from './row-key.ts'

const eventAt = (position: number) => ({ position, type: 'Put', stream: { aggregate: 'pot', id: 'a' } })
const breath = new Breath(systemEnvironment)
const open = () => memory().open({ now: () => 0, warn: () => {} })

test('a key is blocked as long as an event with the key is parked', () => {
  const parked = new ParkedEvents()
  parked.apply([parkedRow(eventAt(2), ['a', 'b'], 'why', 7), parkedRow(eventAt(10), ['b', 'c'], 'why', 7)])
  const blocked = () => ['a', 'b', 'c', 'd'].filter((key) => parked.blocks(key))
  assert.deepEqual(blocked(), ['a', 'b', 'c'])
  parked.apply([unparkedRow(2)])
  assert.deepEqual(blocked(), ['b', 'c'])
  parked.apply([unparkedRow(2), unparkedRow(10)])
  assert.deepEqual(blocked(), [])
})

test('an event that is parked again counts once, with its new keys', () => {
  const parked = new ParkedEvents()
  parked.apply([parkedRow(eventAt(2), ['a'], 'why', 7), parkedRow(eventAt(2), ['b'], 'again', 8)])
  assert.deepEqual([parked.blocks('a'), parked.blocks('b'), parked.size], [false, true, 1])
  assert.ok(parked.holds(2))
  parked.apply([unparkedRow(2)])
  assert.deepEqual([parked.blocks('b'), parked.holds(2)], [false, false])
})

test('parked events are in the order of the log, and come back from the store unchanged', async () => {
  const store = await open()
  const positions = [900_000_000, 2, 10, 1_000_000]
  const rows = positions.map((position) => parkedRow(eventAt(position), ['a'], 'why', 7))
  await store.saveStep('p', { from: at(0), to: at(5), rows: [...rows, { key: 'a', value: 1 }] })
  const parked = new ParkedEvents()
  await parked.load(store, 'p', breath)
  const sorted = [2, 10, 1_000_000, 900_000_000]
  assert.deepEqual(
    (await parked.all(breath)).map(({ position }) => position),
    sorted,
  )
  assert.deepEqual(
    await listParked(store, 'p', breath),
    sorted.map((position) => ({ ...eventAt(position), keys: ['a'], reason: 'why', parkedAt: new Date(7) })),
  )
})

test('all parked events are found if they are more than a page', async () => {
  const store = await open()
  const rows = Array.from({ length: 2500 }, (_, i) => parkedRow(eventAt(i + 1), [], 'why', 7))
  await store.saveStep('p', { from: at(0), to: at(5), rows })
  assert.equal((await listParked(store, 'p', breath)).length, 2500)
})

test('a parked scheduled command becomes a timer again; the event parked at its position stays', () => {
  const scheduled = { key: 'timer 2:0', dueAt: 99, command: { name: 'pay' } }
  const parked = new ParkedEvents()
  parked.apply([parkedRow(eventAt(2), ['a'], 'why', 7), parkedRow(eventAt(2), [], 'never', 8, scheduled)])
  assert.equal(parked.size, 2)
  assert.deepEqual(parked.timerRows(3), [])
  const [gone, timer] = parked.timerRows(2)
  assert.deepEqual(timer, { key: 'timer 2:0', value: { dueAt: 99, command: { name: 'pay' } } })
  assert.equal(gone?.value, undefined)
  assert.equal(parked.rowsWithout(2).length, 2)
  parked.apply([gone!])
  assert.deepEqual([parked.size, parked.blocks('a')], [1, true])
})

test('every key of a user is distinguished from the keys of Mneme, and comes back unchanged', () => {
  const { key: own } = unparkedRow(1)
  assert.ok(isOwnKey(own))
  const keys = ['parked 1', 'a\u0001', ' ', '\u0002', '\u0001', '\u0001\u0001', '\u0001\u0001x', own, storedKey(own)]
  for (const key of keys) {
    checkRowKey(key)
    assert.ok(!isOwnKey(storedKey(key)), key)
    assert.equal(userKey(storedKey(key)), key)
  }
  assert.equal(new Set(keys.map(storedKey)).size, keys.length)
  for (const none of ['', undefined, 7]) assert.throws(() => checkRowKey(none), { code: 'ID_INVALID' })
})

test('a reason is a text, whatever was thrown', () => {
  assert.deepEqual([new RangeError('far'), 'text', undefined, null].map(reasonOf), [
    'RangeError: far',
    'text',
    'undefined',
    'null',
  ])
})
