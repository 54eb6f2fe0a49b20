/** How a log is recognised: checksums of events, places in the log, the ends of streams, and the marks of commands. */
import assert from 'node:assert/strict'
import type { StoredEvent } from '../../store/store.ts'
import {
  type ConformanceGroup,
  commitTo,
  events,
  everything,
  grow,
  readWhole,
  rejectsWith,
  store1,
  upTo,
} from './kit.ts'

const digest = 2 ** 53 - 1
const checksums = (read: readonly StoredEvent[]): readonly number[] => read.map(({ checksum }) => checksum)

export const checksumsOfEvents: ConformanceGroup = {
  title: 'The checksum of an event',
  cases: {
    'is a whole number, and the same at every read': async ({ store, stream }) => {
      const id = stream()
      const { position } = await grow(store, id, 3)
      const read = await readWhole(store, id)
      for (const checksum of checksums(read)) assert.ok(Number.isSafeInteger(checksum) && checksum >= 0, `${checksum}`)
      const range = { from: position - 2, to: position + 1 }
      assert.deepEqual(checksums((await store.readAll(range)).events), checksums(read))
      assert.deepEqual(checksums((await store.readAll(range, { types: ['Happened'] })).events), checksums(read))
      const backward = await store.readStream(id, everything, { direction: 'backward' })
      assert.deepEqual(checksums(backward), checksums(read).toReversed())
      assert.deepEqual(checksums(await store.readStream(id, { from: 2, to: 3 })), checksums(read).slice(1, 2))
    },
    'of the last event is what append and findCommit return': async ({ store, stream }) => {
      const id = stream()
      const commit = commitTo(id, { id: 'c', events: events(3) })
      const { checksum } = await store1(store, commit)
      assert.equal((await readWhole(store, id)).at(-1)?.checksum, checksum)
      assert.equal((await store.findCommit(id, 'c'))?.checksum, checksum)
      const [again] = await store.append([commit])
      assert.deepEqual([again?.status, again && 'checksum' in again && again.checksum], ['duplicate', checksum])
    },
    'differs between events of one stream, and between streams that differ in one part': async ({ store, stream }) => {
      const id = stream()
      const other = stream()
      const alike = (of: typeof id, more: object = {}) =>
        store1(store, commitTo(of, { id: 'c', recordedAt: 5, events: [{ type: 'A', data: { n: 1 } }], ...more }))
      const found = [
        await alike(id),
        await alike(other),
        await alike(stream(), { recordedAt: 6 }),
        await alike(id, { id: 'd' }),
        await alike(id, { id: 'e' }),
      ]
      assert.equal(new Set(found.map(({ checksum }) => checksum)).size, found.length)
    },
  },
}

export const placesInTheLog: ConformanceGroup = {
  title: 'A place in the log',
  cases: {
    'is returned with each page, whatever the filters leave out': async ({ store, stream }) => {
      const base = await store.head()
      await grow(store, stream(), 3)
      const { events: all } = await store.readAll({ from: base + 1, to: Number.POSITIVE_INFINITY })
      for (const options of [{}, { types: ['None'] }, { types: ['Happened'], limit: 2 }, { limit: 1 }]) {
        const page = await store.readAll({ from: base + 1, to: base + 4 }, options)
        assert.ok(page.examined > base)
        assert.equal(page.checksum, all[page.examined - base - 1]?.checksum, JSON.stringify(options))
      }
    },
    'can be read from': async ({ store, stream }) => {
      const { position, checksum } = await grow(store, stream(), 2)
      await grow(store, stream(), 2)
      const range = { from: position + 1, to: position + 3 }
      for (const behind of [{ position, checksum }, { position }, { position: 0 }, { position: 0, checksum: 0 }]) {
        for (const filters of [{}, { types: ['Happened'] }, { types: ['None'] }]) {
          const page = await store.readAll(range, { behind, ...filters })
          assert.equal(page.examined, position + 2)
          assert.equal(page.events.length, filters.types?.[0] === 'None' ? 0 : 2)
        }
      }
    },
    'of another log is refused, whatever the filters and the range': async ({ store, stream }) => {
      const { position, checksum } = await grow(store, stream(), 1)
      const head = await store.head()
      for (const behind of [
        { position, checksum: checksum + 1 },
        { position: head + 1, checksum },
        { position: head + 1 },
        { position: head + 1000, checksum: 1 },
      ]) {
        const range = { from: behind.position + 1, to: Number.POSITIVE_INFINITY }
        for (const filters of [{}, { types: ['None'] }, { aggregates: ['none'] }, { tags: ['none'] }, { limit: 0 }]) {
          await rejectsWith(store.readAll(range, { behind, ...filters }), 'LOG_REPLACED')
        }
      }
    },
    'at the end of the log can be read from, and gives nothing': async ({ store, stream }) => {
      await grow(store, stream(), 1)
      const end = { from: await store.head(), to: Number.POSITIVE_INFINITY }
      const { examined, checksum } = await store.readAll(end)
      const page = await store.readAll(
        { from: examined + 1, to: Number.POSITIVE_INFINITY },
        { behind: { position: examined, checksum } },
      )
      assert.deepEqual(page, { events: [], examined, checksum, isLast: true })
    },
  },
}

