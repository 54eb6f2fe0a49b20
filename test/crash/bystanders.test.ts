/**
 * What others do on the same server: they leave a transaction open that has written, and one that looks at the log as
 * it was long ago. And what becomes of those who follow the log when only the wake-ups are cut off.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MongoClient } from 'mongodb'
import { within } from '../support/crash/deadline.ts'
import { ordeal } from '../support/crash/ordeal.ts'
import { OrdealBank } from '../support/crash/ordeal-domain.ts'
import { storeAt } from '../support/crash/place.ts'
import { placeBy, serverPlace, withPostgres } from '../support/crash/server-place.ts'
import { withSeed } from '../support/seed.ts'
import { findMongodb } from '../support/servers/mongodb-server.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'
import { until } from '../support/until.ts'

const timeoutMs = 300_000
const rounds = sized(5, 2)
/** Longer than the test, so that nothing but a wake-up makes anybody look. */
const never = 600_000

await onServer('PostgreSQL', findPostgres, (server) => {
  test(
    'a transaction that stays open beside a bank, with a write and an old snapshot, holds nobody up',
    {
      timeout: timeoutMs,
    },
    (context) =>
      withSeed(async (random) => {
        const place = serverPlace(context, server, 'postgres')
        assert.ok(place.store === 'postgres')
        const events = `"${place.schema}".events`
        await withPostgres(place, (writing) =>
          withPostgres(place, (looking) =>
            ordeal(context, { place, pace: { callers: 16, backlogMax: 200 }, random }, async (bank) => {
              await bank.recovered()
              await writing.query(`CREATE TABLE IF NOT EXISTS "${place.schema}".beside (n integer)`)
              await writing.query(`BEGIN; INSERT INTO "${place.schema}".beside VALUES (1)`)
              await looking.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
              const count = async () => (await looking.query(`SELECT count(*) FROM ${events}`)).rows[0].count as string
              const before = await count()
              for (let round = 1; round <= rounds; round++) await bank.recovered()
              assert.equal(await count(), before, 'the snapshot is as old as it was')
              await looking.query('ROLLBACK')
              assert.ok(Number(await count()) > Number(before), 'the bank went on beside it')
              await writing.query('ROLLBACK')
            }),
          ),
        )
      }),
  )

  test('wake-ups come again after the connection that listens was ended', { timeout: timeoutMs }, async (context) => {
    const direct = serverPlace(context, server, 'postgres')
    const application = `listener-${process.pid}`
    const place = placeBy(direct, `${server.url}?application_name=${application}`)
    const waits = { pollIntervalMs: never, leaseMs: never, log: { warn: () => {} } }
    await using follower = await OrdealBank.start({ store: storeAt(place), ...waits })
    await using writer = await OrdealBank.start({ store: storeAt(direct), projections: 'manual' })
    await writer.account('ada').open({ owner: 'Ada' })
    const ends = async (): Promise<number> =>
      withPostgres(direct, async (client) => {
        const which = "application_name = $1 AND query LIKE 'LISTEN%'"
        const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${which}`
        return (await client.query(end, [application])).rowCount ?? 0
      })
    for (let round = 1; round <= rounds; round++) {
      await until(async () => (await ends()) > 0)
      // What is appended while nobody listens is seen when somebody does again.
      const { position } = await writer.account('ada').deposit({ amount: 1 })
      const row = await follower.balances.get('ada', { atLeast: position, timeoutMs: 20_000 })
      assert.equal(row?.balance, 2 * round - 1)
      const { position: next } = await writer.account('ada').deposit({ amount: 1 })
      assert.equal((await follower.balances.get('ada', { atLeast: next, timeoutMs: 20_000 }))?.balance, 2 * round)
    }
  })
})

await onServer('MongoDB', findMongodb, (server) => {
  test('a cursor and a transaction that stay open beside a bank hold nobody up', { timeout: timeoutMs }, (context) =>
    withSeed(async (random) => {
      const place = serverPlace(context, server, 'mongodb')
      assert.ok(place.store === 'mongodb')
      const beside = await new MongoClient(place.url, { retryWrites: false }).connect()
      context.after(() => beside.close())
      const commits = beside.db(place.database).collection('mneme_commits')
      await ordeal(context, { place, pace: { callers: 3, backlogMax: 30 }, random }, async (bank) => {
        await bank.recovered()
        const cursor = commits.find({}, { batchSize: 1 })
        await cursor.next()
        const session = beside.startSession({ snapshot: false })
        session.startTransaction({ readConcern: { level: 'snapshot' } })
        const before = await commits.find({}, { session }).toArray()
        await beside.db(place.database).collection('beside').insertOne({ n: 1 }, { session })
        for (let round = 1; round <= rounds; round++) await bank.recovered()
        const after = await within(timeoutMs, commits.find({}, { session }).toArray(), () => 'the reader has no answer')
        assert.equal(after.length, before.length, 'the snapshot is as old as it was')
        await session.abortTransaction()
        await session.endSession()
        await cursor.close()
        assert.ok((await commits.countDocuments()) > before.length, 'the bank went on beside it')
      })
    }),
  )
})
