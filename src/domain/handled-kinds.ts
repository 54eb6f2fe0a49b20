/**
 * Which events a projection or a reaction handles: those of the aggregates of its domain that declare its kinds. An
 * event of the same type that another aggregate declares, or somebody else's in the same log, is not among them.
 */
import type { AnyAggregate } from './aggregate.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, NewEvent, Revision } from './event.ts'
import type { StreamId } from './stream.ts'

/** Something that is done with events of one kind. */
interface Handler {
  readonly kind: AnyEventKind
}

/** What is looked at of an event. */
type Placed = Pick<NewEvent, 'type'> & { readonly stream: StreamId }

export class HandledKinds<H extends Handler> {
  /** By aggregate, then by type. */
  readonly #handlers = new Map<string, Map<string, H>>()
  /** What a store is asked for: all events that are handled are among these, and perhaps others. */
  readonly filters: { readonly types: readonly string[]; readonly aggregates: readonly string[] }
  /** Whether there are no others among them. */
  readonly #isExact: boolean

  /**
   * @param where what handles them, such as `The projection balances`
   * @throws DefinitionError `DEFINITION_INVALID` for a kind that no aggregate declares, or that is not of its
   *   aggregate's shapes
   */
  constructor(where: string, handlers: Iterable<H>, aggregates: readonly AnyAggregate[]) {
    const types = new Set<string>()
    for (const handler of handlers) {
      types.add(handler.kind.type)
      const declaring = aggregates.filter(
        ({ folds }) => folds.get(handler.kind.type)?.kind.family === handler.kind.family,
      )
      if (declaring.length === 0) throw undeclared(where, handler.kind, aggregates)
      for (const { name, folds } of declaring) {
        checkShapes(where, handler.kind, name, folds.get(handler.kind.type)!.kind)
        this.#add(name, handler)
      }
    }
    this.filters = { types: [...types], aggregates: [...this.#handlers.keys()] }
    this.#isExact = [...this.#handlers.values()].every((byType) => byType.size === types.size)
  }

  #add(aggregate: string, handler: H): void {
    const byType = this.#handlers.get(aggregate) ?? new Map<string, H>()
    this.#handlers.set(aggregate, byType.set(handler.kind.type, handler))
  }

  /** What handles which events: by the aggregate, once for each kind. */
  entries(): readonly (readonly [aggregate: string, handler: H])[] {
    return [...this.#handlers].flatMap(([aggregate, byType]) =>
      Array.from(byType.values(), (handler) => [aggregate, handler] as const),
    )
  }

  /** What handles an event; undefined if it is not handled. */
  of({ type, stream }: Placed): H | undefined {
    return this.#handlers.get(stream.aggregate)?.get(type)
  }

  /** The events that are handled, of those that a store gave for the filters. */
  among<Event extends Placed>(events: readonly Event[]): readonly Event[] {
    return this.#isExact ? events : events.filter((event) => this.of(event) !== undefined)
  }
}

function undeclared(where: string, { type }: AnyEventKind, aggregates: readonly AnyAggregate[]): DefinitionError {
  const others = aggregates.filter(({ folds }) => folds.has(type)).map(({ name }) => name)
  const reason =
    others.length === 0
      ? `it handles the event ${type}, which no aggregate of the domain declares with .on`
      : `it handles the event ${type}, of which ${others.join(' and ')} declares another kind: use the same constant in both`
  return new DefinitionError('DEFINITION_INVALID', { where, reason })
}

/** A handler may know later shapes than the aggregate stores, and none that are others. */
function checkShapes(where: string, handled: AnyEventKind, aggregate: string, stored: AnyEventKind): void {
  const isSame = (revision: Revision, i: number) => revision === handled.revisions[i]
  if (stored.revisions.every(isSame)) return
  const [known, made] = [handled.revisions.length, stored.revisions.length]
  const reason =
    known < made && handled.revisions.every((revision, i) => revision === stored.revisions[i])
      ? `it knows revision ${known} of the event ${handled.type}, and ${aggregate} stores revision ${made}: use the newest kind`
      : `it knows other revisions of the event ${handled.type} than ${aggregate}: use the same constant in both`
  throw new DefinitionError('DEFINITION_INVALID', { where, reason })
}
