/**
 * A projection with rows. Like an aggregate, it is a pure fold, but by row instead of by stream. It runs on every
 * store.
 */
import type { Fold, Foreign } from './aggregate.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, DataOf, EventOf, Family, NewEvent, RecordedEvent } from './event.ts'
import { changedPolicy, type FailurePolicy, policyDefault } from './failure-policy.ts'
import { checkOrdering, type OrderBy, type Ordering, orderingOf } from './field-path.ts'
import { checkId } from './id.ts'
import { checkWhole } from './options.ts'
import { carrying } from './sealed-value.ts'

/** Whether a projection has rows by key, or one state. */
export type ProjectionShape = 'rows' | 'state'

/** A definition of a projection: immutable and free of I/O. */
export interface Projection<Name extends string, Row, Kinds, Shape extends ProjectionShape = 'rows'> {
  readonly name: Name
  /** How each kind of event is folded. */
  readonly folds: ReadonlyMap<Family, Fold>

  /**
   * Sets how a kind of event changes its row. A missing row starts as the initial row. Returning `undefined` deletes
   * the row. The projection gets only events of aggregates that declare this kind, even if others have an event of the
   * same type.
   */
  on<Kind extends AnyEventKind, Returned extends Row | undefined>(
    kind: Kind,
    evolve: (
      row: Row,
      data: DataOf<Kind>,
      event: EventOf<Kind>,
    ) => [Foreign<Returned, Row>] extends [never] ? Returned : `${Foreign<Returned, Row> & string} is not in the row`,
  ): Projection<Name, Row, Kinds | Kind, Shape>

  /**
   * Chooses the row of an event by its key, several rows with a list, or none with `undefined`. The stream's id by
   * default.
   */
  by(key: (event: EventOf<Kinds>) => string | readonly string[] | undefined): Projection<Name, Row, Kinds>
  /**
   * Sets what happens if an event cannot be folded. By default the projection stops before it, without a retry: a fold
   * is pure and would fail again.
   */
  onFailure(policy: FailurePolicy): Projection<Name, Row, Kinds, Shape>
  /**
   * Sets the revision of the rows. Raise it when the functions or the shape of a row change. New rows are then built
   * beside the live ones, which stay in use until the new ones have caught up. 1 by default.
   */
  revision(revision: number): Projection<Name, Row, Kinds, Shape>
  /**
   * Keeps the rows in the order of these fields, so that `find` need not look at all of them. An index serves a query
   * whose `where` has values for its first fields, and whose `orderBy` is the rest of them, in these directions:
   *
   *     .indexed('customer', ['placedAt', 'descending'])
   *
   * It can be called several times. Rows that are there already get no index: raise the revision to build them again.
   *
   * @throws DefinitionError `OPTION_INVALID`
   */
  indexed(...fields: OrderBy<Row>[]): Projection<Name, Row, Kinds, Shape>
  /** Gives it one state for the whole log, instead of rows. */
  single(): Projection<Name, Row, Kinds, 'state'>

  /** The row before its first event. */
  initial(): Row
  /**
   * A row after an event. `undefined` is a missing row: before its first event, or deleted.
   *
   * @throws DefinitionError `PERSONAL_READ` if it reads a personal value, as in a running domain; what `.on` throws
   */
  evolve(row: Row | undefined, event: EventOf<Kinds>): Row | undefined
  /** The keys of the rows of an event, each once. */
  keysOf(event: RecordedEvent): readonly string[]
  /** The function that chooses the rows, as given to `by`. */
  readonly key: unknown
  readonly shape: Shape
  readonly policy: Required<FailurePolicy>
  readonly rowRevision: number
  /** The fields of each index. */
  readonly indexes: readonly (readonly Ordering[])[]
}

export type AnyProjection = Projection<string, any, any, ProjectionShape>
/** The rows of a projection. */
export type RowOf<P> = P extends Projection<string, infer Row, any, any> ? Row : never

