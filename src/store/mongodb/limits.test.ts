/** The greatest sizes: documents near the limit of a document, and batches over the limit of a command. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openStore, simpleCommit } from '../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../test/support/servers/mongodb-server.ts'
import { onServer, type TestServer } from '../../../test/support/servers/server.ts'
import { everything } from '../range.ts'

const patient = { timeoutMs: 60_000 }

function largestFit(server: TestServer): void {
  test('a commit of as many events as allowed is stored, and read from its middle', async (context) => {
    const store = await openStore(context, server, patient)
    const { commitEventsMax } = store.limits
    const events = Array.from({ length: commitEventsMax }, (_, data) => ({ type: 'Deposited', data }))
    await store.append([simpleCommit('c', { events })])
    const { events: read, examined } = await store.readAll({ from: 7000, to: 7003 }, { limit: 3 })
    assert.deepEqual(
      read.map(({ position, sequence, data }) => [position, sequence, data]),
      [7000, 7001, 7002].map((n) => [n, n, n - 1]),
    )
    assert.equal(examined, 7002)
  })

  test('commits as large as a document are sent one by one, and are stored in order', async (context) => {
    const store = await openStore(context, server, patient)
    const events = [{ type: 'Noted', data: '日'.repeat(5_000_000) }]
    const results = await store.append([1, 2].map((i) => simpleCommit(`c${i}`, { events })))
    assert.deepEqual(
      results.map(({ status, sequence }) => [status, sequence]),
      [
        ['stored', 1],
        ['stored', 2],
      ],
    )
    assert.ok((await store.readAll(everything, { limit: 1 })).events[0]!.data === events[0]!.data)
  })

  test('a commit that has too many bytes is refused before anything of its batch is written', async (context) => {
    const store = await openStore(context, server)
    const events = [{ type: 'Noted', data: '日'.repeat(5_400_000) }]
    const batch = [simpleCommit('small'), simpleCommit('large', { events })]
    await assert.rejects(store.append(batch), { code: 'COMMIT_TOO_LARGE' })
    assert.equal(await store.head(), 0)
  })
}

await onServer('The largest on MongoDB', findMongodb, largestFit)
await onServer('The largest on FerretDB', findFerretdb, largestFit)