export const streamEnds: ConformanceGroup = {
  title: 'The ends of streams',
  cases: {
    'are returned in the requested order, also for streams without events': async ({ store, stream }) => {
      const [none, short, long] = [stream(), stream(), stream()]
      await grow(store, short, 1)
      await grow(store, long, 2)
      await grow(store, long, 3)
      const ends = await store.streamEnds([long, none, short, long])
      const last = async (of: typeof long) => (await readWhole(store, of)).at(-1)!.checksum
      const end = { sequence: 5, checksum: await last(long) }
      assert.deepEqual(ends, [end, { sequence: 0, checksum: 0 }, { sequence: 1, checksum: await last(short) }, end])
      assert.deepEqual(await store.streamEnds([]), [])
    },
    'are returned for streams with similar names': async ({ store, name }) => {
      const of = name()
      const ids = [of, `${of} `, `${of}%`, `${of}/x`, of.toUpperCase(), `${of}\u0001`].map((id) => ({
        aggregate: 'a',
        id,
      }))
      for (const [i, id] of ids.entries()) await grow(store, id, i + 1)
      const ends = await store.streamEnds(ids)
      assert.deepEqual(
        ends.map(({ sequence }) => sequence),
        upTo(ids.length),
      )
    },
    'are returned for thousands at once': async ({ store, stream }) => {
      const ids = Array.from({ length: 3000 }, () => stream())
      await store.append(ids.slice(0, 10).map((id) => commitTo(id)))
      const ends = await store.streamEnds(ids)
      assert.deepEqual(
        ends.map(({ sequence }) => sequence),
        ids.map((_, i) => (i < 10 ? 1 : 0)),
      )
    },
    'count every commit that was acknowledged before': async ({ store, stream }) => {
      const id = stream()
      for (const sequence of upTo(30)) {
        await grow(store, id, 1)
        assert.equal((await store.streamEnds([id]))[0]?.sequence, sequence)
      }
    },
  },
}

export const streamEndsOfOthers: ConformanceGroup = {
  title: 'The ends of streams that other writers write to',
  needs: 'severalWriters',
  cases: {
    'count every commit that was acknowledged there before': async ({ place, stream }) => {
      await using own = await place()
      const [a, b] = [await own.open(), await own.open()]
      const id = stream()
      for (const sequence of upTo(30)) {
        await grow(sequence % 2 === 0 ? a : b, id, 1)
        assert.equal((await (sequence % 2 === 0 ? b : a).streamEnds([id]))[0]?.sequence, sequence)
      }
    },
  },
}

export const commandMarks: ConformanceGroup = {
  title: 'The mark of a command',
  cases: {
    'is returned with the commit, by append and findCommit': async ({ store, stream }) => {
      const id = stream()
      const command = { name: 'deposit "é"', digest }
      const commit = commitTo(id, { id: 'c', command })
      const [first] = await store.append([commit])
      assert.ok(first?.status === 'stored')
      assert.deepEqual(first.command, command)
      const other = commitTo(id, { id: 'c', command: { name: 'withdraw', digest: 0 } })
      const [again] = await store.append([other])
      assert.ok(again?.status === 'duplicate')
      assert.deepEqual(again.command, command)
      assert.deepEqual((await store.findCommit(id, 'c'))?.command, command)
    },
    'is absent if the commit had none': async ({ store, stream }) => {
      const id = stream()
      await store1(store, commitTo(id, { id: 'c' }))
      assert.equal((await store.findCommit(id, 'c'))?.command, undefined)
    },
    'is still there after reopening': async ({ place, stream, capabilities }) => {
      if (!capabilities.survivesReopen) return
      await using own = await place()
      const id = stream()
      const first = await own.open()
      await store1(first, commitTo(id, { id: 'c', command: { name: 'deposit', digest } }))
      await first.close()
      const second = await own.open()
      assert.deepEqual((await second.findCommit(id, 'c'))?.command, { name: 'deposit', digest })
    },
  },
}
