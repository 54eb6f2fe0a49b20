/**
 * Several processes on one file: nothing is lost or doubled, there is no gap, and no process sees a later event before
 * an earlier one.
 */
import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { sized } from '../../../test/support/size.ts'
import { foldAll } from '../fold.ts'
import { everything } from '../range.ts'
import type { Store } from '../store.ts'
import { counter } from './other-process.fixture.ts'
import { freshPath, inOtherProcess, openStore, simpleCommit, startOtherProcess } from './sqlite-test.fixture.ts'

const streams = 3

async function assertWhole(store: Store, events: number): Promise<void> {
  const positions = await foldAll(store, [] as number[], (seen, { position }) => [...seen, position])
  assert.deepEqual(
    positions,
    Array.from({ length: events }, (_, i) => i + 1),
  )
  const ids = new Set<string>()
  for (let i = 0; i < streams; i++) {
    const stream = await store.readStream(counter(i), everything, { limit: Number.POSITIVE_INFINITY })
    stream.forEach(({ sequence, commitId }, index) => {
      assert.equal(sequence, index + 1)
      ids.add(commitId)
    })
  }
  assert.equal(ids.size, events)
}

test('three processes that append to the same streams lose nothing, and a fourth sees every prefix', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  const commits = sized(200, 40)
  const names = ['first', 'second', 'third']
  const watching = inOtherProcess(path, { do: 'watch', until: commits * names.length })
  const outcomes = await Promise.all(
    names.map((name) => inOtherProcess(path, { do: 'append', name, streams, commits })),
  )
  assert.deepEqual(
    outcomes,
    names.map(() => ({ count: commits })),
  )
  assert.deepEqual(await watching, { count: commits * names.length })
  await assertWhole(store, commits * names.length)
})

test('processes that expect an exact sequence win once each: no update is lost', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  const commits = sized(60, 15)
  const names = ['first', 'second', 'third']
  const outcomes = await Promise.all(
    names.map((name) => inOtherProcess(path, { do: 'increment', name, streams, commits })),
  )
  assert.deepEqual(
    outcomes,
    names.map(() => ({ count: commits })),
  )
  await assertWhole(store, commits * names.length)
})

const creators = sized(10, 5)

test(`${creators} processes that create the same file at once all succeed`, async (context) => {
  const path = await freshPath(context)
  const outcomes = await Promise.all(
    Array.from({ length: creators }, () => inOtherProcess(path, { do: 'open and close' })),
  )
  assert.deepEqual(
    outcomes,
    outcomes.map(() => ({ count: 0 })),
  )
})

test('a writer forgets what it knows of a stream when another process has written', async (context) => {
  const path = await freshPath(context)
  const one = await openStore(context, path)
  const other = await openStore(context, path)
  const statuses: string[] = []
  for (let i = 0; i < 20; i++) {
    const store = i % 3 === 0 ? one : other
    const [result] = await store.append([simpleCommit(`c${i}`, { expected: i })])
    statuses.push(result!.status)
    const [repeated] = await (store === one ? other : one).append([simpleCommit(`c${i}`, { expected: i })])
    statuses.push(repeated!.status)
  }
  assert.deepEqual(new Set(statuses), new Set(['stored', 'duplicate']))
  assert.equal(await one.head(), 20)
})

test('a process may end without closing an idle store, and its events are stored', async (context) => {
  const path = await freshPath(context)
  assert.deepEqual(await inOtherProcess(path, { do: 'open and leave' }), { count: 2 })
  const store = await openStore(context, path)
  assert.equal(await store.head(), 2)
})

test('every acknowledged commit of a killed process is stored, and none in part', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  for (let kill = 1; kill <= sized(5, 2); kill++) {
    const child = startOtherProcess(path, { do: 'append for ever', name: `life ${kill}` })
    const acknowledged: string[] = []
    for await (const id of createInterface({ input: child.stdout! })) {
      acknowledged.push(id)
      if (acknowledged.length === kill * 37) child.kill('SIGKILL')
    }
    const commits = new Map<string, number>()
    await foldAll(store, 0, (before, { position, commitId }) => {
      assert.equal(position, before + 1)
      commits.set(commitId, (commits.get(commitId) ?? 0) + 1)
      return position
    })
    assert.ok(acknowledged.length >= kill * 37)
    assert.deepEqual(new Set(commits.values()), new Set([3]))
    assert.deepEqual(
      acknowledged.filter((id) => !commits.has(id)),
      [],
    )
  }
})

test('followers hear at once of what another process appends', { timeout: 600_000 }, async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  let heard = Promise.withResolvers<void>()
  const end = store.onAppend(() => heard.resolve())
  for (const round of [1, 2, 3]) {
    heard = Promise.withResolvers<void>()
    await inOtherProcess(path, { do: 'append', name: `round ${round}`, streams, commits: 2 })
    await heard.promise
    assert.ok((await store.head()) > 2 * (round - 1))
  }
  end()
  // A listener that comes later hears as well.
  heard = Promise.withResolvers<void>()
  store.onAppend(() => heard.resolve())
  await inOtherProcess(path, { do: 'append', name: 'last', streams, commits: 2 })
  await heard.promise
})
