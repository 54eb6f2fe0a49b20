/**
 * A quota of the account or the space of a single server ends, where server 2.15.1 keeps the first messages of a batch:
 * no commit is cut for ever, nothing of it is seen before it is whole, and the answers stay true.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { commitTo, dropStreams, openDatabaseOf, openStore, streamOf } from '../../../test/support/servers/nats-place.ts'
import { findLimitedNats, type LimitedNats } from '../../../test/support/servers/nats-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { until } from '../../../test/support/until.ts'
import type { StoreError } from '../../domain/error.ts'
import { isCertain } from '../../kernel/certainty.ts'
import { at } from '../../testing/checkpoint-at.ts'
import type { Commit } from '../commit.ts'
import type { Store } from '../store.ts'
import { nats } from './index.ts'

const timeoutMs = 5000
const all = { from: 1, to: Number.POSITIVE_INFINITY }
const unfinished = { code: 'LOG_UNFINISHED' }
const bytes = 2_000_000
const eventsOf = (count: number) => Array.from({ length: count }, () => ({ type: 'T', data: 'x'.repeat(20_000) }))

/** Appends commits of ten events until one is not stored. */
async function fill(store: Store): Promise<{ readonly stored: readonly Commit[]; last: Commit; error: StoreError }> {
  const stored: Commit[] = []
  for (;;) {
    const last = commitTo('a', { events: eventsOf(10) })
    try {
      const [result] = await store.append([last])
      assert.equal(result!.status, 'stored')
      stored.push(last)
    } catch (error) {
      return { stored, last, error: error as StoreError }
    }
  }
}

/** The ids of the commits of the whole log, each of which has to be whole. */
async function idsOf(store: Store): Promise<readonly string[]> {
  const counts = new Map<string, number>()
  let position = 0
  for (let from = 1; ; ) {
    const page = await store.readAll({ from, to: Number.POSITIVE_INFINITY })
    for (const event of page.events) {
      assert.equal(event.position, ++position)
      counts.set(event.commitId, (counts.get(event.commitId) ?? 0) + 1)
    }
    if (page.isLast) break
    from = page.examined + 1
  }
  for (const count of counts.values()) assert.ok(count === 10 || count === 1)
  return [...counts.keys()]
}

/** Goes on waiting, if that is the error. */
function isFull(error: unknown): boolean {
  assert.equal((error as StoreError).code, 'STORE_FULL')
  return false
}

const idOf = ({ id }: Commit): string => id

await onServer(
  'A quota of the account on NATS',
  () => findLimitedNats({ account: bytes }),
  (server: LimitedNats) => {
    test('is warned about, if nothing of it is reserved', async (t) => {
      const { prefix } = await openStore(t, server, { timeoutMs })
      const warnings = async () => {
        const codes: string[] = []
        const warn = ({ code }: { readonly code: string }) => codes.push(code)
        await (await nats(server.url, { prefix }).open({ warn, now: () => 0 })).close()
        return codes
      }
      assert.deepEqual(await warnings(), ['QUOTA_NOT_RESERVED', 'DURABILITY_WEAKENED'])
      const { connection } = await openDatabaseOf(t, server, { prefix })
      for (const name of [`${prefix}_log`, `${prefix}_state`]) {
        const { config } = await connection.api<{ readonly config: object }>(`STREAM.INFO.${name}`)
        await connection.api(`STREAM.UPDATE.${name}`, { ...config, max_bytes: bytes / 4 })
      }
      assert.deepEqual(await warnings(), ['DURABILITY_WEAKENED'])
    })

    test('is not reached within a commit: it is refused for certain, and goes on with a larger quota', async (t) => {
      const { store } = await openStore(t, server, { timeoutMs })
      const { stored, last, error } = await fill(store)
      assert.equal(error.code, 'STORE_FULL')
      assert.ok(stored.length > 5)
      assert.deepEqual(await idsOf(store), stored.map(idOf))
      await server.limit({ account: 2 * bytes })
      // The server takes over the new quota in its own time.
      await until(() => store.append([last]).then(([result]) => result!.status === 'stored', isFull))
      assert.deepEqual(await idsOf(store), [...stored, last].map(idOf))
    })
  },
)

