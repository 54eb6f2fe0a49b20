/** The options are checked when the factory is made, and no password is shown. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode } from '../../domain/error.ts'
import { nats } from './index.ts'
import { settingsOf, urlsOf } from './options.ts'

const refuses = (make: () => unknown, option: string): void => {
  assert.throws(make, (error: unknown) => {
    assert.ok(hasCode(error, 'OPTION_INVALID'))
    assert.equal(error.facts.option, option)
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
}

test('an option that makes no sense is refused', () => {
  for (const prefix of ['', 'a.b', 'a b', 'a*', 'x'.repeat(65), 5]) {
    refuses(() => nats('nats://localhost', { prefix: prefix as string }), 'prefix')
  }
  for (const replicas of [0, 2, 7, '3', null]) {
    refuses(() => nats('nats://localhost', { replicas: replicas as 3 }), 'replicas')
  }
  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    refuses(() => nats('nats://localhost', { timeoutMs }), 'timeoutMs')
  }
  refuses(() => nats('nats://localhost', { migrate: 'no' as never }), 'migrate')
  for (const url of ['', 'localhost', 'http://localhost', 'nats://', 'nats://ada:secret@', 'nats://a/b']) {
    refuses(() => nats(url), 'url')
  }
  refuses(() => nats(5 as never), 'url')
})

test('a URL names one server or several, with a user, a password or a token', () => {
  assert.deepEqual(
    urlsOf('nats://ada:s%40crt@one:4222,two:4223').map(({ host, user, password }) => [host, user, password]),
    [
      ['one:4222', 'ada', 's@crt'],
      ['two:4223', undefined, undefined],
    ],
  )
  assert.deepEqual(urlsOf('tls://token@one'), [{ host: 'one', user: 'token', password: undefined, isSecure: true }])
})

test('the name of the store has no password', () => {
  assert.equal(settingsOf('nats://ada:secret@one:4222,two', { prefix: 'bank' }).label, 'nats (one:4222,two/bank)')
})
