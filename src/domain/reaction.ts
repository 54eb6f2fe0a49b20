/**
 * A reaction does things when events happen: a process manager, a policy. It handles each event at least once; the commands
 * that it sends have ids that follow from the event's place, so that handling an event again has no second effect.
 */
import type { AnyAggregate } from './aggregate.ts'
import type { AcceptedBy, CommandOf, RefusedBy } from './command.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, EventOf } from './event.ts'
import { checkId } from './stream.ts'

/** When a scheduled command is due: at a time, or so long after the event happened. */
export type Due = Date | { readonly afterMs: number }

/** What a reaction can do. */
export interface ReactionTools<A> {
  /**
   * Sends a command and answers with its outcome; a rejection is an outcome too. Its id follows from the reaction, the event and the
   * command's name: a handler that runs again after a crash sends the same command, and gets the same answer. The event's
   * `correlationId` goes on, the id of the command that made it becomes the `causationId`.
   */
  dispatch<const C extends CommandOf<A>>(command: C): Promise<AcceptedBy<A, C> | RefusedBy<A, C>>
  /**
   * Keeps a command to be sent when it is due: once, and also after a restart. It is kept together with the checkpoint, so an event
   * that fails schedules nothing.
   */
  schedule<const C extends CommandOf<A>>(command: C, due: Due): void
  /** Aborted when the domain stops: give up waiting, the event is handled again. */
  readonly signal: AbortSignal
}

/** What happens when a handler throws. */
export interface FailurePolicy {
  /** How often it is tried again: 10 times by default. */
  readonly retries?: number
  /** The pause before the first retry; it doubles each time. 100 by default. */
  readonly firstMs?: number
  /** The longest pause between retries. 10,000 by default. */
  readonly maxMs?: number
  /** And then: 'stop' before the event (the default), or 'skip' it with a warning. */
  readonly giveUp?: 'stop' | 'skip'
}

/** How one kind of event is handled. */
export interface Handling {
  readonly kind: AnyEventKind
  readonly handle: (event: any, tools: any) => unknown
}

/** A definition of a reaction: immutable. */
export interface Reaction<Name extends string, A> {
  readonly name: Name
  readonly handlings: ReadonlyMap<string, Handling>
  readonly policy: Required<FailurePolicy>
  /** Says what to do when a kind of event has happened. */
  on<Kind extends AnyEventKind>(
    kind: Kind,
    handle: (event: EventOf<Kind>, tools: ReactionTools<A>) => Promise<void> | void,
  ): Reaction<Name, A>
  /** Says what to do when a handler throws. */
  onFailure(policy: FailurePolicy): Reaction<Name, A>
}

export type AnyReaction = Reaction<string, any>

const policyDefault: Required<FailurePolicy> = Object.freeze({
  retries: 10,
  firstMs: 100,
  maxMs: 10_000,
  giveUp: 'stop',
})

/**
 * Begins the definition of a reaction. The aggregates that it sends commands to give those their types.
 *
 *     reaction('welcome', { account: Account }).on(Opened, async ({ stream }, { dispatch }) => {
 *       await dispatch({ aggregate: 'account', id: stream.id, name: 'deposit', data: { amount: 10 } })
 *     })
 */
export function reaction<
  const Name extends string,
  A extends Record<string, AnyAggregate> = Record<string, AnyAggregate>,
>(name: Name, _aggregates?: A): Reaction<Name, A> {
  checkId('the name of a reaction', name)
  return build(name, new Map(), policyDefault)
}

function build(name: string, handlings: ReadonlyMap<string, Handling>, policy: Required<FailurePolicy>): any {
  return Object.freeze({
    name,
    handlings,
    policy,
    on(kind: AnyEventKind, handle: Handling['handle']) {
      if (handlings.has(kind.type)) invalid(name, `it has two .on for the event ${kind.type}`)
      if (typeof handle !== 'function') invalid(name, `its .on for the event ${kind.type} has no function`)
      return build(name, new Map(handlings).set(kind.type, { kind, handle }), policy)
    },
    onFailure: (changed: FailurePolicy) => build(name, handlings, checkPolicy({ ...policy, ...changed })),
  })
}

function checkPolicy(policy: Required<FailurePolicy>): Required<FailurePolicy> {
  for (const option of ['retries', 'firstMs', 'maxMs'] as const) {
    const found = policy[option]
    if (Number.isSafeInteger(found) && found >= 0) continue
    throw new DefinitionError('OPTION_INVALID', { option, expected: 'a whole number from 0', found })
  }
  if (policy.giveUp !== 'stop' && policy.giveUp !== 'skip') {
    throw new DefinitionError('OPTION_INVALID', {
      option: 'giveUp',
      expected: "'stop' or 'skip'",
      found: policy.giveUp,
    })
  }
  return Object.freeze(policy)
}

function invalid(reaction: string, reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where: `The reaction ${reaction}`, reason })
}
