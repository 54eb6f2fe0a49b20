/**
 * Reading the log: filters, limits, and how far a page says that it has looked. The cases use their own aggregates and
 * tags, and positions relative to the end of the log when they begin.
 */
import assert from 'node:assert/strict'
import type { OfferedEvent } from '../../store/commit.ts'
import { foldAll } from '../../store/fold.ts'
import type { Page, ReadAllOptions, Store } from '../../store/store.ts'
import {
  type ConformanceCase,
  type ConformanceGroup,
  type ConformanceKit,
  commitTo,
  everything,
  grow,
  positions,
  rejectsWith,
  store1,
  upTo,
} from './kit.ts'

const infinity = Number.POSITIVE_INFINITY
const backward = { direction: 'backward' } as const

/** Ten events after `base`, of two aggregates: types A B A B ..., tags odd/even and third. */
interface Decade {
  readonly store: Store
  readonly base: number
  readonly aggregates: readonly [string, string]
}

async function decade({ store, name }: ConformanceKit): Promise<Decade> {
  const base = await store.head()
  const aggregates = [name('left'), name('right')] as const
  const tags = (n: number) => [n % 2 === 0 ? 'even' : 'odd', ...(n % 3 === 0 ? ['third'] : [])]
  for (let n = 1; n <= 10; n++) {
    const events: readonly OfferedEvent[] = [{ type: n % 2 === 0 ? 'B' : 'A', data: { n }, tags: tags(n) }]
    await store1(store, commitTo({ aggregate: aggregates[n <= 5 ? 0 : 1], id: 'one' }, { events }))
  }
  return { store, base, aggregates }
}

/** Reading [from, to) relative to the base with these options gives these of the ten, and has examined up to there. */
const reading =
  (
    from: number,
    to: number,
    options: ReadAllOptions | ((decade: Decade) => ReadAllOptions),
    expected: readonly number[],
    examined: number,
  ): ConformanceCase =>
  async (kit) => {
    const ten = await decade(kit)
    const { store, base } = ten
    const chosen = typeof options === 'function' ? options(ten) : options
    const page: Page = await store.readAll({ from: base + from, to: base + to }, chosen)
    assert.deepEqual(
      positions(page.events).map((position) => position - base),
      expected,
    )
    assert.equal(page.examined - base, examined)
  }

export const logRanges: ConformanceGroup = {
  title: 'Reading the log',
  cases: {
    'gives events of several streams in the order in which they were appended': reading(1, infinity, {}, upTo(10), 10),
    'of [1, 3) gives only those': reading(1, 3, {}, [1, 2], 2),
    'of [4, 4) gives nothing': reading(4, 4, {}, [], 3),
    'of [10, 11) gives the last': reading(10, 11, {}, [10], 10),
    'of a range that ends after the log gives the events up to its end': reading(9, 100, {}, [9, 10], 10),
    'after its end gives nothing and has examined everything before': reading(11, infinity, {}, [], 10),
    'far after its end has not examined events that may still come': async (kit) => {
      const { store, base } = await decade(kit)
      const { events } = await store.readAll({ from: base + 100, to: infinity })
      assert.deepEqual(events, [])
    },
    'of a range whose bounds are swapped gives nothing': async (kit) => {
      const { store, base } = await decade(kit)
      assert.deepEqual((await store.readAll({ from: base + 5, to: base + 3 })).events, [])
      assert.deepEqual((await store.readAll({ from: base + 5, to: base + 3 }, backward)).events, [])
    },
    'backward gives the newest first': reading(1, infinity, backward, upTo(10).toReversed(), 1),
    'backward of [3, 6) gives only those': reading(3, 6, backward, [5, 4, 3], 3),
    'backward after its end gives nothing': reading(11, infinity, backward, [], 11),
    'keeps the position out of the data': async (kit) => {
      const { store, base } = await decade(kit)
      const { events } = await store.readAll({ from: base + 1, to: base + 2 })
      assert.deepEqual(events[0]?.data, { n: 1 })
    },
    'gives the same events as reading the stream': async (kit) => {
      const { store, base, aggregates } = await decade(kit)
      const log = await store.readAll({ from: base + 1, to: infinity }, { aggregates: [aggregates[1]] })
      const stream = await store.readStream({ aggregate: aggregates[1], id: 'one' }, everything)
      assert.deepEqual(structuredClone(log.events), structuredClone(stream))
    },
  },
}

