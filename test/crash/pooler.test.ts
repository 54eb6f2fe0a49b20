/**
 * A bank behind a pooler in transaction mode, when what is behind the pooler breaks: sessions are ended in the middle
 * of their work, and the primary is lost. The bank's own connections, those to the pooler, stay.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ordeal } from '../support/crash/ordeal.ts'
import type { ServerPlace } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { pgbouncerBefore } from '../support/servers/pgbouncer.ts'
import { findPostgresPair, type PostgresPair } from '../support/servers/postgres-pair.ts'
import { freshSchema, openStore, simpleCommit, withClient } from '../support/servers/postgres-place.ts'
import { type FindServer, onServer, type TestServer } from '../support/servers/server.ts'
import { leftOut, sized } from '../support/size.ts'

const sessionsEnded = sized(30, 8)
const failovers = sized(3, 1)
const pace = { callers: 16, backlogMax: 200 }
/** PgBouncer rests a second before it tries a server again that it could not reach. */
const timeoutMs = 3_000

interface PooledPair extends TestServer {
  readonly pair: PostgresPair
}

const findPooledPair: FindServer<PooledPair> = async () => {
  if (leftOut !== undefined) return { missing: leftOut, isExtra: true }
  const pair = await findPostgresPair()
  if ('missing' in pair) return pair
  const pooler = await pgbouncerBefore(pair)
  return 'missing' in pooler ? pooler : { ...pooler, pair }
}

await onServer('A pooler with a pair behind it', findPooledPair, ({ url, pair }) => {
  const placeOf = (seed: number): ServerPlace => ({ store: 'postgres', url, schema: `bank-${seed}`, timeoutMs })

  test(
    `a bank survives the end of ${sessionsEnded} sessions in the middle of their work`,
    { timeout: 1_100_000 },
    (context) =>
      withSeed((random, seed) =>
        ordeal(context, { place: placeOf(seed), pace, random }, async (bank) => {
          let ended = 0
          await withClient(pair.primary, async (client) => {
            while (ended < sessionsEnded) {
              const { rowCount } = await client.query(
                `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()`,
              )
              ended += rowCount ?? 0
              await bank.answered(random.int(1, 20))
            }
          })
          await bank.recovered()
        }),
      ),
  )

  test(`a bank survives that the primary behind it is lost: ${failovers} times`, { timeout: 1_100_000 }, (context) =>
    withSeed((random, seed) =>
      ordeal(context, { place: placeOf(seed), pace, random }, async (bank) => {
        for (let round = 1; round <= failovers; round++) {
          await bank.recovered()
          await bank.answered(random.int(1, 30))
          await pair.losePrimary()
          // A pooler is to be led to a primary only: what a connection leads to is not asked again.
          await pair.promote()
          pair.address.leadTo(pair.primary.url)
          await pair.commitsWait()
          await pair.addStandby()
        }
        await bank.recovered()
      }),
    ),
  )

  test('a pooler that leads to a standby is not written to, and is when it leads to the primary', async (context) => {
    const store = await openStore(context, { url }, { schema: freshSchema(), timeoutMs })
    await store.append([simpleCommit('a')])
    const leadTo = (server: { readonly url: string }): void => {
      pair.address.leadTo(server.url)
      pair.address.cutAll()
    }
    const append = async (): Promise<string> => {
      try {
        const [result] = await store.append([simpleCommit('b')])
        return result!.status
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'STORE_UNAVAILABLE')
        return String(error)
      }
    }
    const appendUntil = async (expected: RegExp): Promise<void> => {
      const deadline = performance.now() + 10 * timeoutMs
      for (let said = ''; !expected.test(said); said = await append()) assert.ok(performance.now() < deadline, said)
    }
    leadTo(pair.standby)
    try {
      // Before, sessions that were cut may end some tries.
      await appendUntil(/the server is a standby/)
    } finally {
      leadTo(pair.primary)
    }
    await appendUntil(/stored/)
    assert.equal(await store.head(), 2)
  })
})