/** The key of the row of a projection with one state. */
export const singleKey = 'state'

type Key = (event: RecordedEvent) => string | readonly string[] | undefined

/** The parts of a definition. */
interface Parts {
  readonly name: string
  readonly initial: () => any
  readonly folds: ReadonlyMap<Family, Fold>
  readonly key: Key
  readonly shape: ProjectionShape
  readonly policy: Required<FailurePolicy>
  readonly rowRevision: number
  readonly indexes: AnyProjection['indexes']
}

/** A projection without events. */
export function projectionOf<Name extends string, Row>(name: Name, initial: () => Row): Projection<Name, Row, never> {
  checkId('the name of a projection', name)
  if (typeof initial !== 'function') invalid(name, 'its initial row must be a function')
  const policy = { ...policyDefault, retries: 0 }
  const key = (event: RecordedEvent) => event.stream.id
  return build({ name, initial, folds: new Map(), key, shape: 'rows', policy, rowRevision: 1, indexes: [] })
}

function build(parts: Parts): any {
  const { name, initial, folds, key, shape, policy, rowRevision, indexes } = parts
  return Object.freeze({
    name,
    initial,
    folds,
    key,
    shape,
    policy,
    rowRevision,
    indexes,
    keysOf: (event: RecordedEvent) => listed(key(event)),
    on(kind: AnyEventKind, evolve: Fold['evolve']) {
      if (folds.has(kind.family)) invalid(name, `it has two .on for the event ${kind.type}`)
      if (typeof evolve !== 'function') invalid(name, `its .on for the event ${kind.type} has no function`)
      return build({ ...parts, folds: new Map(folds).set(kind.family, { kind, evolve }) })
    },
    by: (next: Key) => build({ ...parts, key: next, shape: 'rows' }),
    indexed(...fields: OrderBy<any>[]) {
      checkIndex(parts, fields)
      return build({ ...parts, indexes: Object.freeze([...indexes, Object.freeze(orderingOf(fields))]) })
    },
    single: () => build({ ...parts, key: () => singleKey, shape: 'state' }),
    onFailure: (changes: FailurePolicy) => build({ ...parts, policy: changedPolicy(policy, changes) }),
    revision(next: number) {
      checkWhole('revision', next ?? null, 1)
      return build({ ...parts, rowRevision: next })
    },
    evolve(row: unknown, event: NewEvent) {
      const fold = foldOf(folds, event)
      if (fold === undefined) return row
      return carrying(() => fold.evolve(row === undefined ? initial() : row, event.data, event))
    },
  })
}

/** Each index costs a write for each row that changes its fields. */
const indexesMax = 8
/** The fields are part of a key, which databases want to be short. */
const indexFieldsMax = 4

/** @throws DefinitionError `DEFINITION_INVALID`, `OPTION_INVALID` */
function checkIndex({ name, initial, shape, indexes }: Parts, fields: readonly unknown[]): void {
  if (shape === 'state') invalid(name, 'it has one state, and an index is for rows')
  if (indexes.length >= indexesMax) invalid(name, `it has more than ${indexesMax} indexes`)
  if (fields.length === 0 || fields.length > indexFieldsMax) {
    invalid(name, `an index has 1 to ${indexFieldsMax} fields, and not ${fields.length}`)
  }
  const row = initial()
  for (const field of fields) checkOrdering('indexed', field, row)
}

function foldOf(folds: ReadonlyMap<Family, Fold>, event: NewEvent): Fold | undefined {
  for (const [family, fold] of folds) if (family.includes(event)) return fold
  return undefined
}

/** The keys as a list, each once. */
export function listed(keys: ReturnType<Key>): readonly string[] {
  if (keys === undefined) return []
  return typeof keys === 'string' ? [keys] : [...new Set(keys)]
}

export function invalid(projection: string, reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where: `The projection ${projection}`, reason })
}