export const logLimits: ConformanceGroup = {
  title: 'A limit on reading the log',
  cases: {
    'of 0 gives nothing and has examined nothing new': reading(3, infinity, { limit: 0 }, [], 2),
    'of 0 backward gives nothing and has examined nothing': reading(3, infinity, { limit: 0, ...backward }, [], 11),
    'of 0 backward below a bound ends at the bound': reading(3, 6, { limit: 0, ...backward }, [], 6),
    'of 0 gives nothing of some types': reading(3, infinity, { limit: 0, types: ['A'] }, [], 2),
    'of 0 backward gives nothing of some types': reading(3, infinity, { limit: 0, types: ['A'], ...backward }, [], 11),
    'of 1 gives the first and ends there': reading(3, infinity, { limit: 1 }, [3], 3),
    'of 1 backward gives the last and ends there': reading(3, infinity, { limit: 1, ...backward }, [10], 10),
    'of as many as there are ends at the last': reading(1, infinity, { limit: 10 }, upTo(10), 10),
    'of more than there are has examined everything': reading(1, infinity, { limit: 11 }, upTo(10), 10),
    'of a backward page ends at the last event of the page': reading(
      1,
      infinity,
      { limit: 3, ...backward },
      [10, 9, 8],
      8,
    ),
    'applies after the filter': reading(1, infinity, { types: ['B'], limit: 2 }, [2, 4], 4),
    'applies after the filter, backward': reading(1, infinity, { types: ['A'], limit: 2, ...backward }, [9, 7], 7),
    'ends at the range if an aggregate has more events than that only after it': reading(
      1,
      4,
      ({ aggregates: [, right] }) => ({ aggregates: [right], limit: 1 }),
      [],
      3,
    ),
    'is 1,000 if none is given': async ({ store, stream }) => {
      const base = await store.head()
      for (const id of [stream(), stream()]) await grow(store, id, 500)
      await grow(store, stream(), 1)
      const page = await store.readAll({ from: base + 1, to: infinity })
      assert.equal(page.events.length, 1000)
      assert.equal(page.examined, base + 1000)
    },
    'that is negative is refused': async ({ store }) => {
      await rejectsWith(store.readAll(everything, { limit: -1 }), 'OPTION_INVALID')
    },
    'that is a fraction is refused': async ({ store }) => {
      await rejectsWith(store.readAll(everything, { limit: 0.5 }), 'OPTION_INVALID')
    },
  },
}

/** Three commits after a base: of A B A, of B B, of A. */
async function threeCommits({ store, stream }: ConformanceKit): Promise<number> {
  const base = await store.head()
  for (const types of [['A', 'B', 'A'], ['B', 'B'], ['A']]) {
    await store1(store, commitTo(stream(), { events: types.map((type) => ({ type, data: {} })) }))
  }
  return base
}

/** The pages of three commits, each with the positions of its events, and how far it has examined. */
async function pagesOf(
  kit: ConformanceKit,
  options: ReadAllOptions,
): Promise<readonly (readonly [number[], number])[]> {
  const { store } = kit
  const base = await threeCommits(kit)
  const isBackward = options.direction === 'backward'
  const pages: (readonly [number[], number])[] = []
  for (let [from, to, isLast] = [base + 1, base + 7, false]; !isLast && from < to; ) {
    const page = await store.readAll({ from, to }, options)
    const [there] = (await store.readAll({ from: page.examined, to: page.examined + 1 })).events
    assert.equal(page.checksum, there?.checksum)
    pages.push([positions(page.events).map((position) => position - base), page.examined - base])
    if (isBackward) to = page.examined
    else from = page.examined + 1
    isLast = page.isLast
  }
  return pages
}

