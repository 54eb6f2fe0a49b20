/** Listeners are called and ended, and do not affect each other. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Listeners } from './listeners.ts'

test('every listener is called at every notice, until it is ended', () => {
  const listeners = new Listeners()
  const calls: string[] = []
  const end = listeners.add(() => calls.push('a'))
  listeners.add(() => calls.push('b'))
  listeners.notify()
  end()
  end()
  listeners.notify()
  assert.deepEqual(calls, ['a', 'b', 'b'])
})

test('a listener that throws does not affect the others', () => {
  const listeners = new Listeners()
  let calls = 0
  listeners.add(() => {
    throw new Error('bad')
  })
  listeners.add(() => calls++)
  listeners.notify()
  assert.equal(calls, 1)
})

test('one function added twice is two listeners', () => {
  const listeners = new Listeners()
  let calls = 0
  const listener = () => calls++
  const end = listeners.add(listener)
  listeners.add(listener)
  end()
  listeners.notify()
  assert.equal(calls, 1)
})

test('a listener may end itself while it is called', () => {
  const listeners = new Listeners()
  let calls = 0
  const end = listeners.add(() => {
    calls++
    end()
  })
  listeners.notify()
  listeners.notify()
  assert.equal(calls, 1)
})
