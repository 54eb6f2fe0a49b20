/**
 * Random steps for what a store keeps beside its log: rows with their checkpoints, snapshots and leases. There are few
 * projections, keys and streams, so that they collide often. Names and keys begin like one another.
 *
 * Tidy: imports a package because fast-check draws and shrinks the steps. Only the model imports this file.
 */
import fc from 'fast-check'
import type { Json } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { RowQuery } from '../../store/store.ts'
import { type ChangeOfCaller, changesOfCaller, type StepsOf } from './steps.ts'

/** A step of a projection before it is known where the projection is. */
export interface DrawnSave {
  readonly kind: 'save'
  readonly projection: string
  /** From where the step was computed: where the projection is, or beside it. */
  readonly from: 'there' | 'before' | 'behind' | 'in another term'
  readonly forward: number
  readonly termsUp: number
  readonly note: Json
  readonly rows: readonly { readonly key: string; readonly value: Json | undefined }[]
  readonly mayBeLost: boolean
  /** As a step of its own or in a transaction, on stores that have them. */
  readonly as: 'step' | 'transaction' | 'transaction that fails'
}

/** One thing to do to the rows, snapshots or leases of a store. */
export type RowStep =
  | DrawnSave
  | { readonly kind: 'loadCheckpoint'; readonly projection: string }
  | { readonly kind: 'loadRows'; readonly projection: string; readonly keys: readonly string[] }
  | { readonly kind: 'loadRowsWithCheckpoint'; readonly projection: string; readonly keys: readonly string[] }
  | { readonly kind: 'listRows'; readonly projection: string; readonly query: RowQuery }
  | { readonly kind: 'resetProjection'; readonly projection: string }
  | {
      readonly kind: 'saveSnapshot'
      readonly stream: StreamId
      readonly sequence: number
      readonly state: Json
      readonly keep: number
    }
  | { readonly kind: 'loadSnapshot'; readonly stream: StreamId; readonly atOrBefore?: number | undefined }
  | { readonly kind: 'acquireLease'; readonly lease: string; readonly owner: string; readonly durationMs: number }
  | { readonly kind: 'releaseLease'; readonly lease: string; readonly owner: string }
  | ChangeOfCaller

/** All keys of rows that are drawn. */
export const rowKeys: readonly string[] = [
  'a',
  'a ',
  'aa',
  'A',
  'a%',
  'a_',
  'b',
  'ä',
  '日',
  '日本',
  '\uffff',
  '😀',
  '~',
]

const projection = fc.constantFrom('p', 'p', 'p ', 'P')
const stream = fc.constantFrom<StreamId>(
  { aggregate: 'user', id: 'admin_1' },
  { aggregate: 'user_admin', id: '1' },
  { aggregate: 'user', id: 'admin' },
)
const key = fc.constantFrom(...rowKeys)
const keys = fc.array(fc.oneof({ weight: 9, arbitrary: key }, { weight: 1, arbitrary: fc.constant('none') }), {
  maxLength: 6,
})
/** Fields, and the values that they have in rows and in conditions. */
const field = fc.constantFrom('n', 's', 'a.b', '$n', "it's", '__proto__')
const numbers = [0, 1, -1, 0.1, 1e21, 2 ** 53, 5e-324, -1e300]
const scalar = fc.constantFrom(...numbers, '', 'a', 'A', '1', 'a\0b', 'ä', true, false)

const copyOf = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json
const fields = fc
  .array(fc.tuple(field, fc.oneof(scalar, fc.constantFrom(null, [], {}, { $number: 'NaN' }, ['a']))), { maxLength: 4 })
  .map((entries) => copyOf(Object.fromEntries(entries)))
const value: fc.Arbitrary<Json> = fc.oneof(
  { weight: 6, arbitrary: fields },
  { weight: 1, arbitrary: scalar },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2, stringUnit: 'grapheme' }).map(copyOf) },
)

const save: fc.Arbitrary<DrawnSave> = fc.record({
  kind: fc.constant('save'),
  projection,
  from: fc.oneof(
    { weight: 7, arbitrary: fc.constant('there') },
    { weight: 1, arbitrary: fc.constantFrom('before', 'behind', 'in another term') },
  ),
  forward: fc.integer({ min: -2, max: 3 }),
  termsUp: fc.constantFrom(0, 0, 0, 1, 3),
  note: fields,
  rows: fc.array(fc.record({ key, value: fc.option(value, { nil: undefined, freq: 4 }) }), {
    maxLength: 8,
    size: 'max',
  }),
  mayBeLost: fc.boolean(),
  as: fc.constantFrom('step', 'step', 'transaction', 'transaction that fails'),
})

const condition = fc.oneof(
  fc.record({ field, oneOf: fc.array(scalar, { maxLength: 3 }) }),
  fc.record(
    { field, least: fc.constantFrom(...numbers), most: fc.constantFrom(...numbers, Number.POSITIVE_INFINITY) },
    { requiredKeys: ['field'] },
  ),
)
const query: fc.Arbitrary<RowQuery> = fc.record(
  {
    after: key,
    prefix: fc.constantFrom('', 'a', 'a ', '日', '\uffff', 'none'),
    where: fc.array(condition, { maxLength: 2 }),
    limit: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constant(Number.POSITIVE_INFINITY)),
  },
  { requiredKeys: ['limit'] },
)

const lease = fc.constantFrom('lease', 'lease ', 'LEASE')
const owner = fc.constantFrom('one', 'another')
const kind = <Kind extends RowStep['kind']>(name: Kind): fc.Arbitrary<Kind> => fc.constant(name)

const calls = (able: StepsOf): readonly fc.WeightedArbitrary<RowStep>[] => [
  { weight: 10, arbitrary: save },
  { weight: 1, arbitrary: fc.record({ kind: kind('loadCheckpoint'), projection }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('loadRows'), projection, keys }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('loadRowsWithCheckpoint'), projection, keys }) },
  { weight: 8, arbitrary: fc.record({ kind: kind('listRows'), projection, query }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('resetProjection'), projection }) },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ kind: kind('saveSnapshot'), stream, state: value },
      ...{ sequence: fc.nat({ max: 9 }), keep: fc.integer({ min: 1, max: 3 }) },
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ kind: kind('loadSnapshot'), stream },
      atOrBefore: fc.option(fc.oneof(fc.nat({ max: 9 }), fc.constant(Number.POSITIVE_INFINITY)), { nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ kind: kind('acquireLease'), lease, owner },
      // By a server's clock, a short lease might end between two steps.
      durationMs: fc.constantFrom(...(able.injectedClock ? [1, 1000, 60_000] : [60_000])),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('releaseLease'), lease, owner }) },
]

export const drawRowStep = (able: StepsOf): fc.Arbitrary<RowStep> => fc.oneof(...calls(able), ...changesOfCaller(able))
