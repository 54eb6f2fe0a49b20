/**
 * Given, when, then for a reaction: an event happens or time goes by, and the reaction dispatches, schedules and keeps
 * a state. The commands go nowhere; they get the answers that the test says. They are checked as a running domain
 * checks them. It leaves out retries, parking and several processes: a handler that fails has failed.
 *
 *     await spec(MoveMoney)
 *       .answers({ account: { withdraw: reject('InsufficientFunds', { balance: 0, requested: 5 }) } })
 *       .when(on('t1', Requested({ from: 'ada', to: 'bob', amount: 5 })))
 *       .dispatches(withdraw, fail)
 *
 * An expectation is a promise: `await` it. If one that is not awaited fails, it ends the test run as an unhandled
 * rejection.
 */
import assert, { AssertionError } from 'node:assert/strict'
import type { AnyAggregate } from '../../domain/aggregate.ts'
import type { CommandOf } from '../../domain/command.ts'
import type { NewEvent, NewEventOf } from '../../domain/event.ts'
import { JsonCopier } from '../../domain/json.ts'
import { checkOption, refuseOption } from '../../domain/options.ts'
import { unboxed } from '../../domain/personal-fields.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { AnyReaction, Due, Reaction } from '../../domain/reaction.ts'
import { momentOf } from '../../projection/stored/timer-row.ts'
import { asStored, compare, fail, shown } from './comparing.ts'
import { type Given, handlerOf, happenings, timeOf } from './history.ts'
import { type Played, play, type Scheduled, type Step } from './reaction-run.ts'
import { sealInSpec } from './spec-keys.ts'
import { type Answers, type Stubs, withAnswers } from './stubbed-answers.ts'

/** The commands that a reaction with these aggregates sends. Any command if it was defined without aggregates. */
type Sent<A> = string extends keyof A ? PlainCommand : CommandOf<A>

/** Expectations of what happened when time went by. Each fails with an AssertionError, also if a command failed. */
export interface TimerExpectation<A> {
  /**
   * Exactly these commands were dispatched, in this order. A part that an expected command leaves out (`commandId`,
   * `metadata`, `tags`, an entry of `metadata`) is not compared.
   */
  dispatches(...commands: Sent<A>[]): this & PromiseLike<void>
  /** No command was dispatched. */
  dispatchesNothing(): this & PromiseLike<void>
  /**
   * It failed. `expected` is what `assert.throws` takes: a class, a pattern, an object with properties, or a function.
   */
  fails(expected?: RegExp | object | (new (...args: never[]) => Error)): PromiseLike<void>
}

/**
 * Expectations of what the reaction did with an event. Each fails with an AssertionError, also if the handler failed.
 */
export interface ReactionExpectation<A, State> extends TimerExpectation<A> {
  /** Exactly these commands were scheduled, in this order, each with the time when it is due. */
  schedules(...scheduled: (readonly [command: Sent<A>, due: Due])[]): this & PromiseLike<void>
  /** No command was scheduled. */
  schedulesNothing(): this & PromiseLike<void>
  /** The state stored under the event's key equals this: the initial state if none is stored. */
  leaves(state: State): this & PromiseLike<void>
}

/** A history of a reaction, on which events can be tried. Immutable: each method returns a new object. */
export interface ReactionSpec<A, State, Kinds> {
  /** Adds events to the history. The reaction handles them, and keeps its states and scheduled commands. */
  given(...events: Given<NewEventOf<Kinds>>[]): ReactionSpec<A, State, Kinds>
  /** Sets the time of what follows. By default the beginning of 1970. Commands that are due by then are sent. */
  at(now: Date | string): ReactionSpec<A, State, Kinds>
  /** Sets what commands answer from here on. By default they are accepted, with no events. */
  answers(answers: Answers<A>): ReactionSpec<A, State, Kinds>
  /** One more event happens. */
  when(event: Given<NewEventOf<Kinds>>): ReactionExpectation<A, State>
  /** Time goes by, and scheduled commands that are due are sent. */
  advance(durationMs: number): TimerExpectation<A>
}

