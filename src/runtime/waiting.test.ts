/** Waiting: for a bell, for earlier work, for a time, with a back-off. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { Bell } from './bell.ts'
import { DueTime } from './due-time.ts'
import { backOffMs, isAhead, sleep } from './environment.ts'
import { Exclusive } from './exclusive.ts'

test('a ring before a wait ends it at once, and only that wait', async () => {
  const bell = new Bell()
  bell.ring()
  bell.ring()
  await bell.wait()
  let isOver = false
  const waiting = bell.wait().then(() => {
    isOver = true
  })
  await Promise.resolve()
  assert.equal(isOver, false)
  bell.ring()
  await waiting
})

test('one piece of work runs at a time, in the order of the calls, even if some fail', async () => {
  const exclusive = new Exclusive()
  const seen: string[] = []
  const work = (name: string, fails: boolean) => async () => {
    seen.push(`${name} begins`)
    await Promise.resolve()
    seen.push(`${name} ends`)
    if (fails) throw new Error(name)
    return name
  }
  const [first, second] = await Promise.allSettled([exclusive.run(work('a', true)), exclusive.run(work('b', false))])
  assert.equal(first.status, 'rejected')
  assert.deepEqual(second, { status: 'fulfilled', value: 'b' })
  assert.deepEqual(seen, ['a begins', 'a ends', 'b begins', 'b ends'])
})

test('something is due when its time has passed or its date has come', async () => {
  const environment = manualEnvironment()
  const due = new DueTime(environment)
  assert.equal(due.isOver, true)
  due.set(1000)
  assert.deepEqual([due.isOver, due.restMs], [false, 1000])
  await environment.advance(400)
  assert.deepEqual([due.isOver, due.restMs], [false, 600])
  environment.setClock(new Date(environment.now() + 600))
  assert.equal(due.isOver, true)
})

test('a back-off doubles up to its limit, and half of it is random', () => {
  const at = (chance: number) => (tries: number) =>
    backOffMs({ ...manualEnvironment(), random: () => chance }, tries, 10, 100)
  assert.deepEqual([0, 1, 2, 3, 4, 1000].map(at(1)), [10, 20, 40, 80, 100, 100])
  assert.deepEqual([0, 1, 2, 3, 4].map(at(0)), [5, 10, 20, 40, 50])
})

test('a time that is too far ahead is not ahead', () => {
  assert.equal(isAhead(15, 10, 5), true)
  assert.equal(isAhead(16, 10, 5), false)
  assert.equal(isAhead(10, 10, 5), false)
})

test('an aborted signal ends a wait at once', async () => {
  const environment = manualEnvironment()
  const ending = new AbortController()
  const waiting = sleep(environment, 60_000, ending.signal)
  ending.abort()
  await waiting
  await sleep(environment, 60_000, ending.signal)
})
