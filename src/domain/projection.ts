/**
 * A read model as the same fold that an aggregate is, keyed by row instead of by stream. Pure; it runs on any store.
 */
import type { Fold, Foreign } from './aggregate.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, DataOf, EventOf, Family, NewEvent, RecordedEvent } from './event.ts'
import { changedPolicy, type FailurePolicy, policyDefault } from './failure-policy.ts'
import { checkId } from './id.ts'
import { checkWhole } from './options.ts'

/** Whether a projection has rows by key, or is one state. */
export type ProjectionShape = 'rows' | 'state'

/** A definition of a projection: immutable and free of I/O. */
export interface Projection<Name extends string, Row, Kinds, Shape extends ProjectionShape = 'rows'> {
  readonly name: Name
  /** How each kind of event is folded. */
  readonly folds: ReadonlyMap<Family, Fold>

  /**
   * Says how a kind of event changes its row. A row that is not there yet starts as the initial one; one for which
   * `undefined` is returned is deleted. The events of the kind are those of the aggregates that declare it, also where
   * others have one of the same type.
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
   * Chooses the row that an event belongs to, several by a list, or none by `undefined`. The stream's id by default.
   */
  by(key: (event: EventOf<Kinds>) => string | readonly string[] | undefined): Projection<Name, Row, Kinds>
  /**
   * Says what happens at an event that cannot be folded. By default it is not tried again, since a fold is pure, and
   * the projection stops before it.
   */
  onFailure(policy: FailurePolicy): Projection<Name, Row, Kinds, Shape>
  /**
   * Numbers what the rows are: raise it when the functions or the row's shape change. The rows are then rebuilt
   * beside those that are there, which serve until the new ones have caught up. 1 by default.
   */
  revision(revision: number): Projection<Name, Row, Kinds, Shape>
  /** Makes it one state for the whole log, instead of rows. */
  single(): Projection<Name, Row, Kinds, 'state'>

  /** A row before its first event. */
  initial(): Row
  /** A row after an event; `undefined` is a row that is not there: before its first event, or deleted. */
  evolve(row: Row | undefined, event: EventOf<Kinds>): Row | undefined
  /** The keys of the rows that an event belongs to, each once. */
  keysOf(event: RecordedEvent): readonly string[]
  /** What chooses the rows: the function that `by` was given. */
  readonly key: unknown
  readonly shape: Shape
  readonly policy: Required<FailurePolicy>
  readonly rowRevision: number
}

export type AnyProjection = Projection<string, any, any, ProjectionShape>
/** The rows of a projection. */
export type RowOf<P> = P extends Projection<string, infer Row, any, any> ? Row : never

/** The key under which a projection of one state keeps it. */
export const singleKey = 'state'

type Key = (event: RecordedEvent) => string | readonly string[] | undefined

/** What a definition is made of. */
interface Parts {
  readonly name: string
  readonly initial: () => any
  readonly folds: ReadonlyMap<Family, Fold>
  readonly key: Key
  readonly shape: ProjectionShape
  readonly policy: Required<FailurePolicy>
  readonly rowRevision: number
}

/** A projection without events yet. */
export function projectionOf<Name extends string, Row>(name: Name, initial: () => Row): Projection<Name, Row, never> {
  checkId('the name of a projection', name)
  if (typeof initial !== 'function') invalid(name, 'its initial row must be a function')
  const policy = { ...policyDefault, retries: 0 }
  const key = (event: RecordedEvent) => event.stream.id
  return build({ name, initial, folds: new Map(), key, shape: 'rows', policy, rowRevision: 1 })
}

function build(parts: Parts): any {
  const { name, initial, folds, key, shape, policy, rowRevision } = parts
  return Object.freeze({
    ...{ name, initial, folds, key, shape, policy, rowRevision },
    keysOf: (event: RecordedEvent) => listed(key(event)),
    on(kind: AnyEventKind, evolve: Fold['evolve']) {
      if (folds.has(kind.family)) invalid(name, `it has two .on for the event ${kind.type}`)
      if (typeof evolve !== 'function') invalid(name, `its .on for the event ${kind.type} has no function`)
      return build({ ...parts, folds: new Map(folds).set(kind.family, { kind, evolve }) })
    },
    by: (next: Key) => build({ ...parts, key: next, shape: 'rows' }),
    single: () => build({ ...parts, key: () => singleKey, shape: 'state' }),
    onFailure: (changes: FailurePolicy) => build({ ...parts, policy: changedPolicy(policy, changes) }),
    revision(next: number) {
      checkWhole('revision', next ?? null, 1)
      return build({ ...parts, rowRevision: next })
    },
    evolve(row: unknown, event: NewEvent) {
      const fold = foldOf(folds, event)
      return fold === undefined ? row : fold.evolve(row === undefined ? initial() : row, event.data, event)
    },
  })
}

function foldOf(folds: ReadonlyMap<Family, Fold>, event: NewEvent): Fold | undefined {
  for (const [family, fold] of folds) if (family.includes(event)) return fold
  return undefined
}

/** Keys as a list, each once. */
export function listed(keys: ReturnType<Key>): readonly string[] {
  if (keys === undefined) return []
  return typeof keys === 'string' ? [keys] : [...new Set(keys)]
}

export function invalid(projection: string, reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where: `The projection ${projection}`, reason })
}
