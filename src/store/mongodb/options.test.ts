/** Options are checked when the factory is made, and no password gets into a message. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mongodb } from './index.ts'
import { settingsOf } from './options.ts'

test('invalid options are refused when the factory is made', () => {
  const refused = (...given: Parameters<typeof mongodb>) =>
    assert.throws(() => mongodb(...given), { code: 'OPTION_INVALID' })
  refused('postgres://localhost/bank')
  refused('')
  refused({} as never)
  for (const database of ['', 'a/b', 'a.b', 'a b', 'x'.repeat(64), 'a\0']) refused('mongodb://localhost', { database })
  for (const prefix of ['a b', 'system.', '$', 'x'.repeat(65)]) refused('mongodb://localhost', { prefix })
  for (const poolSize of [0, 1.5, 1e9]) refused('mongodb://localhost', { poolSize })
  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) refused('mongodb://localhost', { timeoutMs })
  refused('mongodb://localhost', { migrate: 'yes' as never })
})

test('the database is that of the options, otherwise that of the URL, otherwise mneme', () => {
  const databaseOf = (...given: Parameters<typeof settingsOf>) => settingsOf(...given).database
  assert.equal(databaseOf('mongodb://localhost/bank', { database: 'shop' }), 'shop')
  assert.equal(databaseOf('mongodb://a:1,b:2/bank?replicaSet=x', {}), 'bank')
  for (const url of ['mongodb://localhost', 'mongodb://localhost/', 'mongodb+srv://localhost/?tls=true']) {
    assert.equal(databaseOf(url, {}), 'mneme')
  }
})

test('messages name the servers and the database, never a password', () => {
  const { label } = settingsOf('mongodb://ada:s%40cret@a:1,b:2/bank?authSource=admin&tlsKey=s3cret', {})
  assert.equal(label, 'mongodb (a:1,b:2/bank)')
  assert.throws(
    () => settingsOf('mongo://ada:secret@a/bank', {}),
    (error: Error) => !error.message.includes('secret'),
  )
})

test('a missing server is reported within the time limit', async () => {
  const opened = mongodb('mongodb://127.0.0.1:1/bank', { timeoutMs: 300 }).open({ warn: () => {}, now: () => 0 })
  await assert.rejects(opened, {
    code: 'STORE_UNAVAILABLE',
    message: /mongodb \(127\.0\.0\.1:1\/bank\) failed while opening it/,
  })
})
