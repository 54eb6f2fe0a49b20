/** The one writer: all requests share its transactions, in order, within a bound. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { at } from '../../../testing/checkpoint-at.ts'
import { everything } from '../../range.ts'
import { settingsOf } from '../options.ts'
import { SqliteStore } from '../sqlite-store.ts'
import { freshPath, openStore, simpleCommit } from '../sqlite-test.fixture.ts'

const stream = { aggregate: 'account', id: 'ada' }

test('concurrent appends and steps of projections do not starve each other', async (context) => {
  const store = await openStore(context, await freshPath(context))
  let appended = 0
  let stepped = 0
  const goOn = () => appended < 300 || stepped < 30
  const appending = Array.from({ length: 20 }, async (_, caller) => {
    for (let n = 0; goOn(); n++) {
      await store.append([simpleCommit(`${caller}-${n}`)])
      appended++
    }
  })
  const stepping = async () => {
    for (let from = 0; goOn(); from++) {
      await store.saveStep('balances', { from: at(from), to: at(from + 1), rows: [{ key: 'ada', value: from }] })
      stepped++
    }
  }
  await Promise.all([...appending, stepping()])
  assert.equal(await store.head(), appended)
  assert.deepEqual(await store.loadCheckpoint('balances'), at(stepped))
})

test('requests made at once are done in order, and a refused one does not affect the others', async (context) => {
  const store = await openStore(context, await freshPath(context))
  const snapshot = {
    stream,
    sequence: 1,
    stateRevision: 1,
    checksum: 1,
    fingerprint: 'f',
    state: { balance: 1 },
    takenAt: 5,
  }
  const outcomes = await Promise.allSettled([
    store.append([simpleCommit('first', { expected: 'none' })]),
    store.saveStep('balances', { from: at(7), to: at(8), rows: [{ key: 'ada', value: 1 }] }),
    store.append([simpleCommit('beaten', { expected: 0 })]),
    store.saveSnapshot(snapshot, { keep: 1 }),
    store.append([simpleCommit('second', { expected: 1 })]),
  ])
  assert.partialDeepStrictEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code)),
    [
      [{ status: 'stored', sequence: 1, position: 1, count: 1 }],
      'CHECKPOINT_CONFLICT',
      [{ status: 'conflict', sequence: 1 }],
      undefined,
      [{ status: 'stored', sequence: 2, position: 2, count: 1 }],
    ],
  )
  assert.deepEqual(await store.loadRows('balances', ['ada']), [undefined])
  assert.deepEqual(await store.loadSnapshot(stream), snapshot)
})

test('a request that cannot be sent to another thread is refused, and the others are answered', async (context) => {
  // The store without its door.
  const store = await SqliteStore.open(settingsOf(await freshPath(context), {}), { warn: () => {}, now: () => 0 })
  context.after(() => store.close())
  const odd = Symbol('s') as never
  const codes = await Promise.all(
    [
      store.append([simpleCommit('first')]),
      store.releaseLease('lead', odd),
      store.saveStep('balances', { from: at(0), to: at(odd), rows: [] }),
      store.append([simpleCommit('second')]),
      store.transact!('names', at(0), async () => ({ to: at(odd), rows: [] })),
      store.transact!('names', at(odd), async () => ({ to: at(1), rows: [] })),
      store.append([simpleCommit('third')]),
    ].map((call) =>
      (call as Promise<unknown>).then(
        () => 'done',
        ({ code }) => code,
      ),
    ),
  )
  const [data, sql] = ['DATA_NOT_JSON', 'SQL_FAILED']
  assert.deepEqual(codes, ['done', data, data, 'done', sql, sql, 'done'])
  assert.equal(await store.head(), 3)
})

test('more requests than may wait are refused at once, and the others are answered', async (context) => {
  const store = await openStore(context, await freshPath(context))
  const waiting = Array.from({ length: 100_000 }, () => store.releaseLease('nobody', 'has it'))
  await assert.rejects(store.append([simpleCommit('one too many')]), { code: 'OVERLOADED', retryable: true })
  await Promise.all(waiting)
  assert.deepEqual(await store.readStream(stream, everything), [])
})

test('close waits for requests in progress', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  const appending = [1, 2, 3].map((n) => store.append([simpleCommit(`c${n}`)]))
  await store.close()
  await store.close()
  assert.equal((await Promise.all(appending)).flat().length, 3)
  await assert.rejects(store.append([simpleCommit('late')]), { code: 'STORE_CLOSED' })
  assert.equal(await (await openStore(context, path)).head(), 3)
})