interface History {
  readonly reaction: AnyReaction
  readonly steps: readonly Step[]
  readonly stubs: Stubs
}

/** Begins a test of a reaction, with no history. */
export function reactionSpec<A, State, Kinds>(
  reaction: Reaction<string, A, State, Kinds>,
): ReactionSpec<A, State, Kinds> {
  return specOf({ reaction, steps: [], stubs: {} })
}

function specOf(history: History): ReactionSpec<any, any, any> {
  const { reaction, steps, stubs } = history
  const and = (...more: readonly Step[]) => ({ ...history, steps: [...steps, ...more] })
  const aggregates = Object.values<AnyAggregate>(reaction.aggregates)
  return Object.freeze({
    given: (...events: Given<NewEvent>[]) => specOf(and(...handled(reaction, events))),
    at: (now: Date | string) => specOf(and({ nowMs: timeOf(now) })),
    answers(given: object) {
      const answers = withAnswers(stubs, given as Stubs, aggregates)
      return specOf({ ...and({ answers }), stubs: answers })
    },
    when(given: Given<NewEvent>) {
      const events = handled(reaction, [given])
      if (events.length !== 1) refuseOption('event', 'one event: put those before it into given(...)', given)
      const { place, event } = events[0]!.happening
      const tried = `${reaction.name} on ${event.type}(${shown(event.data)}) of ${shown(place.id)}`
      return new Expectation(tried, play(reaction, and(...events).steps))
    },
    advance(durationMs: number) {
      const isGood = (found: unknown) => Number.isFinite(found) && (found as number) >= 0
      checkOption('durationMs', durationMs ?? null, isGood, 'a time in milliseconds')
      return new Expectation(
        `${reaction.name}, ${durationMs} ms later`,
        play(reaction, and({ afterMs: durationMs }).steps),
      )
    },
  })
}

/** Events as steps. @throws DefinitionError `OPTION_INVALID` */
const handled = (reaction: AnyReaction, given: readonly Given<NewEvent>[]) =>
  happenings(given).map((happening) => {
    handlerOf(`The reaction ${reaction.name}`, reaction.handlings, happening.event)
    return { happening }
  })

/** Expectations one after the other. Each waits for those before it. */
class Expectation implements ReactionExpectation<any, any> {
  readonly #tried: string
  readonly #played: Promise<Played>
  readonly #met: Promise<unknown>

  constructor(tried: string, played: Promise<Played>, met: Promise<unknown> = played) {
    this.#tried = tried
    this.#played = played
    this.#met = met
  }

