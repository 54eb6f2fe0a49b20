/**
 * Random steps for a store. There are few streams, ids, types and tags, so that they collide often, and numbers are
 * near the edges.
 *
 * Tidy: imports a package because fast-check draws and shrinks the steps. Only the model imports this file.
 */
import fc from 'fast-check'
import type { StreamId } from '../../domain/stream.ts'
import type { CommandMark } from '../../store/commit.ts'
import type { Range } from '../../store/range.ts'
import type { ReadAllOptions, ReadOptions } from '../../store/store.ts'
import type { StreamQuery } from '../../store/stream-list.ts'

/**
 * A commit before its exact expectation is known. `ahead` counts from the sequence that the stream will have if all
 * earlier commits of the batch are stored.
 */
export interface DrawnCommit {
  readonly stream: StreamId
  readonly expected: 'any' | 'none' | 'exists' | { readonly ahead: number } | { readonly sequence: number }
  readonly id: string
  readonly recordedAt: number
  readonly types: readonly string[]
  readonly tags: readonly string[]
  readonly command: CommandMark | undefined
}

/** A place that a reader says it has read: one of the log, one that it lacks, or one with another checksum. */
export interface DrawnPlace {
  readonly position: number
  readonly checksum: 'right' | 'wrong' | 'none'
}

/** What a store can do with steps of its caller. */
export interface StepsOf {
  /** Whether a place still has everything after it is closed and opened again. */
  readonly survivesReopen: boolean
  /** Whether a place can be open twice at once. */
  readonly severalWriters: boolean
  /** Whether time goes by the clock given to `open`. */
  readonly injectedClock: boolean
}

/** One thing to do to a store. */
export type Step =
  | { readonly kind: 'append'; readonly commits: readonly DrawnCommit[]; readonly writer?: string }
  | { readonly kind: 'readStream'; readonly stream: StreamId; readonly range: Range; readonly options: ReadOptions }
  | {
      readonly kind: 'readAll'
      readonly range: Range
      readonly options: ReadAllOptions
      readonly behind?: DrawnPlace | undefined
    }
  | { readonly kind: 'streamEnds'; readonly streams: readonly StreamId[] }
  | { readonly kind: 'reserve'; readonly streams: readonly StreamId[]; readonly writer: string }
  | { readonly kind: 'findCommit'; readonly stream: StreamId; readonly id: string }
  | { readonly kind: 'listStreams'; readonly aggregate: string; readonly query: StreamQuery }
  | { readonly kind: 'head' }
  | ChangeOfCaller

/** What is done between the calls. */
export type ChangeOfCaller =
  | { readonly kind: 'reopen' }
  /** The next calls are made to another opening of the same place. */
  | { readonly kind: 'switch' }
  | { readonly kind: 'wait'; readonly durationMs: number }

const streams: readonly StreamId[] = [
  { aggregate: 'user', id: 'admin_1' },
  { aggregate: 'user', id: 'admin' },
  { aggregate: 'user_admin', id: '1' },
  { aggregate: 'a/b', id: '%' },
  { aggregate: 'a', id: '/b' },
]
const eventTypes = ['A', 'B', 'ä%']
const allTags = ['red', 'redder', 'a,b', '"']

const stream = fc.constantFrom(...streams)
const id = fc.nat({ max: 4 }).map((n) => `commit ${n}`)
const tags = fc.uniqueArray(fc.constantFrom(...allTags), { maxLength: 3 })

const command = fc.record({ name: fc.constantFrom('open', 'close'), digest: fc.constantFrom(0, 7, 2 ** 53 - 1) })

const commit: fc.Arbitrary<DrawnCommit> = fc.record({
  stream,
  expected: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('any', 'none', 'exists') },
    { weight: 4, arbitrary: fc.constantFrom(0, 0, 0, -1, 1).map((ahead) => ({ ahead })) },
    { weight: 1, arbitrary: fc.nat({ max: 8 }).map((sequence) => ({ sequence })) },
  ),
  id: fc.oneof({ weight: 2, arbitrary: id }, { weight: 3, arbitrary: fc.uuid() }),
  recordedAt: fc.nat(),
  types: fc.array(fc.constantFrom(...eventTypes), { minLength: 1, maxLength: 3 }),
  tags,
  command: fc.option(command, { nil: undefined }),
})

const bound = fc.nat({ max: 24 })
const range: fc.Arbitrary<Range> = fc.record({
  from: fc.oneof(fc.constant(0), bound),
  to: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), bound),
})
const reading = {
  limit: fc.oneof(fc.nat({ max: 6 }), fc.constantFrom(100, Number.POSITIVE_INFINITY)),
  direction: fc.constantFrom('forward' as const, 'backward' as const),
}
const someOf = (values: readonly string[]) => fc.uniqueArray(fc.constantFrom(...values, 'unknown'), { maxLength: 2 })
const filters = {
  types: someOf(eventTypes),
  aggregates: someOf(streams.map(({ aggregate }) => aggregate)),
  tags: fc.uniqueArray(fc.constantFrom(...allTags, 're'), { maxLength: 2 }),
}

const place = fc.record({
  position: fc.nat({ max: 24 }),
  checksum: fc.constantFrom('right' as const, 'right' as const, 'none' as const, 'wrong' as const),
})
const writer = fc.constantFrom('one writer', 'another writer')
const streamsDrawn = fc.array(stream, { maxLength: 4 })

const calls: readonly fc.WeightedArbitrary<Step>[] = [
  {
    weight: 8,
    arbitrary: fc.record(
      { kind: fc.constant('append' as const), commits: fc.array(commit, { maxLength: 5 }), writer },
      { requiredKeys: ['kind', 'commits'] },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('readStream' as const),
      stream,
      range,
      options: fc.record(reading, { requiredKeys: [] }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('readAll' as const),
      range,
      options: fc.record({ ...reading, ...filters }, { requiredKeys: [] }),
      behind: fc.option(place, { nil: undefined, freq: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('findCommit' as const), stream, id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('streamEnds' as const), streams: streamsDrawn }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reserve' as const), streams: streamsDrawn, writer }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('listStreams' as const),
      aggregate: fc.constantFrom(...streams.map((each) => each.aggregate)),
      query: fc.record(
        { after: fc.constantFrom('admin', 'admin_1', 'b'), limit: fc.integer({ min: 1, max: 3 }) },
        { requiredKeys: ['limit'] },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'head' as const }) },
]

/** Draws what is done between calls, as far as the store can do it. */
export const changesOfCaller = (able: StepsOf): readonly fc.WeightedArbitrary<ChangeOfCaller>[] => [
  { weight: able.survivesReopen ? 1 : 0, arbitrary: fc.constant({ kind: 'reopen' }) },
  { weight: able.severalWriters ? 4 : 0, arbitrary: fc.constant({ kind: 'switch' }) },
  {
    weight: able.injectedClock ? 1 : 0,
    arbitrary: fc.constantFrom(1, 999, 1000, 60_000).map((durationMs) => ({ kind: 'wait', durationMs })),
  },
]

/** Draws a step, mostly appends and reads. */
export const drawStep = (able: StepsOf): fc.Arbitrary<Step> => fc.oneof(...calls, ...changesOfCaller(able))