export const wholeCommits: ConformanceGroup = {
  title: 'A page of the log and the commits in it',
  cases: {
    'continues to the end of a commit in which its limit is reached': async (kit) => {
      const whole = [[[1, 2, 3], 3] as const, [[4, 5], 5] as const, [[6], 6] as const]
      for (const limit of [1, 2]) {
        assert.deepEqual((await pagesOf(kit, { limit })).slice(0, 3), whole.slice(0, 3), `limit ${limit}`)
      }
    },
    'ends at its limit if a commit ends there': async (kit) => {
      const [first] = await pagesOf(kit, { limit: 3 })
      assert.deepEqual(first, [[1, 2, 3], 3])
    },
    'continues to the first event of a commit if it is read backward': async (kit) => {
      const pages = await pagesOf(kit, { limit: 1, ...backward })
      assert.deepEqual(pages, [
        [[6], 6],
        [[5, 4], 4],
        [[3, 2, 1], 1],
      ])
    },
    'has those events of a commit that match the filters': async (kit) => {
      const [first] = await pagesOf(kit, { limit: 1, types: ['A'] })
      assert.deepEqual(first, [[1, 3], 3])
      const [newest, next] = await pagesOf(kit, { limit: 1, types: ['B'], ...backward })
      assert.deepEqual(
        [newest, next],
        [
          [[5, 4], 4],
          [[2], 1],
        ],
      )
    },
    'ends where the range ends, also within a commit': async (kit) => {
      const { store } = kit
      const base = await threeCommits(kit)
      const read = async (from: number, to: number, options: ReadAllOptions) => {
        const page = await store.readAll({ from: base + from, to: base + to }, options)
        return [positions(page.events).map((position) => position - base), page.examined - base]
      }
      assert.deepEqual(await read(1, 3, { limit: 1 }), [[1, 2], 2])
      assert.deepEqual(await read(2, 3, { limit: 1 }), [[2], 2])
      assert.deepEqual(await read(2, 7, { limit: 1, ...backward, types: ['B'] }), [[5, 4], 4])
      assert.deepEqual(await read(2, 4, { limit: 1, ...backward }), [[3, 2], 2])
    },
    'has a whole commit, however many events the commit has': async ({ store, stream }) => {
      const base = await store.head()
      for (const count of [2, 300, 2]) await grow(store, stream(), count)
      const page = await store.readAll({ from: base + 1, to: infinity }, { limit: 5 })
      assert.deepEqual([page.events.length, page.examined - base, page.isLast], [302, 302, false])
      const older = await store.readAll({ from: base + 1, to: infinity }, { limit: 5, ...backward })
      assert.deepEqual([older.events.length, older.examined - base, older.isLast], [302, 3, false])
    },
  },
}

export const filters: ConformanceGroup = {
  title: 'A filter of the log',
  cases: {
    'by type': reading(1, infinity, { types: ['A'] }, [1, 3, 5, 7, 9], 10),
    'by several types is met by any of them': reading(1, 5, { types: ['A', 'B', 'C'] }, [1, 2, 3, 4], 4),
    'by an unknown type gives nothing and has examined everything': reading(1, infinity, { types: ['Z'] }, [], 10),
    'by no type at all gives nothing': reading(1, infinity, { types: [] }, [], 10),
    'by aggregate': reading(1, infinity, ({ aggregates: [left] }) => ({ aggregates: [left] }), upTo(5), 10),
    'by several aggregates is met by any of them': reading(
      1,
      infinity,
      ({ aggregates }) => ({ aggregates }),
      upTo(10),
      10,
    ),
    'by no aggregate at all gives nothing': reading(1, infinity, { aggregates: [] }, [], 10),
    'by a tag': reading(1, infinity, { tags: ['third'] }, [3, 6, 9], 10),
    'by several tags is met by events that have all of them': reading(
      1,
      infinity,
      { tags: ['odd', 'third'] },
      [3, 9],
      10,
    ),
    'by tags that no event has together gives nothing': reading(1, infinity, { tags: ['odd', 'even'] }, [], 10),
    'by an empty list of tags leaves nothing out': reading(1, infinity, { tags: [] }, upTo(10), 10),
    'by a part of a tag is not met': reading(1, infinity, { tags: ['thir'] }, [], 10),
    'by a wildcard is not met': reading(1, infinity, { tags: ['%'] }, [], 10),
    'by a property of every object is not met': reading(
      1,
      infinity,
      { types: ['constructor'], tags: ['length'] },
      [],
      10,
    ),
    'by type, aggregate and tag needs all three': reading(
      1,
      infinity,
      ({ aggregates: [, right] }) => ({ types: ['A'], aggregates: [right], tags: ['third'] }),
      [9],
      10,
    ),
    'within a range': reading(4, 8, { types: ['A'] }, [5, 7], 7),
    'whose last match is before the end of the range has examined the whole range': reading(
      1,
      7,
      { tags: ['third', 'odd'] },
      [3],
      6,
    ),
    backward: reading(1, infinity, { types: ['B'], ...backward }, [10, 8, 6, 4, 2], 1),
    'backward without a match has examined everything down to the lower bound': reading(
      4,
      8,
      { types: ['Z'], ...backward },
      [],
      4,
    ),
    'distinguishes upper and lower case': reading(1, infinity, { types: ['a'] }, [], 10),
    'takes many alternatives': async (kit) => {
      const { store, base } = await decade(kit)
      const types = [...Array.from({ length: 500 }, (_, i) => `T${i}`), 'B']
      const { events } = await store.readAll({ from: base + 1, to: infinity }, { types })
      assert.equal(events.length, 5)
    },
  },
}