for (const syncs of [true, false]) {
  const title = `The space of a single NATS server that ${syncs ? 'syncs' : 'does not sync'}`
  await onServer(
    title,
    () => findLimitedNats({ server: bytes, syncs }),
    (server: LimitedNats) => {
      /** Takes room, until it is removed. */
      const filler = async (t: TestContext) => {
        const { store, prefix } = await openStore(t, server, { timeoutMs })
        for (let n = 0; n < 10; n++) await store.append([commitTo('x', { events: eventsOf(1) })])
        return () => dropStreams(server, prefix)
      }

      /** A store whose last commit is cut, another one on the same log, and what takes the room. */
      const cut = async (t: TestContext) => {
        const free = await filler(t)
        const { store, prefix } = await openStore(t, server, { timeoutMs })
        await store.append([commitTo('b')])
        const filled = await fill(store)
        const other = (await openStore(t, server, { prefix, timeoutMs })).store
        return { store, other, ...filled, free }
      }

      test('may end within a commit: nobody sees it, and nobody writes behind it', async (t) => {
        const { store, other, stored, last, error } = await cut(t)
        assert.equal(error.code, 'LOG_UNFINISHED')
        assert.ok(!isCertain(error))
        for (const each of [store, other]) {
          await assert.rejects(each.append([commitTo('c')]), unfinished)
          assert.equal((await each.readStream(streamOf('a'), all)).length, 10 * stored.length)
          assert.equal((await each.streamEnds([streamOf('a')]))[0]!.sequence, 10 * stored.length)
          assert.equal(await each.findCommit(streamOf('a'), last.id), undefined)
          assert.equal((await each.readStream(streamOf('b'), all)).length, 1)
          const examined = 10 * stored.length + 1
          for (const to of [(await each.head()) + 1, Number.POSITIVE_INFINITY]) {
            const page = await each.readAll({ from: 1, to })
            assert.deepEqual([page.events.length, page.examined, page.isLast], [examined, examined, false])
          }
          await assert.rejects(each.readAll({ from: examined + 1, to: Number.POSITIVE_INFINITY }), unfinished)
          const back = await each.readAll(
            { from: 5, to: Number.POSITIVE_INFINITY },
            { direction: 'backward', limit: 10 },
          )
          assert.deepEqual(
            back.events.map(({ position }) => position),
            Array.from({ length: 10 }, (_, n) => examined - n),
          )
        }
      })

      test('makes room: a process that was open before, and was never refused, writes nothing behind the commit', async (t) => {
        const free = await filler(t)
        const { store, prefix } = await openStore(t, server, { timeoutMs })
        const others = []
        for (const id of ['b', 'c']) {
          const { store: other } = await openStore(t, server, { prefix, timeoutMs })
          await other.append([commitTo(id)])
          others.push(other)
        }
        const { last } = await fill(store)
        await free()
        for (const other of others) {
          await assert.rejects(other.append([commitTo('d')]), unfinished)
          await assert.rejects(other.append([commitTo('d', { events: eventsOf(3) })]), unfinished)
        }
        assert.equal((await store.append([last]))[0]!.status, 'duplicate')
        for (const other of others) assert.equal((await other.append([commitTo('d')]))[0]!.status, 'stored')
        assert.equal((await idsOf(store)).filter((id) => id === last.id).length, 1)
      })

      test('makes room: the process that wrote the commit stores the rest of it', async (t) => {
        const { store, other, stored, last, free } = await cut(t)
        await free()
        await assert.rejects(other.append([commitTo('c')]), unfinished)
        assert.equal((await store.append([last]))[0]!.status, 'duplicate')
        assert.equal((await other.append([commitTo('c')]))[0]!.status, 'stored')
        assert.deepEqual((await idsOf(other)).slice(1, -1), [...stored, last].map(idOf))
        assert.equal((await store.append([commitTo('c')]))[0]!.status, 'stored')
      })

      test('ends within a step: nobody reads its rows or saves another one, until it is saved again', async (t) => {
        const free = await filler(t)
        const { store, prefix } = await openStore(t, server, { timeoutMs })
        const keysAt = (position: number) => Array.from({ length: 10 }, (_, n) => `${position}-${n}`)
        const save = (place: Store, position: number, keys = keysAt(position)) => {
          const rows = keys.map((key) => ({ key, value: 'x'.repeat(20_000) }))
          return place.saveStep('p', { from: at(position - 1), to: at(position), rows })
        }
        let position = 0
        while (
          await save(store, position + 1).then(
            () => true,
            () => false,
          )
        )
          position++
        const { store: other } = await openStore(t, server, { prefix, timeoutMs })
        const torn = keysAt(position + 1)
        await assert.rejects(other.loadRows('p', torn), { code: 'STORE_CORRUPT', message: /Rebuild/ })
        await assert.rejects(save(other, position + 1, ['other']), { code: 'STORE_CORRUPT', message: /Rebuild/ })
        await free()
        const { checkpoint, values } = await store.loadRowsWithCheckpoint('p', torn)
        assert.equal(checkpoint.position, position + 1)
        assert.ok(values.every((value) => value !== undefined))
        await save(other, position + 2, ['other'])
        assert.equal((await other.loadCheckpoint('p')).position, position + 2)
      })

      test('is more after a restart: the server stores the rest of the commit', async (t) => {
        const { other, stored, last } = await cut(t)
        await server.control.kill()
        await server.limit({ server: 2 * bytes, syncs })
        await server.control.start()
        assert.equal((await other.append([last]))[0]!.status, 'duplicate')
        assert.deepEqual((await idsOf(other)).slice(1), [...stored, last].map(idOf))
      })
    },
  )
}
