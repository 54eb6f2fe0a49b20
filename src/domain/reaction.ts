/**
 * A reaction acts when events happen: it is a process manager or a policy. It handles each event at least once. The ids
 * of its commands are made from the position of the event, so handling an event again has no second effect.
 */
import type { AnyAggregate } from './aggregate.ts'
import type { AcceptedBy, CommandBy, CommandNameIn, Named, NameIn, RejectedBy } from './command.ts'
import { DefinitionError } from './error.ts'
import type { AnyEventKind, EventOf, Family, RecordedEvent } from './event.ts'
import { changedPolicy, type FailurePolicy, policyDefault } from './failure-policy.ts'
import { checkId } from './id.ts'
import { checkKeys, checkOption } from './options.ts'

const concurrencyMax = 1000

/** When a scheduled command is due: at a time, or some time after the event happened. */
export type Due = Date | { readonly afterMs: number }

/**
 * Where a reaction begins that has never run: at the first event of the log, behind the last one, or at a position.
 * With a date, it gets only events that were recorded then or later.
 */
export type Beginning = 'first' | 'now' | number | Date

/** Options of a scheduled command. */
export interface ScheduleOptions {
  /**
   * A key by which it can be moved or cancelled. The reaction has at most one scheduled command for each key:
   * scheduling another one replaces the one that waits.
   */
  readonly key?: string
}

/** What a step gets. */
export interface StepTools {
  /**
   * The same whenever this step is done for this event. Give it to the other side as its idempotency key, because a
   * process may die between the step and the storing of its result.
   */
  readonly id: string
  /** Aborted when the step's time is over, or when the handler has to give up. */
  readonly signal: AbortSignal
}

/** Does something outside of Mneme. */
export type Step<Result> = (tools: StepTools) => Promise<Result> | Result

export interface StepOptions {
  /** How long one try may take. By default as long as it wants. */
  readonly timeoutMs?: number
  /**
   * How often a step that fails is tried again before the handler gets its error. 0 by default: then the event is
   * handled again, as the reaction's policy says. The pauses are those of the policy.
   */
  readonly retries?: number
}

/** What a reaction can do. */
export interface ReactionTools<A, State = undefined> {
  /**
   * Sends a command and returns its outcome, which may be a rejection. Its id is made from the reaction, the event and
   * the command's name. If the handler runs again after a crash, it sends the same command and gets the same answer.
   * The command gets the `correlationId` of the event, its trace context, and what the domain's `carry` names. Its
   * `causationId` is the id of the command that made the event.
   */
  dispatch<const Name extends NameIn<A>, const CommandName extends CommandNameIn<A, Name>>(
    command: Named<Name, CommandName> & CommandBy<A, Name, CommandName>,
  ): Promise<AcceptedBy<A, Name> | RejectedBy<A, Name, CommandName>>
  /**
   * Schedules a command. It is sent once, when it is due, also after a restart. It is stored together with the
   * checkpoint, so an event that fails schedules nothing.
   *
   *     schedule({ aggregate: 'order', id, name: 'expire', data: {} }, { afterMs: 3_600_000 }, { key: id })
   */
  schedule<const Name extends NameIn<A>, const CommandName extends CommandNameIn<A, Name>>(
    command: Named<Name, CommandName> & CommandBy<A, Name, CommandName>,
    due: Due,
    options?: ScheduleOptions,
  ): void
  /**
   * Cancels the scheduled command with a key. If there is none, because it was sent or never scheduled, nothing
   * happens. Like scheduling, it takes effect when the event is handled.
   */
  cancel(key: string): void
  /**
   * Does something outside of Mneme, and stores its result until the event is handled. If the handler runs again, also
   * in another process, it gets the stored result, and `run` is not called again. What `run` returns is stored as JSON,
   * so Dates, Maps, Sets and bigints come back, and instances of classes do not.
   *
   *     const paid = await step('charge', ({ id, signal }) => gateway.charge(order, { idempotencyKey: id, signal }))
   *
   * @param name tells the steps of a handler apart; the second one of a name is another step than the first
   * @throws what `run` throws; ProjectionError `STEP_TIMED_OUT`; InputError `DATA_NOT_JSON` for a result that cannot be
   *   stored
   */
  step<Result>(name: string, run: Step<Result>, options?: StepOptions): Promise<Result>
  /** The state stored under the event's key; the initial state if none is stored. */
  readonly state: State
  /**
   * Changes the state; `undefined` deletes it. It is stored together with the checkpoint, so an event that fails
   * changes nothing.
   */
  setState(next: State | undefined): void
  /**
   * Aborted when the domain stops, another process takes over, or an earlier event cannot be handled now. Give up then:
   * the event is handled again later.
   */
  readonly signal: AbortSignal
}

