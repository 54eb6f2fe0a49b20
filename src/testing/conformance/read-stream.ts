/** Reading one stream: ranges, limits, directions, pages, and reads that are aborted. */
import assert from 'node:assert/strict'
import { fold } from '../../store/fold.ts'
import type { ReadOptions } from '../../store/store.ts'
import { readStreamPage } from '../../store/stream-page.ts'
import {
  type ConformanceCase,
  type ConformanceGroup,
  everything,
  grow,
  readWhole,
  rejectsWith,
  sequences,
  upTo,
} from './kit.ts'

const infinity = Number.POSITIVE_INFINITY

/** Reading [from, to) of a stream of `length` events gives these sequences. */
const reading =
  (length: number, from: number, to: number, options: ReadOptions, expected: readonly number[]): ConformanceCase =>
  async ({ store, stream }) => {
    const id = stream()
    await grow(store, stream(), 2)
    // Not every store takes more events in one commit.
    for (let left = length; left > 0; left -= 1000) await grow(store, id, Math.min(left, 1000))
    await grow(store, stream(), 2)
    const read = await store.readStream(id, { from, to }, options)
    assert.deepEqual(sequences(read), expected)
    assert.ok(read.every((event) => event.stream.id === id.id))
  }

const backward = { direction: 'backward' } as const

export const streamRanges: ConformanceGroup = {
  title: 'Reading a stream',
  cases: {
    'that does not exist gives nothing': async ({ store, stream }) => {
      assert.deepEqual(await readWhole(store, stream()), [])
      assert.deepEqual(await store.readStream(stream(), everything, backward), [])
    },
    'from the beginning gives all events, oldest first': reading(3, 0, infinity, {}, [1, 2, 3]),
    'from 0 and from 1 is the same': reading(3, 1, infinity, {}, [1, 2, 3]),
    'of [0, 1) gives nothing, since sequences start at 1': reading(3, 0, 1, {}, []),
    'of [0, 2) gives the first': reading(3, 0, 2, {}, [1]),
    'of [1, 1) gives nothing': reading(3, 1, 1, {}, []),
    'of [1, 2) gives the first': reading(3, 1, 2, {}, [1]),
    'of [2, 3) gives the second': reading(3, 2, 3, {}, [2]),
    'of [2, 4) gives the second and third': reading(3, 2, 4, {}, [2, 3]),
    'of a range that ends after the stream gives the events up to its end': reading(3, 2, 100, {}, [2, 3]),
    'after its end gives nothing': reading(3, 4, infinity, {}, []),
    'far after its end gives nothing': reading(3, 1_000_000, infinity, {}, []),
    'from the last gives the last': reading(3, 3, infinity, {}, [3]),
    'of a range whose bounds are swapped gives nothing': reading(5, 4, 2, {}, []),
    'backward gives all events, newest first': reading(3, 0, infinity, backward, [3, 2, 1]),
    'backward of [2, 4) gives only those': reading(5, 2, 4, backward, [3, 2]),
    'backward of [2, 2) gives nothing': reading(5, 2, 2, backward, []),
    'backward of a range whose bounds are swapped gives nothing': reading(5, 4, 2, backward, []),
    'backward after its end gives nothing': reading(3, 4, infinity, backward, []),
    'backward of a range that ends after the stream starts at its end': reading(3, 2, 100, backward, [3, 2]),
  },
}

