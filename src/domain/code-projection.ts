/**
 * A projection as code: a handler writes its own tables, instead of rows that Mneme stores. In a store with SQL, the
 * handler's statements and the checkpoint are one transaction, so each event is handled exactly once. In other stores,
 * each event is handled at least once.
 */
import type { AnyEventKind, EventOf, RecordedEvent } from './event.ts'
import { changedPolicy, type FailurePolicy, policyDefault } from './failure-policy.ts'
import { checkId } from './id.ts'
import { invalid, listed, type Projection, projectionOf } from './projection.ts'
import type { SqlTransaction } from './sql-transaction.ts'

/** What a handler gets besides its events. */
export interface HandlerTools {
  /**
   * The transaction that also saves the checkpoint. It ends when the handler ends. Do not send commands from the
   * handler: on SQLite they would wait for this transaction.
   *
   * @throws ProjectionError `TRANSACTION_MISSING` if the store has no SQL. Write elsewhere then, so that doing it twice
   *   changes nothing.
   */
  readonly transaction: SqlTransaction
  /** Aborted when the domain stops. Give up then: the events are handled again later. */
  readonly signal: AbortSignal
}

/** A definition of a projection as code: immutable. */
export interface CodeProjection<Name extends string, Kinds> {
  readonly name: Name
  readonly shape: 'code'
  /** The kinds of events that it handles. */
  readonly kinds: readonly AnyEventKind[]
  readonly handler: (events: readonly any[], tools: HandlerTools) => Promise<unknown> | unknown
  readonly preparation: ((tools: HandlerTools) => Promise<unknown> | unknown) | undefined
  readonly policy: Required<FailurePolicy>
  /**
   * Sets a function that runs in its own transaction each time before the projection starts, for instance to create
   * tables.
   *
   *     .prepare(({ transaction }) => transaction.query('CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, amount INTEGER)'))
   */
  prepare(preparation: (tools: HandlerTools) => Promise<unknown> | unknown): CodeProjection<Name, Kinds>
  /** Chooses the keys of an event. Events queue behind a parked one with the same key. The stream by default. */
  by(key: (event: EventOf<Kinds>) => string | readonly string[] | undefined): CodeProjection<Name, Kinds>
  /** Sets what happens when the handler throws. */
  onFailure(policy: FailurePolicy): CodeProjection<Name, Kinds>
  /** The keys of an event. It waits if an event with the same key is parked. */
  keysOf(event: RecordedEvent): readonly string[]
}

export type AnyCodeProjection = CodeProjection<string, any>

/** A projection that has only a name so far. */
export interface ProjectionName<Name extends string> {
  /**
   * Sets the handler. It gets the events in the order of the log, many at once if many are waiting.
   *
   *     projection('payments').handle([Paid], async (events, { transaction }) => {
   *       for (const { data } of events) await transaction.query('INSERT INTO payments VALUES (?, ?)', [data.id, data.amount])
   *     })
   */
  handle<Kind extends AnyEventKind>(
    kinds: readonly Kind[],
    handler: (events: readonly EventOf<Kind>[], tools: HandlerTools) => Promise<unknown> | unknown,
  ): CodeProjection<Name, Kind>
}

/**
 * Begins the definition of a projection. With an initial row it has rows; without one it is a projection as code.
 *
 *     projection('balances', () => ({ balance: 0 }))
 *       .on(Deposited, (row, { amount }) => ({ balance: row.balance + amount }))
 *       .by((event) => event.stream.id)
 */
export function projection<const Name extends string, Row>(name: Name, initial: () => Row): Projection<Name, Row, never>
export function projection<const Name extends string>(name: Name): ProjectionName<Name>
export function projection(name: string, ...rest: readonly (() => unknown)[]): unknown {
  if (rest.length > 1)
    invalid(String(name), 'it takes only a name and an initial row; set the rest with methods, such as .revision(2)')
  if (rest.length > 0) return projectionOf(name, rest[0]!)
  checkId('the name of a projection', name)
  return Object.freeze({
    handle(kinds: readonly AnyEventKind[], handler: AnyCodeProjection['handler']) {
      if (!Array.isArray(kinds) || kinds.length === 0) invalid(name, 'its .handle needs a list of kinds of events')
      if (typeof handler !== 'function') invalid(name, 'its .handle has no function')
      const families = new Set(kinds.map(({ family }) => family))
      if (families.size < kinds.length) invalid(name, 'its .handle has a kind of event twice')
      return build({
        name,
        kinds: Object.freeze([...kinds]),
        handler,
        preparation: undefined,
        policy: policyDefault,
        key: streamKey,
      })
    },
  })
}

/** The parts of a definition. */
interface Parts extends Pick<AnyCodeProjection, 'name' | 'kinds' | 'handler' | 'preparation' | 'policy'> {
  readonly key: (event: RecordedEvent) => string | readonly string[] | undefined
}

/** A stream as one string. It is a list in JSON, so that no two streams look the same. */
export const streamKey = ({ stream }: Pick<RecordedEvent, 'stream'>): string =>
  JSON.stringify([stream.aggregate, stream.id])

function build(parts: Parts): AnyCodeProjection {
  const { name, kinds, handler, preparation, policy, key } = parts
  return Object.freeze({
    name,
    shape: 'code' as const,
    kinds,
    handler,
    preparation,
    policy,
    prepare(next: NonNullable<AnyCodeProjection['preparation']>) {
      if (typeof next !== 'function') invalid(name, 'its .prepare has no function')
      return build({ ...parts, preparation: next })
    },
    by: (next: Parts['key']) => build({ ...parts, key: next }),
    onFailure: (changes: FailurePolicy) => build({ ...parts, policy: changedPolicy(policy, changes) }),
    keysOf: (event: RecordedEvent) => listed(key(event)),
  })
}
