/** Reserved streams: whose turn it is where several write to one stream. The clock of a server is waited for. */
import assert from 'node:assert/strict'
import { type ConformanceGroup, commitTo, grow, until, upTo } from './kit.ts'

const long = 30_000

export const reservations: ConformanceGroup = {
  title: 'A reserved stream',
  cases: {
    'takes commits of the writer that it is reserved for, and of no other': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      assert.deepEqual(await store.reserve([id], 'a', long), [true])
      const refused = { status: 'conflict', sequence: 2, reserved: true }
      assert.deepEqual(await store.append([commitTo(id, { expected: 2 })]), [refused])
      assert.deepEqual(await store.append([commitTo(id, { expected: 'any' })], { writer: 'b' }), [refused])
      const [stored] = await store.append([commitTo(id, { expected: 2 })], { writer: 'a' })
      assert.equal(stored?.status, 'stored')
    },
    'is free again once the writer has stored something there': async ({ store, stream }) => {
      const id = stream()
      await store.reserve([id], 'a', long)
      await store.append([commitTo(id)], { writer: 'a' })
      assert.equal((await store.append([commitTo(id)], { writer: 'b' }))[0]?.status, 'stored')
      assert.deepEqual(await store.reserve([id], 'b', long), [true])
    },
    'stays reserved where the writer stored nothing there': async ({ store, stream }) => {
      const id = stream()
      await store.reserve([id], 'a', long)
      await store.append([commitTo(id, { expected: 7 }), commitTo(stream())], { writer: 'a' })
      assert.deepEqual(await store.append([commitTo(id)], { writer: 'b' }), [
        { status: 'conflict', sequence: 0, reserved: true },
      ])
    },
    'is not given to a second writer, and renewed for the first': async ({ store, stream }) => {
      const [id, other] = [stream(), stream()]
      assert.deepEqual(await store.reserve([id], 'a', long), [true])
      assert.deepEqual(await store.reserve([other, id], 'b', long), [true, false])
      assert.deepEqual(await store.reserve([id, other], 'a', long), [true, false])
      assert.deepEqual(await store.reserve([], 'a', long), [])
    },
    'is given to one of several who ask at once': async ({ store, stream }) => {
      const id = stream()
      const given = await Promise.all(upTo(8).map((n) => store.reserve([id], `writer ${n}`, long)))
      assert.equal(given.filter(([mine]) => mine).length, 1)
    },
    'still answers a repeated commit with what is stored': async ({ store, stream }) => {
      const id = stream()
      const commit = commitTo(id)
      await store.append([commit])
      await store.reserve([id], 'a', long)
      assert.equal((await store.append([commit], { writer: 'b' }))[0]?.status, 'duplicate')
    },
    'harms no other stream of the batch': async ({ store, stream }) => {
      const [id, other] = [stream(), stream()]
      await store.reserve([id], 'a', long)
      const results = await store.append([commitTo(other), commitTo(id), commitTo(other)], { writer: 'b' })
      assert.deepEqual(
        results.map(({ status }) => status),
        ['stored', 'conflict', 'stored'],
      )
    },
    'is free when its time is over': async ({ store, stream, clock, capabilities }) => {
      const id = stream()
      await store.reserve([id], 'a', 50)
      if (capabilities.injectedClock) clock.advance(51)
      await until(async () => (await store.append([commitTo(id)], { writer: 'b' }))[0]?.status === 'stored')
    },
  },
}
