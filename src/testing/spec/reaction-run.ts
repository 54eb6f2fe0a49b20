/**
 * Runs a reaction through a history: with the runner and the steps of a running domain, on a store in memory, by a
 * clock that the history moves. Only the commands go nowhere: they are noted, and get stubbed answers. A handler is
 * tried once, and its failure ends the run.
 */

import { addressed } from '../../application/addressed.ts'
import { systemEnvironment } from '../../application/system-environment.ts'
import type { AnyAggregate } from '../../domain/aggregate.ts'
import { decode } from '../../domain/encoding.ts'
import { hasCode } from '../../domain/error.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import { HandledKinds } from '../../domain/handled-kinds.ts'
import { checkId } from '../../domain/id.ts'
import { unboxed } from '../../domain/personal-fields.ts'
import { withPersonalValues } from '../../domain/personal-schema.ts'
import { checkPlainCommand, type PlainCommand } from '../../domain/plain-command.ts'
import type { AnyReaction, EventHandler } from '../../domain/reaction.ts'
import type { SealedValue } from '../../domain/sealed-value.ts'
import { Kernel } from '../../kernel/kernel.ts'
import { limitsOf } from '../../kernel/limits.ts'
import { openingStore } from '../../kernel/personal/opening-store.ts'
import { eventOf } from '../../kernel/rehydrate.ts'
import { Tail } from '../../projection/log/tail.ts'
import { stateKey } from '../../projection/reactions/reaction-rows.ts'
import { ReactionSteps } from '../../projection/reactions/reaction-steps.ts'
import { Runner } from '../../projection/running/runner.ts'
import { rowPages } from '../../projection/stored/row-pages.ts'
import { nameOfTimer, type Timer, timerPrefix } from '../../projection/stored/timer-row.ts'
import { commit } from '../../store/commit.ts'
import { memory } from '../../store/memory/memory.ts'
import type { Store } from '../../store/store.ts'
import { type ManualEnvironment, manualEnvironment } from '../manual-environment.ts'
import { type Counts, type Happening, handlerOf, storedEvent } from './history.ts'
import { sealInSpec, specRing } from './spec-keys.ts'
import { answerTo, type Stubs } from './stubbed-answers.ts'

/** One step of a history: an event, the time that it is then, or how commands are answered from then on. */
export type Step =
  | { readonly happening: Happening }
  | { readonly nowMs: number }
  | { readonly afterMs: number }
  | { readonly answers: Stubs }

/** A command that was scheduled. */
export interface Scheduled {
  readonly dueAt: Date
  readonly command: PlainCommand
}

/** What the last step of a history did. */
export interface Played {
  readonly dispatched: readonly PlainCommand[]
  /** In the order in which they were scheduled. */
  readonly scheduled: readonly Scheduled[]
  /** The state for the event of the step; `undefined` without an event, or if the reaction has no states. */
  readonly state: unknown
  /** The time of the step. */
  readonly nowMs: number
  readonly failure: { readonly error: unknown } | undefined
}

/** The name under which the reaction's rows are stored in the store of the run. */
const name = 'spec'
const pageSize = 1000
const leaseMs = 60_000

/**
 * Runs a reaction through a history.
 *
 * @throws what a step before the last one throws
 */
export async function play(reaction: AnyReaction, steps: readonly Step[]): Promise<Played> {
  const run = await ReactionRun.begin(reaction, steps)
  for (const step of steps.slice(0, -1)) {
    const { failure } = await run.take(step)
    if (failure !== undefined) throw failure.error
  }
  return run.take(steps.at(-1)!)
}

class ReactionRun {
  readonly #reaction: AnyReaction
  readonly #aggregates: readonly AnyAggregate[]
  readonly #store: Store
  readonly #environment: ManualEnvironment
  readonly #runner: Runner
  #answers: Stubs = {}
  #counts: Counts = { log: 0, streams: new Map() }
  #dispatched: PlainCommand[] = []

  static async begin(given: AnyReaction, steps: readonly Step[]): Promise<ReactionRun> {
    const reaction = given.from('first').onFailure({ retries: 0, giveUp: 'stop' })
    const environment = manualEnvironment({ now: new Date(0) })
    const store = await memory().open({ now: environment.now, warn: () => {} })
    return new ReactionRun(reaction, steps, openingStore(store, specRing), environment)
  }

