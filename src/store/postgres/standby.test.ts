/**
 * A server with a standby: an address that leads to the wrong server, and a commit whose wait for the standby was
 * ended.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { findPostgresPair } from '../../../test/support/servers/postgres-pair.ts'
import { freshSchema, openStore, simpleCommit, withClient } from '../../../test/support/servers/postgres-place.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { beforeAskingAgain } from '../../testing/ask-again.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { everything } from '../range.ts'
import type { Store } from '../store.ts'

const isOfStandby = { code: 'STORE_UNAVAILABLE', retryable: true, message: /the server is a standby/ }
const waitMsMax = 120_000

/** Waits for the first answer without an error. */
async function untilItAnswers<Result>(ask: () => Promise<Result>): Promise<Result> {
  const deadline = performance.now() + waitMsMax
  for (let times = 0; ; times++) {
    try {
      return await ask()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await beforeAskingAgain(times)
    }
  }
}

await onServer('Standbys', findPostgresPair, (pair) => {
  const open = (context: TestContext, settings = ''): Promise<Store> => {
    const url = new URL(pair.url)
    if (settings !== '') url.searchParams.set('options', settings)
    return openStore(context, { url: url.href }, { schema: freshSchema() })
  }

  test('a store is not opened on a standby', async (context) => {
    const schema = freshSchema()
    await openStore(context, pair, { schema })
    await assert.rejects(openStore(context, pair.standby, { schema }), isOfStandby)
  })

  test('nothing is read from a standby or written to it, and a store continues when its address leads to the primary again', async (context) => {
    const store = await open(context)
    await store.append([simpleCommit('a')])
    pair.address.leadTo(pair.standby.url)
    pair.address.cutAll()
    try {
      await assert.rejects(store.append([simpleCommit('b')]), { code: 'STORE_UNAVAILABLE' })
      await assert.rejects(store.append([simpleCommit('b')]), isOfStandby)
      await assert.rejects(store.head(), isOfStandby)
      await assert.rejects(store.readAll(everything), isOfStandby)
      await assert.rejects(store.findCommit({ aggregate: 'account', id: 'ada' }, 'a'), isOfStandby)
      await assert.rejects(store.saveStep('p', { from: at(0), to: at(1), rows: [] }), isOfStandby)
      await assert.rejects(store.acquireLease('l', 'me', 1000), isOfStandby)
    } finally {
      pair.address.leadTo(pair.primary.url)
    }
    assert.equal(await store.head(), 1)
    const [result] = await store.append([simpleCommit('b')])
    assert.deepEqual([result?.status, result?.sequence], ['stored', 2])
  })

  /**
   * Settings of a role that would prevent a store from waiting for the standby, or from the notice that it did not
   * wait.
   */
  const careless = '-c client_min_messages=error -c synchronous_commit=local'
  const append = async (store: Store) => (await store.append([simpleCommit('b')]))[0]!
  const look = (store: Store) => store.findCommit({ aggregate: 'account', id: 'ada' }, 'b')
  for (const [how, ask, settings] of [
    ['pg_cancel_backend', append, ''],
    ['pg_cancel_backend', look, ''],
    ['pg_cancel_backend', append, careless],
    ['pg_cancel_backend', look, careless],
    ['pg_terminate_backend', append, ''],
    ['pg_terminate_backend', look, ''],
  ] as const) {
    const by = settings === '' ? ask.name : `${ask.name}, whatever the role's settings are`
    test(`a commit whose wait for the standby is ended by ${how} is not acknowledged by ${by} before the standby has it`, async (context) => {
      const store = await open(context, settings)
      await store.append([simpleCommit('a')])
      pair.standby.pause()
      try {
        const refused = assert.rejects(store.append([simpleCommit('b')]), { code: 'STORE_UNAVAILABLE' })
        await pair.commitsWait()
        await withClient(pair.primary, (client) =>
          client.query(`SELECT ${how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`),
        )
        await refused
        let isAnswered = false
        const answer = ask(store).finally(() => {
          isAnswered = true
        })
        await pair.commitsWait()
        assert.equal(isAnswered, false)
        pair.standby.resume()
        const found = await answer
        assert.deepEqual([found && 'count' in found && found.count, found?.sequence], [1, 2])
      } finally {
        pair.standby.resume()
      }
    })
  }

  test('a commit that no standby has is acknowledged after the standby that takes over has stored it', async (context) => {
    const store = await open(context)
    await store.append([simpleCommit('a')])
    await pair.losePrimary()
    pair.address.leadTo(pair.standby.url)
    await pair.promote()
    const answer = untilItAnswers(() => store.append([simpleCommit('b')]))
    await pair.commitsWait()
    await pair.addStandby()
    const [result] = await answer
    assert.deepEqual([result!.status === 'conflict', result!.sequence], [false, 2])
    assert.equal(await store.head(), 2)
  })
})
