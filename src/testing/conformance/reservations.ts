/** Reserved streams, for turns of several writers at one stream. If the store has its own clock, the case waits. */
import assert from 'node:assert/strict'
import { type ConformanceGroup, commitTo, grow, until, upTo } from './kit.ts'

const long = 30_000

export const reservations: ConformanceGroup = {
  title: 'A reserved stream',
  cases: {
    'accepts commits only from the writer that it is reserved for': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      assert.deepEqual(await store.reserve([id], 'a', long), [true])
      const refused = { status: 'conflict', sequence: 2, reserved: true }
      assert.deepEqual(await store.append([commitTo(id, { expected: 2 })]), [refused])
      assert.deepEqual(await store.append([commitTo(id, { expected: 'any' })], { writer: 'b' }), [refused])
      const [stored] = await store.append([commitTo(id, { expected: 2 })], { writer: 'a' })
      assert.equal(stored?.status, 'stored')
    },
    'is free again when the writer has stored something in it': async ({ store, stream }) => {
      const id = stream()
      await store.reserve([id], 'a', long)
      await store.append([commitTo(id)], { writer: 'a' })
      assert.equal((await store.append([commitTo(id)], { writer: 'b' }))[0]?.status, 'stored')
      assert.deepEqual(await store.reserve([id], 'b', long), [true])
    },
    'stays reserved if the writer has stored nothing in it': async ({ store, stream }) => {
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
    'is given to one of several that ask at the same time': async ({ store, stream }) => {
      const id = stream()
      const given = await Promise.all(upTo(8).map((n) => store.reserve([id], `writer ${n}`, long)))
      assert.equal(given.filter(([mine]) => mine).length, 1)
    },
    'still answers a repeated commit with the stored one': async ({ store, stream }) => {
      const id = stream()
      const commit = commitTo(id)
      await store.append([commit])
      await store.reserve([id], 'a', long)
      assert.equal((await store.append([commit], { writer: 'b' }))[0]?.status, 'duplicate')
    },
    'does not affect other streams of the batch': async ({ store, stream }) => {
      const [id, other] = [stream(), stream()]
      await store.reserve([id], 'a', long)
      const results = await store.append([commitTo(other), commitTo(id), commitTo(other)], { writer: 'b' })
      assert.deepEqual(
        results.map(({ status }) => status),
        ['stored', 'conflict', 'stored'],
      )
    },
    'is free soon if the writer renews its reservation for a moment': async ({
      store,
      stream,
      clock,
      capabilities,
    }) => {
      const id = stream()
      await store.reserve([id], 'a', long)
      assert.deepEqual(await store.reserve([id], 'a', 1), [true])
      if (capabilities.injectedClock) clock.advance(2)
      await until(async () => (await store.append([commitTo(id)], { writer: 'b' }))[0]?.status === 'stored')
    },
    'is free when the reservation expires': async ({ store, stream, clock, capabilities }) => {
      const id = stream()
      await store.reserve([id], 'a', 50)
      if (capabilities.injectedClock) clock.advance(51)
      await until(async () => (await store.append([commitTo(id)], { writer: 'b' }))[0]?.status === 'stored')
    },
  },
}