  dispatches(...expected: PlainCommand[]): any {
    return this.#and(this.dispatches, ({ dispatched }, tried, from) => {
      const actual = dispatched.map((command, i) => comparable(command, expected[i]))
      compare(
        tried,
        'commands',
        actual,
        expected.map((command) => comparable(command, command)),
        from,
      )
    })
  }

  dispatchesNothing(): any {
    return this.#and(this.dispatchesNothing, ({ dispatched }, tried, from) => {
      const actual = dispatched.map((command) => comparable(command, undefined))
      if (actual.length > 0) fail(tried, 'no commands', `commands ${shown(actual)}`, from)
    })
  }

  schedules(...expected: (readonly [PlainCommand, Due])[]): any {
    return this.#and(this.schedules, ({ scheduled, nowMs }, tried, from) => {
      const actual = scheduled.map(({ command, dueAt }, i) => ({ dueAt, ...comparable(command, expected[i]?.[0]) }))
      const wanted = expected.map(([command, due]) => scheduledAs(command, due, nowMs))
      compare(tried, 'scheduled commands', actual, wanted, from)
    })
  }

  schedulesNothing(): any {
    return this.#and(this.schedulesNothing, ({ scheduled }, tried, from) => {
      const actual = scheduled.map(({ command, dueAt }) => ({ dueAt, ...comparable(command, undefined) }))
      if (actual.length > 0) fail(tried, 'no scheduled commands', `scheduled commands ${shown(actual)}`, from)
    })
  }

  leaves(expected: unknown): any {
    return this.#and(this.leaves, ({ state }, tried, from) =>
      compare(tried, 'the state', asStored(state), asStored(expected), from),
    )
  }

  fails(expected?: RegExp | object): any {
    return this.#then(this.fails, ({ failure, dispatched }, tried, from) => {
      if (failure === undefined) {
        const actual = dispatched.map((command) => comparable(command, undefined))
        fail(tried, 'a failure', actual.length === 0 ? 'no failure' : `no failure; commands ${shown(actual)}`, from)
      }
      const again = () => {
        throw failure.error
      }
      if (expected === undefined) assert.throws(again)
      else assert.throws(again, expected as Error)
    })
  }

  /** An expectation of something that has not failed. */
  #and(from: Function, check: (played: Played, tried: string, from: Function) => void): Expectation {
    return this.#then(from, (played, tried) => {
      if (played.failure === undefined) return check(played, tried, from)
      const { error } = played.failure
      try {
        fail(tried, 'no failure', `it failed: ${error}`, from)
      } catch (failed) {
        throw Object.assign(failed as Error, { cause: error })
      }
    })
  }

  #then(from: Function, check: (played: Played, tried: string, from: Function) => void): Expectation {
    const site: { stack?: string } = {}
    Error.captureStackTrace(site, from)
    const met = this.#met.then(async () => {
      const played = await this.#played
      try {
        check(played, this.#tried, from)
      } catch (error) {
        throw calledAt(site, error)
      }
    })
    return Met.of(this.#tried, this.#played, met)
  }

  protected get met(): Promise<unknown> {
    return this.#met
  }
}

/** An expectation that can be awaited. The first one cannot: nothing is expected yet. */
class Met extends Expectation implements PromiseLike<void> {
  static of(tried: string, played: Promise<Played>, met: Promise<unknown>): Met {
    return new Met(tried, played, met)
  }

  // biome-ignore lint/suspicious/noThenProperty: it can be awaited, and more can be expected after it
  then<Fulfilled = void, Refused = never>(
    onFulfilled?: ((value: void) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRefused?: ((reason: unknown) => Refused | PromiseLike<Refused>) | null,
  ): Promise<Fulfilled | Refused> {
    return this.met.then(() => undefined).then(onFulfilled, onRefused)
  }
}

/** The error, with the stack of the place where the expectation was written. */
function calledAt({ stack = '' }: { readonly stack?: string }, error: unknown): unknown {
  if (!(error instanceof AssertionError)) return error
  error.stack = `${error.name}: ${error.message}\n${stack.split('\n').slice(1).join('\n')}`
  return error
}

/** The parts of a command that are compared: its address and data, and what the expected command has besides. */
function comparable(command: PlainCommand, expected: PlainCommand | undefined): object {
  const { aggregate, id, name, data, commandId, tags, expectedSequence, metadata } = command
  const told = <Part extends keyof PlainCommand>(part: Part, value: PlainCommand[Part]) =>
    expected?.[part] === undefined ? {} : { [part]: value }
  const named = Object.keys(expected?.metadata ?? {})
  return {
    aggregate,
    id,
    name,
    ...(data !== undefined && { data }),
    ...told('commandId', commandId),
    ...told('tags', tags),
    ...told('expectedSequence', expectedSequence),
    ...told('metadata', Object.fromEntries(named.map((key) => [key, metadata?.[key]]))),
  }
}

/** An expected scheduled command as it would be stored. */
function scheduledAs(command: PlainCommand, due: Due, nowMs: number): object {
  const dueAt = new Date(momentOf(due instanceof Date ? due.getTime() : nowMs + due.afterMs))
  const copier = new JsonCopier()
  copier.takesPersonal = true
  const stored = unboxed(copier.copy(sealInSpec(comparable(command, command)), 'The expected command', '')) as object
  return { dueAt, ...stored } satisfies Omit<Scheduled, 'command'>
}