/** The state of a reaction: how it begins, and under which key it is stored. */
export interface Memory {
  readonly initial: () => unknown
  readonly key: (event: RecordedEvent) => string
}

/** Options of a reaction. */
export interface ReactionOptions {
  /**
   * How many events are handled at once. 1 by default, so that all are handled in the order of the log. With more,
   * events of one stream are still handled in order. If the reaction has states, the same holds for events that share a
   * state.
   */
  readonly concurrency?: number
}

/** The handler of one kind of event. */
export interface EventHandler {
  readonly kind: AnyEventKind
  readonly handle: (event: any, tools: any) => unknown
}

/** A definition of a reaction: immutable. */
export interface Reaction<Name extends string, A, State = undefined, Kinds = any> {
  readonly name: Name
  /** The aggregates that it sends commands to, as given to `reaction`. */
  readonly aggregates: A
  readonly handlings: ReadonlyMap<Family, EventHandler>
  readonly policy: Required<FailurePolicy>
  readonly memory: Memory | undefined
  /** How many events are handled at once. */
  readonly concurrency: number
  /** Where it begins when a domain with it is started for the first time. */
  readonly beginning: Beginning
  /**
   * Sets where it begins: `'first'` by default, so it handles **the whole log**, also what happened years ago. `'now'`
   * begins behind the last event that is in the log when a domain with this reaction is started for the first time.
   * That is stored before `start` returns, so nothing that happens afterwards is left out. Later starts continue where
   * it was; `bank.reactions.reset` moves it.
   *
   *     reaction('welcome mail').from('now').on(Opened, ({ data }) => sendMail(data.email))
   *
   * With a date, events that were recorded before it are passed over, by the clocks of the processes that wrote them.
   * It holds for as long as it is in the definition.
   *
   * @throws DefinitionError `OPTION_INVALID`
   */
  from(beginning: Beginning): Reaction<Name, A, State, Kinds>
  /**
   * Gives it a state for each key, by default for each stream's id. Call it before `on`.
   *
   *     reaction('retries', { order: Order }).state(() => ({ tries: 0 }), (event) => event.stream.id)
   */
  state<State>(initial: () => State, key?: (event: RecordedEvent) => string): Reaction<Name, A, State, Kinds>
  /** Sets the handler of a kind of event. It gets events of the aggregates that declare this kind. */
  on<Kind extends AnyEventKind>(
    kind: Kind,
    handle: (event: EventOf<Kind>, tools: ReactionTools<A, State>) => Promise<void> | void,
  ): Reaction<Name, A, State, Kinds | Kind>
  /**
   * Sets what happens when a handler throws. Later events queue behind a parked one with the same key: the key of its
   * state, or its stream.
   */
  onFailure(policy: FailurePolicy): Reaction<Name, A, State, Kinds>
}

export type AnyReaction = Reaction<string, any, any>

/**
 * Begins the definition of a reaction. `aggregates` are those that it sends commands to; they give the commands their
 * types.
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
>(name: Name, aggregates?: A, options: ReactionOptions = {}): Reaction<Name, A, undefined, never> {
  checkId('the name of a reaction', name)
  checkKeys(`reaction(${JSON.stringify(name)}, aggregates, options)`, options, ['concurrency'])
  const { concurrency = 1 } = options
  const isGood = (found: number) => Number.isSafeInteger(found) && found >= 1 && found <= concurrencyMax
  checkOption('concurrency', concurrency, isGood, `a whole number from 1 to ${concurrencyMax}`)
  return build({
    name,
    aggregates: aggregates ?? {},
    handlings: new Map(),
    policy: policyDefault,
    memory: undefined,
    concurrency,
    beginning: 'first',
  })
}

type Parts = Pick<AnyReaction, 'name' | 'aggregates' | 'handlings' | 'policy' | 'memory' | 'concurrency' | 'beginning'>

function build(parts: Parts): any {
  const { name, handlings, policy } = parts
  return Object.freeze({
    ...parts,
    from(beginning: Beginning) {
      checkOption('from', beginning ?? null, isBeginning, "'first', 'now', a position from 1, or a valid Date")
      return build({ ...parts, beginning: beginning instanceof Date ? new Date(beginning) : beginning })
    },
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

function isBeginning(found: unknown): boolean {
  if (found instanceof Date) return Number.isFinite(found.getTime())
  return found === 'first' || found === 'now' || (Number.isSafeInteger(found) && Number(found) >= 1)
}

function invalid(reaction: string, reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where: `The reaction ${reaction}`, reason })
}
