/**
 * Files that are deleted or replaced while a store has them open: the store acknowledges nothing more, and makes no new
 * files.
 */
import assert from 'node:assert/strict'
import { access, copyFile, readdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type TestContext, test } from 'node:test'
import { at } from '../../testing/checkpoint-at.ts'
import { everything } from '../range.ts'
import type { Snapshot, Store } from '../store.ts'
import { done, freshPath, openOnNewThread, openStore, simpleCommit } from './sqlite-test.fixture.ts'

const stream = { aggregate: 'account', id: 'ada' }
const halted = { code: 'STORE_HALTED', message: /deleted or replaced/ }
const state = { stateRevision: 1, checksum: 1, fingerprint: 'f', takenAt: 0, state: {} }
const snapshot: Snapshot = { stream, sequence: 1, ...state }

/** A store with one commit, and the path of its file. */
async function opened(context: TestContext): Promise<{ store: Store; path: string }> {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await store.append([simpleCommit('a')])
  return { store, path }
}

async function isHalted(store: Store): Promise<void> {
  for (const id of ['b', 'c']) await assert.rejects(store.append([simpleCommit(id)]), halted)
  await assert.rejects(store.saveStep('p', { from: at(0), to: at(1), rows: [] }), halted)
  await assert.rejects(store.resetProjection('p'), halted)
  await assert.rejects(store.saveSnapshot(snapshot, { keep: 1 }), halted)
  await assert.rejects(store.acquireLease('l', 'me', 1000), halted)
  await assert.rejects(store.reserve([stream], 'me', 1000), halted)
  await assert.rejects(
    store.transact!('p', at(0), async () => done),
    halted,
  )
  await assert.rejects(store.streamEnds([stream]), halted)
  await assert.rejects(store.findCommit(stream, 'b'), halted)
}

const accidents: Readonly<Record<string, (path: string) => Promise<void>>> = {
  'its folder was deleted': (path) => rm(dirname(path), { recursive: true }),
  'its file was deleted': (path) => rm(path),
  'its file was replaced by a copy': async (path) => {
    await copyFile(path, `${path}.copy`)
    await rename(`${path}.copy`, path)
  },
  'its write-ahead log was deleted': (path) => rm(`${path}-wal`),
  'its write-ahead log was replaced by a copy': async (path) => {
    await copyFile(`${path}-wal`, `${path}.copy`)
    await rename(`${path}.copy`, `${path}-wal`)
  },
}

for (const [accident, happen] of Object.entries(accidents)) {
  test(`a SQLite store notices that ${accident}, and acknowledges nothing more`, async (context) => {
    const { store, path } = await opened(context)
    await happen(path)
    await isHalted(store)
    assert.equal((await store.readAll(everything)).events.length, 1)
  })
}

test('a file that is deleted while a transaction is open is noticed before it is saved', async (context) => {
  const { store, path } = await opened(context)
  const refused = store.transact!('p', at(0), async () => {
    await rm(path)
    return { to: at(1), rows: [] }
  })
  await assert.rejects(refused, halted)
  assert.deepEqual(await store.loadCheckpoint('p'), at(0))
})

test('a new thread makes no new file in place of a deleted one', async (context) => {
  const path = await freshPath(context)
  const { store, thread } = await openOnNewThread(context, path)
  await store.append([simpleCommit('a')])
  await thread.terminate()
  await rm(path)
  const before = await readdir(dirname(path))
  await assert.rejects(store.append([simpleCommit('b')]), halted)
  await assert.rejects(access(path))
  assert.deepEqual(await readdir(dirname(path)), before)
})
