/** A read model as the same fold that an aggregate is, keyed by row instead of by stream. Pure; it runs on any store. */
import type { Fold, Foreign } from './aggregate.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, DataOf, EventOf, NewEvent, RecordedEvent } from './event.ts'
import { checkId } from './stream.ts'

/** A definition of a projection: immutable and free of I/O. */
export interface Projection<Name extends string, Row, Kinds> {
  readonly name: Name
  readonly folds: ReadonlyMap<string, Fold>

  /** Says how a kind of event changes its row. A row that is not there yet starts as the initial one. */
  on<Kind extends AnyEventKind, Returned extends Row>(
    kind: Kind,
    evolve: (
      row: Row,
      data: DataOf<Kind>,
      event: EventOf<Kind>,
    ) => [Foreign<Returned, Row>] extends [never] ? Returned : `${Foreign<Returned, Row> & string} is not in the row`,
  ): Projection<Name, Row, Kinds | Kind>

  /** Chooses the row that an event belongs to, or none by `undefined`. The stream's id by default. */
  by(key: (event: EventOf<Kinds>) => string | undefined): Projection<Name, Row, Kinds>

  /** A row before its first event. */
  initial(): Row
  /** A row after an event. */
  evolve(row: Row, event: EventOf<Kinds>): Row
  /** The key of the row that an event belongs to. */
  keyOf(event: RecordedEvent): string | undefined
}

export type AnyProjection = Projection<string, any, any>
/** The rows of a projection. */
export type RowOf<P> = P extends Projection<string, infer Row, any> ? Row : never

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
  return build(name, initial, new Map(), (event) => event.stream.id)
}

function build(
  name: string,
  initial: () => any,
  folds: ReadonlyMap<string, Fold>,
  keyOf: (event: RecordedEvent) => string | undefined,
): any {
  return Object.freeze({
    name,
    initial,
    folds,
    keyOf,
    on(kind: AnyEventKind, evolve: Fold['evolve']) {
      if (folds.has(kind.type)) {
        const reason = `it has two .on for the event ${kind.type}`
        throw new DefinitionError('DEFINITION_INVALID', { where: `The projection ${name}`, reason })
      }
      return build(name, initial, new Map(folds).set(kind.type, { kind, evolve }), keyOf)
    },
    by: (next: typeof keyOf) => build(name, initial, folds, next),
    evolve: (row: unknown, event: NewEvent) => folds.get(event.type)?.evolve(row, event.data, event) ?? row,
  })
}
