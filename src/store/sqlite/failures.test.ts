/** Failures: each has its code, nothing is half written, and the store works again when the failure is over. */
import assert from 'node:assert/strict'
import { chmod, copyFile, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { sized } from '../../../test/support/size.ts'
import type { ErrorCode } from '../../domain/error-catalogue.ts'
import type { StoreWarning } from '../../runtime/warning.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { everything } from '../range.ts'
import { sqlite } from './index.ts'
import {
  endThreads,
  freshPath,
  inOtherProcess,
  openOnNewThread,
  openStore,
  simpleCommit,
  withDatabase,
} from './sqlite-test.fixture.ts'

const pageSize = 4096
const opening = { warn: () => {}, now: () => 0 }
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate()
}

const withCode = (code: ErrorCode, message = /./) => ({ code, message })

test('a writer thread that dies leaves the outcome unknown, and the next call has a new one', async (context) => {
  const path = await freshPath(context)
  const { store, thread } = await openOnNewThread(context, path)
  const commits = Array.from({ length: 5000 }, (_, i) => simpleCommit(`c${i}`))
  const lost = assert.rejects(store.append(commits), withCode('STORE_UNAVAILABLE'))
  await Promise.resolve()
  const waiting = store.append([simpleCommit('waiting')])
  await thread.terminate()
  await lost
  assert.equal((await waiting)[0]!.status, 'stored')
  const results = await store.append(commits)
  assert.ok(results.every(({ status }) => status !== 'conflict'))
  const events = await store.readStream(commits[0]!.stream, everything, { limit: Number.POSITIVE_INFINITY })
  assert.deepEqual(
    events.map(({ sequence, position }) => [sequence, position]),
    Array.from({ length: 5001 }, (_, i) => [i + 1, i + 1]),
  )
})

test('a writer thread that dies in a transaction leaves nothing of it, and the next call has a new one', async (context) => {
  const path = await freshPath(context)
  const { store, thread } = await openOnNewThread(context, path)
  const late: Promise<unknown>[] = []
  const refused = store.transact!('p', at(0), async (sql) => {
    await sql.query('CREATE TABLE notes (id INTEGER)')
    await sql.query('INSERT INTO notes VALUES (1)')
    late.push(store.append([simpleCommit('waiting')]))
    const asked = sql.query('INSERT INTO notes VALUES (2)')
    await thread.terminate()
    await Promise.allSettled([asked])
    late.push(assert.rejects(sql.query('INSERT INTO notes VALUES (3)'), withCode('STORE_UNAVAILABLE')))
    return { to: at(1), rows: [{ key: 'k', value: 1 }] }
  })
  await assert.rejects(refused, withCode('STORE_UNAVAILABLE', /its thread ended/))
  await Promise.all(late)
  assert.equal(await store.head(), 1)
  assert.deepEqual(await store.loadCheckpoint('p'), at(0))
  assert.deepEqual(await store.loadRows('p', ['k']), [undefined])
  await store.transact!('p', at(0), async (sql) => {
    await sql.query('CREATE TABLE notes (id INTEGER)')
    return { to: at(1), rows: [] }
  })
  assert.deepEqual(await store.loadCheckpoint('p'), at(1))
})

test('a writer thread that dies while the handler of its transaction does other work ends the transaction at once', async (context) => {
  const { store, thread } = await openOnNewThread(context, await freshPath(context))
  const waiting: Promise<unknown>[] = []
  const refused = store.transact!('p', at(0), () => {
    waiting.push(store.transact!('p', at(0), async () => ({ to: at(7), rows: [] })))
    void thread.terminate()
    return new Promise(() => {})
  })
  await assert.rejects(refused, withCode('STORE_UNAVAILABLE', /its thread ended/))
  await Promise.all(waiting)
  assert.deepEqual(await store.loadCheckpoint('p'), at(7))
})

