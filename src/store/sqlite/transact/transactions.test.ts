/** Transactions with statements of their callers: their outcome, and how long they may take. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at } from '../../../testing/checkpoint-at.ts'
import type { SqlTransaction, Store } from '../../store.ts'
import { done, freshPath, openStore, openTransactions, simpleCommit, withDatabase } from '../sqlite-test.fixture.ts'

const failed = (message: RegExp) => ({ name: 'StoreError', code: 'SQL_FAILED', message })

/** Lets everything continue that waits only for promises and threads. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('a failed statement that the work catches does not undo the rest', async (context) => {
  const { transact, notes } = await openTransactions(context)
  await transact(async (sql) => {
    await sql.query("INSERT INTO notes VALUES (1, 'a')")
    await assert.rejects(sql.query("INSERT INTO notes VALUES (2, 'b'), (1, 'again')"), failed(/UNIQUE constraint/))
    await sql.query("INSERT INTO notes VALUES (3, 'c')")
    return done
  })
  assert.deepEqual(await notes(), [
    { id: 1, note: 'a' },
    { id: 3, note: 'c' },
  ])
})

test('a failed statement that is not awaited undoes the transaction, and crashes nothing', async (context) => {
  const { transact, notes } = await openTransactions(context)
  const unheard: unknown[] = []
  const listen = (error: unknown) => unheard.push(error)
  process.on('unhandledRejection', listen)
  context.after(() => process.off('unhandledRejection', listen))
  const asked: Promise<unknown>[] = []
  const refused = transact(async (sql) => {
    sql.query("INSERT INTO notes VALUES (1, 'a')")
    asked.push(sql.query('SELECT nonsense'))
    await sql.query("INSERT INTO notes VALUES (2, 'b')")
    return done
  })
  await assert.rejects(refused, failed(/nonsense/))
  await turn()
  assert.deepEqual(unheard, [])
  assert.deepEqual(await notes(), [])
  await transact(async (sql) => {
    const first = sql.query('SELECT nonsense')
    await sql.query("INSERT INTO notes VALUES (1, 'a')")
    await assert.rejects(first, failed(/nonsense/))
    return done
  })
  assert.deepEqual(await notes(), [{ id: 1, note: 'a' }])
})

test('after a statement that rolls back the transaction nothing is saved, from before it or after', async (context) => {
  const { store, transact, notes } = await openTransactions(context)
  const refused = transact(async (sql) => {
    await sql.query("INSERT INTO notes VALUES (1, 'a')")
    await assert.rejects(sql.query("INSERT OR ROLLBACK INTO notes VALUES (1, 'again')"), failed(/UNIQUE constraint/))
    await assert.rejects(sql.query("INSERT INTO notes VALUES (2, 'b')"), failed(/has rolled back/))
    return { to: at(1), rows: [{ key: 'k', value: 1 }] }
  })
  await assert.rejects(refused, failed(/has rolled back/))
  assert.deepEqual(await notes(), [])
  assert.deepEqual(await store.loadCheckpoint('p'), at(0))
})

test('work that waits for an append in the same store ends at the time limit, with everything undone', async (context) => {
  const { path, store, transact, notes } = await openTransactions(context, { transactionMsMax: 100 })
  const appended: Promise<unknown>[] = []
  let late: Promise<unknown> | undefined
  const refused = transact(async (sql) => {
    await sql.query("INSERT INTO notes VALUES (1, 'a')")
    appended.push(store.append([simpleCommit('c')]))
    await appended[0]
    late = sql.query("INSERT INTO notes VALUES (2, 'b')")
    return done
  })
  await assert.rejects(refused, {
    code: 'TRANSACTION_TOO_LONG',
    retryable: true,
    facts: { store: `sqlite (${path})`, transactionMsMax: 100 },
    message: /100 ms.*only for its own queries/,
  })
  assert.partialDeepStrictEqual(await appended[0], [{ status: 'stored', sequence: 1, position: 1, count: 1 }])
  await assert.rejects(late!, { code: 'TRANSACTION_TOO_LONG' })
  assert.deepEqual(await notes(), [])
})

test('work that never ends delays others no longer than the time limit', async (context) => {
  const { store, transact } = await openTransactions(context, { transactionMsMax: 50 })
  const never = transact(() => new Promise(() => {}))
  const behind = [transact(async () => ({ to: at(1), rows: [] })), store.append([simpleCommit('c')])]
  await assert.rejects(never, { code: 'TRANSACTION_TOO_LONG' })
  await Promise.all(behind)
  assert.equal(await store.head(), 1)
})

test('requests that come while a transaction is open are done after it, in order', async (context) => {
  const { store, transact } = await openTransactions(context)
  const order: string[] = []
  const log = (word: string) => () => order.push(word)
  const done = [store.append([simpleCommit('before')]).then(log('before'))]
  done.push(
    transact(async (sql) => {
      done.push(store.append([simpleCommit('during')]).then(log('during')))
      for (let i = 0; i < 50; i++) await sql.query('SELECT 1')
      assert.equal(await store.head(), 1)
      order.push('work')
      return { to: at(0), rows: [] }
    }).then(log('transaction')),
  )
  done.push(store.append([simpleCommit('behind')]).then(log('behind')))
  await Promise.all(done)
  await Promise.all(done)
  assert.deepEqual(order, ['before', 'work', 'transaction', 'behind', 'during'])
})

test('a transaction waits for another process that writes, and fails with the reason when that takes too long', async (context) => {
  const { path, transact, notes } = await openTransactions(context)
  const impatient = await openStore(context, path, { lockWaitMs: 0 })
  const insert = async (sql: SqlTransaction) => {
    await sql.query("INSERT INTO notes VALUES (1, 'a')")
    return done
  }
  await withDatabase(path, async (blocker) => {
    blocker.exec('BEGIN IMMEDIATE')
    const refused = impatient.transact!('p', at(0), insert)
    await assert.rejects(refused, { code: 'STORE_UNAVAILABLE', message: /other processes kept writing/ })
    const waiting = transact(insert)
    await assert.rejects(impatient.transact!('p', at(0), insert), { code: 'STORE_UNAVAILABLE' })
    blocker.exec('ROLLBACK')
    await waiting
  })
  assert.deepEqual(await notes(), [{ id: 1, note: 'a' }])
})

test('closing waits for a transaction', async (context) => {
  const { path, store, transact } = await openTransactions(context)
  const steps: string[] = []
  const transacted = transact(async (sql) => {
    steps.push('begun')
    for (let i = 0; i < 20; i++) await sql.query('SELECT 1')
    await sql.query("INSERT INTO notes VALUES (1, 'a')")
    steps.push('done')
    return done
  })
  await store.close()
  steps.push('closed')
  await transacted
  assert.deepEqual(steps, ['begun', 'done', 'closed'])
  await assert.rejects(
    transact(async () => done),
    { code: 'STORE_CLOSED' },
  )
  const kept = await withDatabase(path, (database) => database.prepare('SELECT count(*) AS count FROM notes').get())
  assert.equal(kept!['count'], 1)
})

test('a full file refuses the statement with a code, and the next one works', async (context) => {
  const { transact, notes } = await openTransactions(context, { fileSizeMax: 300_000 })
  const refused = transact(async (sql) => {
    await sql.query('INSERT INTO notes VALUES (1, ?)', ['x'.repeat(400_000)])
    return done
  })
  await assert.rejects(refused, { code: 'STORE_FULL' })
  await transact(async (sql) => {
    await sql.query("INSERT INTO notes VALUES (2, 'small')")
    return done
  })
  assert.deepEqual(await notes(), [{ id: 2, note: 'small' }])
})

test('an invalid time limit is refused', async (context) => {
  const path = await freshPath(context)
  for (const transactionMsMax of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
    await assert.rejects(openStore(context, path, { transactionMsMax }), { code: 'OPTION_INVALID' })
  }
})

test('two stores on one file take turns, and no step is lost or doubled', async (context) => {
  const { path, store, notes } = await openTransactions(context)
  const stores = [store, await openStore(context, path)]
  const stepOn = async (one: Store) => {
    const reached = async () => (await one.loadCheckpoint('count')).position
    for (let from = await reached(); from < 40; from = await reached()) {
      const stepped = one.transact!('count', at(from), async (sql) => {
        await sql.query('INSERT INTO notes VALUES (?, ?)', [from, 'once'])
        return { to: at(from + 1), rows: [{ key: 'last', value: from }] }
      })
      await stepped.catch((error) => assert.equal(error.code, 'CHECKPOINT_CONFLICT'))
    }
  }
  await Promise.all(stores.map(stepOn))
  assert.deepEqual(
    await notes(),
    Array.from({ length: 40 }, (_, id) => ({ id, note: 'once' })),
  )
})