/** Reads forward page by page as a reader would, each time after `examined`. */
async function walk(store: Store, base: number, options: ReadAllOptions): Promise<readonly number[]> {
  const found: number[] = []
  for (let examined = base; ; ) {
    const page = await store.readAll({ from: examined + 1, to: infinity }, options)
    found.push(...positions(page.events).map((position) => position - base))
    assert.ok(page.examined >= examined, 'examined never goes back')
    assert.ok(page.examined <= (await store.head()), 'events that are not stored yet are not examined')
    if (page.examined === examined) return found
    examined = page.examined
  }
}

export const paging: ConformanceGroup = {
  title: 'Continuing after what a page has examined',
  cases: {
    'misses nothing and repeats nothing, at any page size': async (kit) => {
      const { store, base } = await decade(kit)
      for (const limit of [1, 2, 3, 5, 9, 10, 11]) assert.deepEqual(await walk(store, base, { limit }), upTo(10))
    },
    'misses nothing that matches a filter, at any page size': async (kit) => {
      const { store, base } = await decade(kit)
      for (const limit of [1, 2, 3, 4]) {
        assert.deepEqual(await walk(store, base, { limit, tags: ['third'] }), [3, 6, 9])
        assert.deepEqual(await walk(store, base, { limit, types: ['B'] }), [2, 4, 6, 8, 10])
        assert.deepEqual(await walk(store, base, { limit, types: ['Z'] }), [])
      }
    },
    'backward misses nothing either': async (kit) => {
      const { store, base } = await decade(kit)
      const found: number[] = []
      for (let to = infinity; to > base + 1; ) {
        const page = await store.readAll({ from: base + 1, to }, { ...backward, limit: 2, types: ['A'] })
        found.push(...positions(page.events).map((position) => position - base))
        to = page.examined
      }
      assert.deepEqual(found, [9, 7, 5, 3, 1])
    },
    'sees what is appended between two pages': async (kit) => {
      const { store, base } = await decade(kit)
      const page = await store.readAll({ from: base + 1, to: infinity }, { limit: 20 })
      await grow(store, kit.stream(), 3)
      assert.deepEqual(await walk(store, page.examined, {}), [1, 2, 3])
    },
    'sees in a fold the events that its steps append': async ({ store, stream }) => {
      const base = await store.head()
      const id = stream()
      await grow(store, id, 4)
      const under: Promise<unknown>[] = []
      const options = { range: { from: base + 1, to: infinity }, pageSize: 2 }
      const step = (n: number) => {
        if (n < 2) under.push(grow(store, id, 1))
        return n + 1
      }
      const count = await foldAll(store, 0, step, options)
      await Promise.all(under)
      assert.ok(count >= 4 && count <= 6)
      assert.equal(await foldAll(store, 0, (n) => n + 1, options), 6)
    },
  },
}

export const logAborts: ConformanceGroup = {
  title: 'A read of the log',
  cases: {
    'with an unknown direction is refused': async ({ store }) => {
      const direction = 'sideways' as 'forward'
      await rejectsWith(store.readAll(everything, { direction }), 'OPTION_INVALID')
    },
    'whose signal is already aborted ends with its reason': async ({ store }) => {
      const reason = new Error('enough')
      const signal = AbortSignal.abort(reason)
      await assert.rejects(store.readAll(everything, { signal }), (error) => error === reason)
    },
    'that is aborted while it runs ends, and leaves nothing open': async ({ store, stream }) => {
      const base = await store.head()
      await grow(store, stream(), 500)
      for (let round = 0; round < 20; round++) {
        const controller = new AbortController()
        const reason = new Error('enough')
        const read = store.readAll({ from: base + 1, to: infinity }, { signal: controller.signal })
        controller.abort(reason)
        const outcome = await read.then(
          ({ events }) => events.length,
          (error: unknown) => error,
        )
        if (outcome !== reason) assert.equal(outcome, 500)
      }
      assert.equal((await grow(store, stream(), 1)).position, base + 501)
    },
  },
}
