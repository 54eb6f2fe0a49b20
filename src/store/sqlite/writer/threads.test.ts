/** The stores of a process share a few threads, and none of them waits for the trouble of another. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import type { StoreFactory } from '../../store.ts'
import { sqlite } from '../index.ts'
import { settingsOf } from '../options.ts'
import { endThreads, freshPath, openStore, simpleCommit, withDatabase } from '../sqlite-test.fixture.ts'
import { connect } from './threads.ts'

/** The number of threads that stores share. */
const threadsMax = 4

/** Paths of files in one directory. */
async function freshPaths(context: TestContext, count: number): Promise<readonly string[]> {
  const path = await freshPath(context)
  return Array.from({ length: count }, (_, i) => `${path}-${i}`)
}

/** The threads that are started from now on. None is left from before. */
async function threadsFromNow(context: TestContext): Promise<readonly Worker[]> {
  await endThreads()
  const threads: Worker[] = []
  const add = (worker: unknown) => threads.push(worker as Worker)
  process.on('worker', add)
  context.after(() => process.off('worker', add))
  return threads
}

const endOf = (thread: Worker): Promise<unknown> => new Promise((resolve) => thread.once('exit', resolve))

/** Opens a database of its own on a thread that waits so long for the next one, and closes it. */
async function visit(context: TestContext, idleMs: number): Promise<void> {
  const settings = settingsOf(await freshPath(context), {})
  const { promise: opened, resolve } = Promise.withResolvers<unknown>()
  const listener = { hear: resolve, end: () => {}, slow: () => {} }
  const line = connect({ settings, identities: undefined }, listener, { idleMs })
  line.hold(true)
  await opened
  line.post('close')
  await line.ended
}

test('twenty stores have four threads, which end when they have no store', async (context) => {
  const threads = await threadsFromNow(context)
  const paths = await freshPaths(context, 20)
  const stores = await Promise.all(paths.map((path) => sqlite(path).open({ warn: () => {}, now: () => 0 })))
  assert.equal(threads.length, threadsMax)
  await Promise.all(stores.map((store) => store.append([simpleCommit('c')])))
  assert.deepEqual(await Promise.all(stores.map((store) => store.head())), Array(20).fill(1))
  const ends = Promise.all(threads.map(endOf))
  await Promise.all(stores.map((store) => store.close()))
  // They do not keep the process alive, but this test is to see them end.
  const alive = setInterval(() => {}, 1000)
  await ends
  clearInterval(alive)
})

test('a thread without a store takes the next one that is opened, and does not keep the process alive', async (t) => {
  const threads = await threadsFromNow(t)
  const anHour = 3_600_000
  for (let i = 0; i < 3; i++) await visit(t, anHour)
  assert.equal(threads.length, 1)
  for (let i = 1; i <= 3; i++) {
    const before: number = threads.length
    await visit(t, 0)
    const end = endOf(threads.at(-1)!)
    assert.equal(threads.length, before + 1)
    const alive = setInterval(() => {}, 1000)
    await end
    clearInterval(alive)
  }
})

test('a store whose file is locked by another process does not make others wait', async (context) => {
  const [locked, ...others] = await freshPaths(context, 3 * threadsMax)
  const waiting = await openStore(context, locked!, { lockWaitMs: 120_000 })
  const stores = await Promise.all(others.map((path) => openStore(context, path)))
  await withDatabase(locked!, async (database) => {
    database.exec('BEGIN IMMEDIATE')
    let isStored = false
    const appending = waiting.append([simpleCommit('late')]).then(() => {
      isStored = true
    })
    for (let round = 0; round < 3; round++) {
      await Promise.all(stores.map((store, i) => store.append([simpleCommit(`${round}-${i}`)])))
    }
    // A file that is locked while it is opened neither.
    const opening = openStore(context, locked!, { lockWaitMs: 120_000, keepIndexesTwice: true })
    await Promise.all(stores.map((store, i) => store.append([simpleCommit(`last-${i}`)])))
    assert.equal(isStored, false)
    database.exec('COMMIT')
    await appending
    await opening
  })
  assert.equal(await waiting.head(), 1)
})

test('a transaction of one store does not make others wait', async (context) => {
  const [slow, ...others] = await freshPaths(context, 3 * threadsMax)
  const store = await openStore(context, slow!, { transactionMsMax: 120_000 })
  const stores = await Promise.all(others.map((path) => openStore(context, path)))
  await store.transact!('names', { position: 0, term: 0 }, async ({ query }) => {
    await query('CREATE TABLE names (name TEXT)')
    await Promise.all(stores.map((each, i) => each.append([simpleCommit(`${i}`)])))
    return { to: { position: 1, term: 0, note: {} }, rows: [] }
  })
  assert.deepEqual(await Promise.all(stores.map((each) => each.head())), Array(stores.length).fill(1))
})

test('damaged files are refused, one by one, and their threads go on with the others', async (context) => {
  const paths = await freshPaths(context, 3 * threadsMax)
  const stores = await Promise.all(paths.map((path) => openStore(context, path)))
  for (let i = 0; i < 2 * threadsMax; i++) {
    const path = `${paths[0]!}-damaged-${i}`
    await writeFile(path, 'this is no database, and never was one'.repeat(500))
    const factory: StoreFactory = sqlite(path)
    await assert.rejects(factory.open({ warn: () => {}, now: () => 0 }), { code: 'STORE_CORRUPT' })
    await Promise.all(stores.map((store, at) => store.append([simpleCommit(`${i}-${at}`)])))
  }
})

test('if a thread dies, its stores have another one with their next call, and lose nothing', async (context) => {
  const threads = await threadsFromNow(context)
  const paths = await freshPaths(context, 3 * threadsMax)
  const stores = await Promise.all(paths.map((path) => openStore(context, path)))
  await Promise.all(stores.map((store) => store.append([simpleCommit('first')])))
  await Promise.all(threads.slice(0, 2).map((thread) => thread.terminate()))
  const results = await Promise.all(stores.map((store) => store.append([simpleCommit('second')])))
  assert.deepEqual(
    results.map(([result]) => result?.status),
    Array(stores.length).fill('stored'),
  )
  assert.ok(threads.length <= threadsMax + 2)
  await Promise.all(stores.map((store) => store.close()))
})
