/** A read model as the same fold that an aggregate is, keyed by row instead of by stream. Pure; it runs on any store. */
import type { Fold, Foreign } from './aggregate.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, DataOf, EventOf, NewEvent, RecordedEvent } from './event.ts'
import { checkId } from './stream.ts'

/** Whether a projection has rows by key, or is one state. */
export type ProjectionShape = 'rows' | 'state'

/** A definition of a projection: immutable and free of I/O. */
export interface Projection<Name extends string, Row, Kinds, Shape extends ProjectionShape = 'rows'> {
  readonly name: Name
  readonly folds: ReadonlyMap<string, Fold>

  /**
   * Says how a kind of event changes its row. A row that is not there yet starts as the initial one; one for which
   * `undefined` is returned is deleted.
   */
  on<Kind extends AnyEventKind, Returned extends Row | undefined>(
    kind: Kind,
    evolve: (
      row: Row,
      data: DataOf<Kind>,
      event: EventOf<Kind>,
    ) => [Foreign<Returned, Row>] extends [never] ? Returned : `${Foreign<Returned, Row> & string} is not in the row`,
  ): Projection<Name, Row, Kinds | Kind, Shape>

  /** Chooses the row that an event belongs to, several by a list, or none by `undefined`. The stream's id by default. */
  by(key: (event: EventOf<Kinds>) => string | readonly string[] | undefined): Projection<Name, Row, Kinds>
  /**
   * Says what happens at an event that cannot be folded: 'stop' before it (the default), or 'skip' it with a warning. A fold is
   * pure, so trying again would not help.
   */
  onFailure(policy: { readonly giveUp: 'stop' | 'skip' }): Projection<Name, Row, Kinds, Shape>
  /** Makes it one state for the whole log, instead of rows. */
  single(): Projection<Name, Row, Kinds, 'state'>

  /** A row before its first event. */
  initial(): Row
  /** A row after an event; `undefined` is a row that is not there: before its first event, or deleted. */
  evolve(row: Row | undefined, event: EventOf<Kinds>): Row | undefined
  /** The keys of the rows that an event belongs to, each once. */
  keysOf(event: RecordedEvent): readonly string[]
  readonly shape: Shape
  readonly giveUp: 'stop' | 'skip'
}

export type AnyProjection = Projection<string, any, any, ProjectionShape>
/** The rows of a projection. */
export type RowOf<P> = P extends Projection<string, infer Row, any, any> ? Row : never

/** The key under which a projection of one state keeps it. */
export const singleKey = 'state'

/**
 * Begins the definition of a projection.
 *
 *     projection('balances', () => ({ balance: 0 }))
 *       .on(Deposited, (row, { amount }) => ({ balance: row.balance + amount }))
 *       .by((event) => event.stream.id)
 */
export function projection<const Name extends string, Row>(
  name: Name,
  initial: () => Row,
): Projection<Name, Row, never> {
  checkId('the name of a projection', name)
  if (typeof initial !== 'function') invalid(name, 'its initial row must be a function')
  return build({ name, initial, folds: new Map(), key: (event) => event.stream.id, shape: 'rows', giveUp: 'stop' })
}

type Key = (event: RecordedEvent) => string | readonly string[] | undefined

/** What a definition is made of. */
interface Parts {
  readonly name: string
  readonly initial: () => any
  readonly folds: ReadonlyMap<string, Fold>
  readonly key: Key
  readonly shape: ProjectionShape
  readonly giveUp: 'stop' | 'skip'
}

function build(parts: Parts): any {
  const { name, initial, folds, key, shape, giveUp } = parts
  return Object.freeze({
    ...{ name, initial, folds, shape, giveUp },
    keysOf(event: RecordedEvent): readonly string[] {
      const keys = key(event)
      if (keys === undefined) return []
      return typeof keys === 'string' ? [keys] : [...new Set(keys)]
    },
    on(kind: AnyEventKind, evolve: Fold['evolve']) {
      if (folds.has(kind.type)) invalid(name, `it has two .on for the event ${kind.type}`)
      if (typeof evolve !== 'function') invalid(name, `its .on for the event ${kind.type} has no function`)
      return build({ ...parts, folds: new Map(folds).set(kind.type, { kind, evolve }) })
    },
    by: (next: Key) => build({ ...parts, key: next, shape: 'rows' }),
    single: () => build({ ...parts, key: () => singleKey, shape: 'state' }),
    onFailure(policy: { readonly giveUp: 'stop' | 'skip' }) {
      const found = policy?.giveUp
      if (found !== 'stop' && found !== 'skip') {
        throw new DefinitionError('OPTION_INVALID', { option: 'giveUp', expected: "'stop' or 'skip'", found })
      }
      return build({ ...parts, giveUp: found })
    },
    evolve(row: unknown, event: NewEvent) {
      const fold = folds.get(event.type)
      return fold === undefined ? row : fold.evolve(row === undefined ? initial() : row, event.data, event)
    },
  })
}

function invalid(projection: string, reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where: `The projection ${projection}`, reason })
}