  private constructor(reaction: AnyReaction, steps: readonly Step[], store: Store, environment: ManualEnvironment) {
    this.#reaction = reaction
    this.#aggregates = Object.values<AnyAggregate>(reaction.aggregates)
    this.#store = store
    this.#environment = environment
    const kinds = new HandledKinds(where(reaction), reaction.handlings.values(), this.#happenedIn(steps))
    const tail = new Tail({ store, environment, pollIntervalMs: leaseMs })
    const shared = { name, store, environment, tail, warn: () => {} }
    const check = this.#checker()
    const dispatch = async (command: PlainCommand) => {
      check(command)
      this.#dispatched.push(command)
      return answerTo(command, this.#answers, this.#aggregate(command.aggregate), environment.now())
    }
    const seal = async (values: readonly SealedValue[]) => {
      sealInSpec(values)
    }
    const stateAt = async (aggregate: string) => this.#aggregate(aggregate)?.initial()
    this.#runner = new Runner({
      ...shared,
      pollIntervalMs: leaseMs,
      leaseMs,
      owner: name,
      // Nobody moves the clock while a step of the handler waits, so its times are real ones.
      stepper: (lead) =>
        new ReactionSteps({
          ...shared,
          environment: { ...environment, after: systemEnvironment.after },
          reaction,
          kinds,
          dispatch,
          check,
          personal: { dataOf: this.#dataOf(), seal },
          stateAt,
          carry: [],
          lead,
        }),
    })
  }

  async take(step: Step): Promise<Played> {
    const before = new Set(await this.#timers().then((timers) => timers.map(({ key }) => key)))
    this.#dispatched = []
    const event = 'happening' in step ? await this.#append(step.happening) : undefined
    if ('answers' in step) this.#answers = step.answers
    if ('nowMs' in step) this.#environment.setClock(new Date(step.nowMs))
    if ('afterMs' in step) this.#environment.setClock(new Date(this.#environment.now() + step.afterMs))
    let failure: Played['failure']
    try {
      await this.#runner.runOnce(new AbortController().signal)
    } catch (error) {
      failure = { error: hasCode(error, 'PROJECTION_FAILED') ? error.cause : error }
    }
    return {
      dispatched: this.#dispatched,
      scheduled: (await this.#timers()).filter(({ key }) => !before.has(key)),
      state: await this.#stateFor(event),
      nowMs: this.#environment.now(),
      failure,
    }
  }

  /** The data of a command with personal values in the fields that its aggregate declares. */
  #dataOf(): (command: PlainCommand) => unknown {
    return ({ aggregate, name, data }) => {
      const schema = this.#aggregate(aggregate)?.decisions.get(name)?.schema
      return schema === undefined ? data : withPersonalValues(schema, data)
    }
  }

  #aggregate(named: string): AnyAggregate | undefined {
    return this.#aggregates.find((aggregate) => aggregate.name === named)
  }

  /** The name of the aggregate of an event. */
  #aggregateOf({ place, event }: Happening): string {
    if (place.aggregate !== undefined) return place.aggregate
    const { family } = handlerOf(where(this.#reaction), this.#reaction.handlings, event).kind
    const known = this.#aggregates.find(({ folds }) => folds.get(event.type)?.kind.family === family)
    return known?.name ?? 'spec'
  }

  /** Aggregates that declare the kinds which the reaction handles, one for each that has events in the history. */
  #happenedIn(steps: readonly Step[]): readonly AnyAggregate[] {
    const kinds = Array.from(this.#reaction.handlings.values(), ({ kind }: EventHandler) => kind)
    const folds = new Map(kinds.map((kind) => [kind.type, { kind }]))
    const names = new Set(['spec', ...this.#aggregates.map((aggregate) => aggregate.name)])
    for (const step of steps) if ('happening' in step) names.add(this.#aggregateOf(step.happening))
    return Array.from(names, (aggregate) => ({ name: aggregate, folds }) as unknown as AnyAggregate)
  }

  /** Checks commands as a domain does, if the reaction knows the aggregates. */
  #checker(): (command: PlainCommand) => void {
    if (this.#aggregates.length === 0) {
      return (command) => {
        checkPlainCommand(command)
        checkId('the id of an aggregate', command.id)
      }
    }
    const kernel = new Kernel({
      events: this.#store,
      snapshots: this.#store,
      aggregates: this.#aggregates,
      defaults: {},
      environment: this.#environment,
      limits: limitsOf({}),
      warn: () => {},
      mayAnswerFromStaleState: false,
    })
    return (command) => {
      const { stream, name: called, data, options } = addressed(kernel, command)
      kernel.check(stream, called, data, options)
    }
  }

  async #append(happening: Happening): Promise<RecordedEvent> {
    const { kind } = handlerOf(where(this.#reaction), this.#reaction.handlings, happening.event)
    const aggregate = this.#aggregateOf(happening)
    const nowMs = this.#environment.now()
    const { stored, counts } = storedEvent(kind, happening, aggregate, this.#counts, nowMs)
    this.#counts = counts
    const { stream, type, revision, data, metadata, tags, commitId: id } = stored
    const events = [{ type, revision, data, metadata, tags }]
    await this.#store.append([commit({ stream, id, expected: 'any', recordedAt: nowMs, events })])
    return eventOf(kind, stored)
  }

  async #timers(): Promise<readonly (Scheduled & { readonly key: string })[]> {
    const timers: (Scheduled & { readonly key: string })[] = []
    for await (const rows of rowPages(this.#store, name, { prefix: timerPrefix, limit: pageSize })) {
      for (const { key, value } of rows) {
        const { dueAt, command } = value as unknown as Timer
        timers.push({ key: nameOfTimer(key), dueAt: new Date(dueAt), command: unboxed(command) as PlainCommand })
      }
    }
    return timers.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  async #stateFor(event: RecordedEvent | undefined): Promise<unknown> {
    const { memory: states } = this.#reaction
    if (event === undefined || states === undefined) return undefined
    const [stored] = await this.#store.loadRows(name, [stateKey(states.key(event))])
    return stored === undefined ? states.initial() : decode(stored)
  }
}

const where = (reaction: AnyReaction): string => `The reaction ${reaction.name}`