export const streamLimits: ConformanceGroup = {
  title: 'A limit on reading a stream',
  cases: {
    'of 0 gives nothing': reading(3, 0, infinity, { limit: 0 }, []),
    'of 1 gives the first': reading(3, 0, infinity, { limit: 1 }, [1]),
    'of 1 backward gives the last': reading(3, 0, infinity, { limit: 1, ...backward }, [3]),
    'of 2 from 2 gives the second and third': reading(5, 2, infinity, { limit: 2 }, [2, 3]),
    'of 2 backward below 4 gives the third and second': reading(5, 0, 4, { limit: 2, ...backward }, [3, 2]),
    'of as many as there are gives all': reading(3, 0, infinity, { limit: 3 }, [1, 2, 3]),
    'of more than there are gives all': reading(3, 0, infinity, { limit: 4 }, [1, 2, 3]),
    'that is infinite gives all': reading(1200, 0, infinity, { limit: infinity }, upTo(1200)),
    'is 1,000 if none is given': reading(1001, 0, infinity, {}, upTo(1000)),
    'is 1,000 backward too': reading(1001, 0, infinity, backward, upTo(1001, 2).toReversed()),
    'of 100 on 99 events gives 99': reading(99, 0, infinity, { limit: 100 }, upTo(99)),
    'of 100 on 100 events gives 100': reading(100, 0, infinity, { limit: 100 }, upTo(100)),
    'of 100 on 101 events gives 100': reading(101, 0, infinity, { limit: 100 }, upTo(100)),
    'of 100 on 199 events gives the rest from 101': reading(199, 101, infinity, { limit: 100 }, upTo(199, 101)),
    'that is negative is refused': async ({ store, stream }) => {
      await rejectsWith(store.readStream(stream(), everything, { limit: -1 }), 'OPTION_INVALID')
    },
    'that is a fraction is refused': async ({ store, stream }) => {
      await rejectsWith(store.readStream(stream(), everything, { limit: 1.5 }), 'OPTION_INVALID')
    },
    'that is not a number is refused': async ({ store, stream }) => {
      await rejectsWith(store.readStream(stream(), everything, { limit: Number.NaN }), 'OPTION_INVALID')
    },
    'of any size gives pages that together contain everything once': async ({ store, stream }) => {
      const id = stream()
      for (const count of [1, 98, 1, 1, 98]) await grow(store, id, count)
      for (const pageSize of [1, 7, 99, 100, 101, 199, 200]) {
        const read = await fold(store, id, [] as number[], (all, { sequence }) => [...all, sequence], { pageSize })
        assert.deepEqual(read, upTo(199), `pages of ${pageSize}`)
      }
    },
  },
}

export const streamReads: ConformanceGroup = {
  title: 'A read of a stream',
  cases: {
    'with an unknown direction is refused': async ({ store, stream }) => {
      const direction = 'sideways' as 'forward'
      await rejectsWith(store.readStream(stream(), everything, { direction }), 'OPTION_INVALID')
    },
    'sees a commit as soon as append has answered': async ({ store, stream }) => {
      const id = stream()
      for (let sequence = 1; sequence <= 20; sequence++) {
        await grow(store, id, 1)
        assert.equal((await readWhole(store, id)).length, sequence)
      }
    },
    'in pages sees events that are appended meanwhile': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 4)
      const first = await store.readStream(id, everything, { limit: 2 })
      await grow(store, id, 3)
      const rest = await store.readStream(id, { from: 3, to: infinity }, { limit: 10 })
      assert.deepEqual([...sequences(first), ...sequences(rest)], upTo(7))
    },
    'has a result that does not change when more is appended': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      const read = await readWhole(store, id)
      await grow(store, id, 2)
      assert.deepEqual(sequences(read), [1, 2])
    },
    'during an append gives whole commits, never a part of one': async ({ store, stream }) => {
      const id = stream()
      const appended = Promise.all(Array.from({ length: 10 }, () => grow(store, id, 7)))
      const read = await Promise.all(Array.from({ length: 10 }, () => readWhole(store, id)))
      await appended
      for (const events of read) {
        assert.deepEqual(sequences(events), upTo(events.length))
        assert.equal(events.length % 7, 0)
      }
    },
    'whose signal is already aborted ends with its reason': async ({ store, stream }) => {
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)
      await assert.rejects(store.readStream(stream(), everything, { signal }), (error) => error === reason)
    },
    'whose signal is not aborted is not affected by it': async ({ store, stream }) => {
      const id = stream()
      await grow(store, id, 2)
      const { signal } = new AbortController()
      assert.equal((await store.readStream(id, everything, { signal })).length, 2)
    },
    'that is aborted while it runs ends with all events or with the reason, and leaves nothing open': async ({
      store,
      stream,
    }) => {
      const id = stream()
      await grow(store, id, 500)
      for (let round = 0; round < 20; round++) {
        const controller = new AbortController()
        const reason = new Error('enough')
        const read = store.readStream(id, everything, { signal: controller.signal })
        controller.abort(reason)
        const outcome = await read.then(sequences, (error: unknown) => error)
        if (outcome !== reason) assert.deepEqual(outcome, upTo(500))
      }
      assert.equal((await readWhole(store, id)).length, 500)
      await grow(store, id, 1)
    },
  },
}

