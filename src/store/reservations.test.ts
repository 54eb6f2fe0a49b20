/** When reservations in memory expire. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Reservations } from './reservations.ts'

const stream = (id: string) => ({ aggregate: 'a', id })

test('a reservation expires when its time is over', () => {
  const reservations = new Reservations()
  reservations.reserve([stream('x')], 'a', { durationMs: 50, now: 1000 })
  assert.equal(reservations.begin('b', 1049)(stream('x')), true)
  assert.equal(reservations.begin('a', 1049)(stream('x')), false)
  assert.equal(reservations.begin('b', 1050)(stream('x')), false)
})

test('a reservation delays nobody after the clock has gone back', () => {
  const reservations = new Reservations()
  reservations.reserve([stream('x')], 'a', { durationMs: 5000, now: 3_600_000 })
  assert.equal(reservations.begin('b', 0)(stream('x')), false)
  assert.deepEqual(reservations.reserve([stream('x')], 'b', { durationMs: 5000, now: 0 }), [true])
})

test('expired reservations are dropped even if nobody asks for their streams again', () => {
  const reservations = new Reservations()
  for (let i = 0; i < 100; i++) reservations.reserve([stream(`${i}`)], 'a', { durationMs: 50, now: i })
  reservations.begin('b', 149)
  assert.equal(reservations.isEmpty, true)
})