test('a transaction is whole or missing, whenever the thread dies', async (context) => {
  await endThreads()
  const workers: Worker[] = []
  const onWorker = (worker: Worker) => workers.push(worker)
  process.on('worker', onWorker)
  context.after(() => process.off('worker', onWorker))
  const store = await openStore(context, await freshPath(context))
  await store.transact!('p', at(0), async (sql) => {
    await sql.query('CREATE TABLE notes (step INTEGER)')
    return { to: at(0), rows: [] }
  })
  let met = 0
  const rounds = sized(40, 12)
  for (let round = 0; round < rounds; round++) {
    const { position: from } = await store.loadCheckpoint('p')
    let death: Promise<unknown> | undefined
    const transacted = store.transact!('p', at(from), async (sql) => {
      for (const step of [from, from, from]) await sql.query('INSERT INTO notes VALUES (?)', [step])
      // This many turns of the event loop after its last statement: before the step is saved, meanwhile, or after.
      if (round % 2 === 0)
        death = turns(Math.floor(1.6 ** ((round * 20) / rounds))).then(() => workers.at(-1)!.terminate())
      return { to: at(from + 1), rows: [{ key: 'last', value: from }] }
    })
    await transacted.catch((error) => {
      assert.equal(error.code, 'STORE_UNAVAILABLE')
      met++
    })
    await death
  }
  assert.ok(met > 0)
  const rows: unknown[] = []
  const { position: checkpoint } = await store.loadCheckpoint('p')
  await store.transact!('p', at(checkpoint), async (sql) => {
    rows.push(...(await sql.query('SELECT step, count(*) AS count FROM notes GROUP BY step ORDER BY step')))
    return { to: at(checkpoint), rows: [] }
  })
  assert.ok(checkpoint >= rounds / 2)
  assert.deepEqual(
    rows,
    Array.from({ length: checkpoint }, (_, step) => ({ step, count: 3 })),
  )
  context.diagnostic(`${met} transactions met a death`)
})

test('an idle writer thread that dies is replaced without an error', async (context) => {
  const { store, thread } = await openOnNewThread(context, await freshPath(context))
  await thread.terminate()
  assert.equal((await store.append([simpleCommit('c')]))[0]!.status, 'stored')
})

test('a file that is not a database is refused', async (context) => {
  const path = await freshPath(context)
  await writeFile(path, 'To whom it may concern: '.repeat(1000))
  await assert.rejects(sqlite(path).open(opening), withCode('STORE_CORRUPT', /not a database/))
})

test('a file whose pages are damaged is refused when it is opened, or reported when it is read', async (context) => {
  const path = await freshPath(context)
  const store = await sqlite(path).open(opening)
  await store.append([simpleCommit('c')])
  await store.close()
  const root = await withDatabase(path, (database) =>
    database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").get(),
  )
  const reopened = await openStore(context, path)
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(pageSize, 0xff), 0, pageSize, (Number(root!['rootpage']) - 1) * pageSize)
  await file.close()
  await assert.rejects(reopened.readAll(everything), withCode('STORE_CORRUPT'))
  await assert.rejects(sqlite(path).open(opening), withCode('STORE_CORRUPT'))
})

for (const [version, age, code] of [
  [1, 'older', 'STORE_TOO_OLD'],
  [5, 'newer', 'STORE_TOO_NEW'],
] as const) {
  test(`a file of an ${age} version is refused, and not changed`.replace('an n', 'a n'), async (context) => {
    const path = await freshPath(context)
    await (await sqlite(path).open(opening)).close()
    await withDatabase(path, (database) =>
      database.exec(`UPDATE meta SET value = ${version} WHERE name = 'schema_version'`),
    )
    const before = await readFile(path)
    const facts = { store: `sqlite (${path})`, version, known: 4 }
    await assert.rejects(sqlite(path).open(opening), { code, facts })
    assert.ok(before.equals(await readFile(path)))
  })
}

test('a file that a killed process left with its write-ahead log is not changed if it is refused', async (context) => {
  const [path, copy] = [await freshPath(context), await freshPath(context)]
  const store = await openStore(context, path)
  await store.append([simpleCommit('c')])
  await withDatabase(path, (database) => database.exec("UPDATE meta SET value = 99 WHERE name = 'schema_version'"))
  for (const suffix of ['', '-wal']) await copyFile(`${path}${suffix}`, `${copy}${suffix}`)
  await assert.rejects(sqlite(copy).open(opening), withCode('STORE_TOO_NEW'))
  for (const suffix of ['', '-wal']) {
    assert.ok((await readFile(`${path}${suffix}`)).equals(await readFile(`${copy}${suffix}`)), suffix)
  }
})

test('a file that lacks an index or a table is refused with their names', async (context) => {
  const path = await freshPath(context)
  await (await sqlite(path).open(opening)).close()
  await withDatabase(path, (database) => database.exec('DROP INDEX events_by_commit; DROP TABLE leases'))
  await assert.rejects(sqlite(path).open(opening), withCode('STORE_CORRUPT', /events_by_commit, leases/))
})

test('a file whose table lacks a column is refused as damage, and nothing of it stays open', async (context) => {
  for (const [table, column] of [
    ['leases', 'duration_ms'],
    ['snapshots', 'fingerprint'],
  ] as const) {
    const path = await freshPath(context)
    await (await sqlite(path).open(opening)).close()
    await withDatabase(path, (database) => database.exec(`ALTER TABLE ${table} RENAME COLUMN ${column} TO other`))
    await assert.rejects(sqlite(path).open(opening), withCode('STORE_CORRUPT', new RegExp(column)))
    assert.deepEqual(await readdir(dirname(path)), [basename(path)])
  }
})

