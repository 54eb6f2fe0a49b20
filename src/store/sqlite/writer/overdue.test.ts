import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../../test/support/kernel/rig.ts'
import { settingsOf } from '../options.ts'
import { freshPath } from '../sqlite-test.fixture.ts'
import { Overdue } from './overdue.ts'
import { connect } from './threads.ts'

/** An `Overdue` of 300 ms on a clock that is moved by hand. */
function rig() {
  let now = 0
  let due: { at: number; callback: () => void } | undefined
  const told: (readonly [number, number])[] = []
  const clock = {
    elapsed: () => now,
    after: (callback: () => void, ms: number) => {
      assert.equal(due, undefined, 'one timer at a time')
      due = { at: now + ms, callback }
    },
  }
  const pass = (ms: number) => {
    for (const end = now + ms; ; ) {
      if (due === undefined || due.at > end) {
        now = end
        return
      }
      const { at, callback } = due
      now = at
      due = undefined
      callback()
    }
  }
  const overdue = new Overdue((database, oldest) => told.push([database, oldest]), 300, clock)
  return { overdue, told, pass, isTimed: () => due !== undefined }
}

test('a database whose thread does not answer is told of once, with the one that has waited longest', () => {
  const { overdue, told, pass } = rig()
  overdue.sent(1)
  pass(100)
  overdue.sent(2)
  pass(250)
  assert.deepEqual(told, [[1, 1]])
  pass(1000)
  assert.deepEqual(told, [
    [1, 1],
    [2, 1],
  ])
  overdue.answered(1)
  overdue.sent(1)
  pass(1000)
  assert.deepEqual(told.slice(2), [[1, 2]], 'after an answer it is told again')
})

test('a database that is answered again and again is not told of, although something is always awaited', () => {
  const { overdue, told, pass, isTimed } = rig()
  overdue.sent(1)
  for (let i = 0; i < 20; i++) {
    pass(200)
    overdue.sent(1)
    overdue.answered(1)
  }
  assert.deepEqual(told, [])
  overdue.answered(1)
  pass(1000)
  assert.equal(isTimed(), false, 'no timer goes on without need')
  overdue.sent(1)
  overdue.sent(1)
  overdue.ended(1)
  pass(1000)
  assert.deepEqual(told, [])
})

test('a store hears that its thread does not answer', async (context) => {
  const heard: string[] = []
  // Opening a file takes longer than that, except if this process is held up meanwhile. Then the next one shows it.
  for (let i = 0; !heard.includes('slow'); i++) {
    const settings = settingsOf(`${await freshPath(context)}-${i}`, {})
    const opened: unknown[] = []
    const listener = { hear: opened.push.bind(opened), end: () => {}, slow: () => void heard.push('slow') }
    const line = connect({ settings, identities: undefined }, listener, { slowMs: 0.3 })
    line.hold(true)
    await until('it is opened', () => opened.length > 0)
    line.post('close')
    await line.ended
  }
})
