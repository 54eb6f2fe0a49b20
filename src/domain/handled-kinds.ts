/**
 * The events that a projection or a reaction handles: those of the aggregates in its domain that declare its kinds. An
 * event of the same type does not count if it belongs to another aggregate, or to another program in the same log.
 */
import type { AnyAggregate } from './aggregate.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, NewEvent, Revision } from './event.ts'
import type { StreamId } from './stream.ts'

/** The handler of one kind of event. */
interface Handler {
  readonly kind: AnyEventKind
}

/** The parts of an event that decide who handles it. */
type Placed = Pick<NewEvent, 'type'> & { readonly stream: StreamId }

export class HandledKinds<H extends Handler> {
  /** By aggregate, then by type. */
  readonly #handlers = new Map<string, Map<string, H>>()
  /** The filters for the store. Its answer contains all handled events, and perhaps others. */
  readonly filters: { readonly types: readonly string[]; readonly aggregates: readonly string[] }
  /** The types of all events that each aggregate of the domain declares, handled or not. */
  readonly declared: Readonly<Record<string, readonly string[]>>
  /** Whether the answer contains no others. */
  readonly #isExact: boolean

  /**
   * @param where who handles the events, such as `The projection balances`
   * @throws DefinitionError `DEFINITION_INVALID` for a kind that no aggregate declares, or whose revisions do not fit
   *   those of the aggregate
   */
  constructor(where: string, handlers: Iterable<H>, aggregates: readonly AnyAggregate[]) {
    const types = new Set<string>()
    this.declared = Object.fromEntries(aggregates.map(({ name, folds }) => [name, [...folds.keys()]]))
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

  /** The handlers by aggregate, one for each kind. */
  entries(): readonly (readonly [aggregate: string, handler: H])[] {
    return [...this.#handlers].flatMap(([aggregate, byType]) =>
      Array.from(byType.values(), (handler) => [aggregate, handler] as const),
    )
  }

  /** The handler of an event; `undefined` if it is not handled. */
  of({ type, stream }: Placed): H | undefined {
    return this.#handlers.get(stream.aggregate)?.get(type)
  }

  /** The handled events among those that the store returned for the filters. */
  among<Event extends Placed>(events: readonly Event[]): readonly Event[] {
    return this.#isExact ? events : events.filter((event) => this.of(event) !== undefined)
  }
}

function undeclared(where: string, { type }: AnyEventKind, aggregates: readonly AnyAggregate[]): DefinitionError {
  const others = aggregates.filter(({ folds }) => folds.has(type)).map(({ name }) => name)
  const reason =
    others.length === 0
      ? `it handles the event ${type}, which no aggregate of the domain declares with .on`
      : `it handles the event ${type}, but ${others.join(' and ')} declares another kind of that name: use the same constant in both`
  return new DefinitionError('DEFINITION_INVALID', { where, reason })
}

/** A handler may know newer revisions than the aggregate stores, but not different ones. */
function checkShapes(where: string, handled: AnyEventKind, aggregate: string, stored: AnyEventKind): void {
  const isSame = (revision: Revision, i: number) => revision === handled.revisions[i]
  if (stored.revisions.every(isSame)) return
  const [known, made] = [handled.revisions.length, stored.revisions.length]
  const reason =
    known < made && handled.revisions.every((revision, i) => revision === stored.revisions[i])
      ? `it knows the event ${handled.type} up to revision ${known}, but ${aggregate} stores revision ${made}: use the newest kind`
      : `it knows other revisions of the event ${handled.type} than ${aggregate}: use the same constant in both`
  throw new DefinitionError('DEFINITION_INVALID', { where, reason })
}
