/**
 * The parts that tests of the SQLite store share: a fresh file, commits, and other processes. Not part of the library.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import type { StoreWarning } from '../../runtime/warning.ts'
import { noCheckpoint } from '../checkpoint.ts'
import { type Commit, commit, type OfferedCommit } from '../commit.ts'
import type { Checkpoint, SqlTransaction, Store } from '../store.ts'
import { type SqliteOptions, sqlite } from './index.ts'
import type { Job, Outcome } from './other-process.fixture.ts'

/** A path for a store in a directory that is deleted after the test. */
export async function freshPath(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-sqlite-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'log.db')
}

/** Opens a store that is closed after the test. */
export async function openStore(
  context: TestContext,
  path: string,
  options: SqliteOptions = {},
  warn: (warning: StoreWarning) => void = () => {},
): Promise<Store> {
  const store = await sqlite(path, options).open({ warn, now: () => 0 })
  context.after(() => store.close())
  return store
}

const threads = new Set<Worker>()
process.on('worker', (thread: Worker) => {
  threads.add(thread)
  thread.once('exit', () => threads.delete(thread))
})

/** Ends the threads that wait for another store, so that the next store gets a new one. */
export async function endThreads(): Promise<void> {
  await Promise.all([...threads].map((thread) => thread.terminate()))
}

/** Opens a store that is closed after the test, on a thread that no store had before. */
export async function openOnNewThread(
  context: TestContext,
  path: string,
): Promise<{ readonly store: Store; readonly thread: Worker }> {
  await endThreads()
  const started = once(process, 'worker') as Promise<[Worker]>
  const store = await openStore(context, path)
  const [thread] = await started
  return { store, thread }
}

/** A commit of one event, by default of stream `account "ada"`, with the given parts. */
export function simpleCommit(id: string, offered: Partial<OfferedCommit> = {}): Commit {
  const events = [{ type: 'Deposited', data: { amount: 1 } }]
  const stream = { aggregate: 'account', id: 'ada' }
  return commit({ stream, expected: 'any', recordedAt: 0, events, ...offered, id })
}

/** Uses a plain connection to the file. */
export async function withDatabase<Result>(
  path: string,
  use: (database: DatabaseSync) => Result | Promise<Result>,
): Promise<Result> {
  const database = new DatabaseSync(path, { timeout: 600_000 })
  try {
    return await use(database)
  } finally {
    database.close()
  }
}

/** Runs a job on the file in another process. Any output on stderr is an error. */
export async function inOtherProcess(path: string, job: Job, options: SpawnOptions = {}): Promise<Outcome> {
  const child = startOtherProcess(path, job, options)
  const [output, complaints] = await Promise.all([text(child.stdout!), text(child.stderr!)])
  if (complaints !== '') throw new Error(complaints)
  return JSON.parse(output) as Outcome
}

/** Starts a job on the file in another process. */
export function startOtherProcess(path: string, job: Job, options: SpawnOptions = {}): ChildProcess {
  const program = new URL('./other-process.fixture.ts', import.meta.url)
  return spawn(process.execPath, [fileURLToPath(program), path, JSON.stringify(job)], { ...options, stdio: 'pipe' })
}

/** A step that saves nothing. */
export const done: { readonly to: Checkpoint; readonly rows: readonly [] } = { to: noCheckpoint, rows: [] }

type Work = Parameters<NonNullable<Store['transact']>>[2]

/** A store with a table `notes`, and functions to use it. */
interface Transactions {
  readonly path: string
  readonly store: Store
  /** A transaction from checkpoint 0. */
  readonly transact: (work: Work) => Promise<void>
  /** A transaction that saves only what its work writes. */
  readonly inTransaction: <Result>(use: (sql: SqlTransaction) => Promise<Result>) => Promise<Result>
  readonly notes: () => Promise<readonly unknown[]>
}

/** Opens a store with a table `notes`. */
export async function openTransactions(context: TestContext, options: SqliteOptions = {}): Promise<Transactions> {
  const path = await freshPath(context)
  const store = await openStore(context, path, options)
  const transact = (work: Work) => store.transact!('p', noCheckpoint, work)
  const inTransaction = async <Result>(use: (sql: SqlTransaction) => Promise<Result>): Promise<Result> => {
    let result: Result | undefined
    await transact(async (sql) => {
      result = await use(sql)
      return done
    })
    return result as Result
  }
  await inTransaction((sql) => sql.query('CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT)'))
  const notes = () => inTransaction((sql) => sql.query('SELECT id, note FROM notes ORDER BY id'))
  return { path, store, transact, inTransaction, notes }
}
