/**
 * Random steps for a store. There are few streams, ids, types and tags, so that they collide often, and numbers are
 * near the edges.
 *
 * Tidy: imports a package because fast-check draws and shrinks the steps. Only the model imports this file.
 */
import fc from 'fast-check'
import type { StreamId } from '../../domain/stream.ts'
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
}

/** One thing to do to a store. */
export type Step =
  | { readonly kind: 'append'; readonly commits: readonly DrawnCommit[] }
  | { readonly kind: 'readStream'; readonly stream: StreamId; readonly range: Range; readonly options: ReadOptions }
  | { readonly kind: 'readAll'; readonly range: Range; readonly options: ReadAllOptions }
  | { readonly kind: 'findCommit'; readonly stream: StreamId; readonly id: string }
  | { readonly kind: 'listStreams'; readonly aggregate: string; readonly query: StreamQuery }
  | { readonly kind: 'head' }
  | { readonly kind: 'reopen' }

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
const id = fc.nat({ max: 9 }).map((n) => `commit ${n}`)
const tags = fc.uniqueArray(fc.constantFrom(...allTags), { maxLength: 3 })

const commit: fc.Arbitrary<DrawnCommit> = fc.record({
  stream,
  expected: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('any', 'none', 'exists') },
    { weight: 4, arbitrary: fc.constantFrom(0, 0, 0, -1, 1).map((ahead) => ({ ahead })) },
    { weight: 1, arbitrary: fc.nat({ max: 8 }).map((sequence) => ({ sequence })) },
  ),
  id: fc.oneof({ weight: 1, arbitrary: id }, { weight: 3, arbitrary: fc.uuid() }),
  recordedAt: fc.nat(),
  types: fc.array(fc.constantFrom(...eventTypes), { minLength: 1, maxLength: 3 }),
  tags,
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

/** Draws a step, mostly appends and reads. */
export function drawStep(withReopen: boolean): fc.Arbitrary<Step> {
  const append = fc.record({
    kind: fc.constant('append' as const),
    commits: fc.array(commit, { maxLength: 5 }),
  })
  const readStream = fc.record({
    kind: fc.constant('readStream' as const),
    stream,
    range,
    options: fc.record(reading, { requiredKeys: [] }),
  })
  const readAll = fc.record({
    kind: fc.constant('readAll' as const),
    range,
    options: fc.record({ ...reading, ...filters }, { requiredKeys: [] }),
  })
  const listStreams = fc.record({
    kind: fc.constant('listStreams' as const),
    aggregate: fc.constantFrom(...streams.map((each) => each.aggregate)),
    query: fc.record(
      { after: fc.constantFrom('admin', 'admin_1', 'b'), limit: fc.integer({ min: 1, max: 3 }) },
      { requiredKeys: ['limit'] },
    ),
  })
  return fc.oneof(
    { weight: 8, arbitrary: append },
    { weight: 3, arbitrary: readStream },
    { weight: 5, arbitrary: readAll },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('findCommit' as const), stream, id }) },
    { weight: 1, arbitrary: listStreams },
    { weight: 1, arbitrary: fc.constant({ kind: 'head' as const }) },
    { weight: withReopen ? 1 : 0, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  )
}