export const streamPages: ConformanceGroup = {
  title: 'A page of a stream with its end',
  cases: {
    'says where the stream ends, and whether the range has more': async ({ store, stream }) => {
      const id = stream()
      const page = async (from: number, to: number, options: ReadOptions) => {
        const { events, end, isLast } = await readStreamPage(store, id, { from, to }, options)
        const [known] = await store.streamEnds([id])
        assert.deepEqual(end, known)
        return [sequences(events), isLast]
      }
      assert.deepEqual(await page(0, infinity, {}), [[], true])
      assert.deepEqual(await page(0, infinity, backward), [[], true])
      await grow(store, id, 3)
      await grow(store, id, 2)
      assert.deepEqual(await page(0, infinity, {}), [[1, 2, 3, 4, 5], true])
      assert.deepEqual(await page(1, infinity, { limit: 5 }), [[1, 2, 3, 4, 5], true])
      assert.deepEqual(await page(1, infinity, { limit: 4 }), [[1, 2, 3, 4], false])
      assert.deepEqual(await page(2, 4, {}), [[2, 3], true])
      assert.deepEqual(await page(2, 4, { limit: 1 }), [[2], false])
      assert.deepEqual(await page(4, 99, {}), [[4, 5], true])
      assert.deepEqual(await page(6, infinity, {}), [[], true])
      assert.deepEqual(await page(3, 3, {}), [[], true])
      assert.deepEqual(await page(1, infinity, { limit: 0 }), [[], false])
      assert.deepEqual(await page(1, infinity, { ...backward, limit: 2 }), [[5, 4], false])
      assert.deepEqual(await page(4, infinity, { ...backward, limit: 2 }), [[5, 4], true])
      assert.deepEqual(await page(1, 4, { ...backward, limit: 2 }), [[3, 2], false])
      assert.deepEqual(await page(0, 3, backward), [[2, 1], true])
      assert.deepEqual(await page(6, 9, backward), [[], true])
      assert.deepEqual(await page(1, infinity, { ...backward, limit: 0 }), [[], false])
    },
    'is of one moment while others append': async ({ store, stream }) => {
      const id = stream()
      const appended = (async () => {
        for (let n = 0; n < 30; n++) await grow(store, id, 2)
      })()
      const read = async (n: number) => {
        for (const direction of ['forward', 'backward'] as const) {
          const limit = 1 + (n % 7)
          const from = 1 + n
          const { events, end, isLast } = await readStreamPage(store, id, { from, to: infinity }, { limit, direction })
          const there = upTo(end.sequence, from)
          const expected = direction === 'forward' ? there : there.toReversed()
          assert.deepEqual(sequences(events), expected.slice(0, limit))
          assert.equal(isLast, expected.length <= limit)
          const newest = events.find(({ sequence }) => sequence === end.sequence)
          if (newest !== undefined) assert.equal(newest.checksum, end.checksum)
        }
      }
      try {
        for (let n = 0; n < 30; n++) await read(n)
      } finally {
        await appended
      }
    },
  },
}
