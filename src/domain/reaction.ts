/**
 * A reaction does things when events happen: a process manager, a policy. It handles each event at least once; the
 * commands that it sends have ids that follow from the event's place, so that handling an event again has no second
 * effect.
 */
import type { AnyAggregate } from './aggregate.ts'
import type { AcceptedBy, CommandOf, RejectedBy } from './command.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, EventOf, Family, RecordedEvent } from './event.ts'
import { changedPolicy, type FailurePolicy, policyDefault } from './failure-policy.ts'
import { checkId } from './id.ts'
import { checkKeys, checkOption } from './options.ts'

const concurrencyMax = 1000

/** When a scheduled command is due: at a time, or so long after the event happened. */
export type Due = Date | { readonly afterMs: number }

/** What a reaction can do. */
export interface ReactionTools<A, State = undefined> {
  /**
   * Sends a command and answers with its outcome; a rejection is an outcome too. Its id follows from the reaction, the
   * event and the command's name: a handler that runs again after a crash sends the same command, and gets the same
   * answer. The event's `correlationId` goes on, the id of the command that made it becomes the `causationId`.
   */
  dispatch<const C extends CommandOf<A>>(command: C): Promise<AcceptedBy<A, C> | RejectedBy<A, C>>
  /**
   * Keeps a command to be sent when it is due: once, and also after a restart. It is kept together with the checkpoint,
   * so an event that fails schedules nothing.
   */
  schedule<const C extends CommandOf<A>>(command: C, due: Due): void
  /** What the reaction remembers under the event's key: the initial state before it was set. */
  readonly state: State
  /**
   * Changes it; `undefined` forgets it. It is kept together with the checkpoint, so an event that fails changes
   * nothing.
   */
  setState(next: State | undefined): void
  /**
   * Aborted when the domain stops, another process has taken over, or an event before this one cannot be handled now:
   * give up waiting, the event is handled again.
   */
  readonly signal: AbortSignal
}

/** What a reaction remembers: from what, and under which key. */
export interface Memory {
  readonly initial: () => unknown
  readonly key: (event: RecordedEvent) => string
}

/** How a reaction is run. */
export interface ReactionOptions {
  /**
   * How many events are handled at once: 1 by default, so all of them in the order of the log. With more, events with
   * one key are still handled in their order: those of one stream, or those that share a state, if the reaction has
   * states.
   */
  readonly concurrency?: number
}

/** How one kind of event is handled. */
export interface EventHandler {
  readonly kind: AnyEventKind
  readonly handle: (event: any, tools: any) => unknown
}

/** A definition of a reaction: immutable. */
export interface Reaction<Name extends string, A, State = undefined> {
  readonly name: Name
  readonly handlings: ReadonlyMap<Family, EventHandler>
  readonly policy: Required<FailurePolicy>
  readonly memory: Memory | undefined
  /** How many events are handled at once. */
  readonly concurrency: number
  /**
   * Gives it a state of its own, one for each key: the stream's id by default. To be said before `on`.
   *
   *     reaction('retries', { order: Order }).state(() => ({ tries: 0 }), (event) => event.stream.id)
   */
  state<State>(initial: () => State, key?: (event: RecordedEvent) => string): Reaction<Name, A, State>
  /** Says what to do when a kind of event has happened, in an aggregate that declares it. */
  on<Kind extends AnyEventKind>(
    kind: Kind,
    handle: (event: EventOf<Kind>, tools: ReactionTools<A, State>) => Promise<void> | void,
  ): Reaction<Name, A, State>
  /**
   * Says what happens when a handler throws. Events queue behind a parked one with the same key: that of its state, or
   * its stream.
   */
  onFailure(policy: FailurePolicy): Reaction<Name, A, State>
}

export type AnyReaction = Reaction<string, any, any>

/**
 * Begins the definition of a reaction. The aggregates that it sends commands to give those their types.
 *
 *     reaction('welcome', { account: Account }).on(Opened, async ({ stream }, { dispatch }) => {
 *       await dispatch({ aggregate: 'account', id: stream.id, name: 'deposit', data: { amount: 10 } })
 *     })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function reaction<
  const Name extends string,
  A extends Record<string, AnyAggregate> = Record<string, AnyAggregate>,
>(name: Name, _aggregates?: A, options: ReactionOptions = {}): Reaction<Name, A> {
  checkId('the name of a reaction', name)
  checkKeys(`reaction(${JSON.stringify(name)}, aggregates, options)`, options, ['concurrency'])
  const { concurrency = 1 } = options
  const isGood = (found: number) => Number.isSafeInteger(found) && found >= 1 && found <= concurrencyMax
  checkOption('concurrency', concurrency, isGood, `a whole number from 1 to ${concurrencyMax}`)
  return build({ name, handlings: new Map(), policy: policyDefault, memory: undefined, concurrency })
}

type Parts = Pick<AnyReaction, 'name' | 'handlings' | 'policy' | 'memory' | 'concurrency'>

function build(parts: Parts): any {
  const { name, handlings, policy } = parts
  return Object.freeze({
    ...parts,
    state(initial: Memory['initial'], key: Memory['key'] = (event) => event.stream.id) {
      if (typeof initial !== 'function') invalid(name, 'its initial state must be a function')
      if (typeof key !== 'function') invalid(name, 'the key of its state must be a function')
      return build({ ...parts, memory: { initial, key } })
    },
    on(kind: AnyEventKind, handle: EventHandler['handle']) {
      if (handlings.has(kind.family)) invalid(name, `it has two .on for the event ${kind.type}`)
      if (typeof handle !== 'function') invalid(name, `its .on for the event ${kind.type} has no function`)
      return build({ ...parts, handlings: new Map(handlings).set(kind.family, { kind, handle }) })
    },
    onFailure: (changes: FailurePolicy) => build({ ...parts, policy: changedPolicy(policy, changes) }),
  })
}

function invalid(reaction: string, reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where: `The reaction ${reaction}`, reason })
}