test('a table that somebody drops while the store is open is reported as damage', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await withDatabase(path, (database) => database.exec('DROP TABLE leases; DROP TABLE projections'))
  await assert.rejects(store.acquireLease('l', 'me', 1000), withCode('STORE_CORRUPT', /leases/))
  await assert.rejects(store.loadCheckpoint('p'), withCode('STORE_CORRUPT', /projections/))
})

test('tables of the user in the same file do no harm', async (context) => {
  const path = await freshPath(context)
  await withDatabase(path, (database) => database.exec('CREATE TABLE customers (name TEXT)'))
  const store = await openStore(context, path)
  assert.equal((await store.append([simpleCommit('c')]))[0]!.status, 'stored')
})

test('a full file refuses what does not fit and nothing else, and can be read', async (context) => {
  const store = await openStore(context, await freshPath(context), { fileSizeMax: 300_000 })
  const large = (id: string) =>
    simpleCommit(id, {
      events: [
        { type: 'Noted', data: 'x'.repeat(150_000) },
        { type: 'Deposited', data: {} },
      ],
    })
  assert.equal((await store.append([large('first')]))[0]!.status, 'stored')
  const refused = assert.rejects(store.append([large('second')]), withCode('STORE_FULL'))
  const beside = await store.append([simpleCommit('small')])
  await refused
  assert.partialDeepStrictEqual(beside, [{ status: 'stored', sequence: 3, position: 3, count: 1 }])
  const { events } = await store.readAll(everything)
  assert.deepEqual(
    events.map(({ commitId }) => commitId),
    ['first', 'first', 'small'],
  )
})

test('a read-only file can be read, and an append says why it fails', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only the superuser can run a process as somebody else')
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await store.append([simpleCommit('c')])
  await chmod(dirname(path), 0o755)
  await chmod(path, 0o444)
  for (const suffix of ['-wal', '-shm']) await chmod(`${path}${suffix}`, 0o444)
  const nobody = { uid: 65_534, gid: 65_534 }
  const job = { do: 'append', name: 'nobody', streams: 1, commits: 2 } as const
  assert.deepEqual(await inOtherProcess(path, job, nobody), { code: 'STORE_READ_ONLY' })
  assert.equal(await store.head(), 1)
})

test('a path in a directory that does not exist is refused, with its name', async (context) => {
  const path = join(dirname(await freshPath(context)), 'nowhere', 'log.db')
  await assert.rejects(sqlite(path).open(opening), withCode('OPTION_INVALID', /a directory that exists/))
})

test('a path that is a directory is refused', async (context) => {
  const path = await freshPath(context)
  await mkdir(path)
  await assert.rejects(sqlite(path).open(opening), withCode('OPTION_INVALID', /a file, and not a directory/))
})

test('invalid options are refused when the factory is made', () => {
  assert.throws(() => sqlite(':memory:'), withCode('OPTION_INVALID', /memory\(\)/))
  assert.throws(() => sqlite(''), withCode('OPTION_INVALID'))
  assert.throws(() => sqlite('file:log.db?mode=ro'), withCode('OPTION_INVALID'))
  assert.throws(() => sqlite('log.db', { lockWaitMs: -1 }), withCode('OPTION_INVALID'))
  assert.throws(() => sqlite('log.db', { fileSizeMax: 10 }), withCode('OPTION_INVALID'))
})

test('a write waits for another process that is writing, and gives up after lockWaitMs with nothing stored', async (context) => {
  const path = await freshPath(context)
  const patient = await openStore(context, path)
  const impatient = await openStore(context, path, { lockWaitMs: 0 })
  await withDatabase(path, async (blocker) => {
    blocker.exec('BEGIN IMMEDIATE')
    await assert.rejects(
      impatient.append([simpleCommit('c')]),
      withCode('NOT_STORED', /other processes kept writing.*nothing was stored/),
    )
    const waiting = patient.append([simpleCommit('c')])
    await assert.rejects(impatient.append([simpleCommit('d')]), withCode('NOT_STORED'))
    await assert.rejects(impatient.acquireLease('l', 'me', 1), withCode('STORE_UNAVAILABLE'))
    blocker.exec('ROLLBACK')
    assert.equal((await waiting)[0]!.status, 'stored')
  })
})

test('the weaker durability warns', async (context) => {
  const warnings: StoreWarning[] = []
  const store = await openStore(context, await freshPath(context), { mayLoseOnPowerFailure: true }, (warning) =>
    warnings.push(warning),
  )
  await store.append([simpleCommit('c')])
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['DURABILITY_WEAKENED'],
  )
})
