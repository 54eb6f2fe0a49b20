/**
 * The kernel routes each command to the one live instance of its aggregate, starts it where there is none, and sends the
 * commits of all instances through one commit queue. It has no thread of its own: instances that have something to do
 * get their turns in one pass of the microtask queue, and every few milliseconds it lets the event loop breathe.
 */
import type { AggregateOptions, AnyAggregate } from '../domain/aggregate.ts'
import type { CommandOptions } from '../domain/command.ts'
import {
  CancelledError,
  DefinitionError,
  InputError,
  type MnemeError,
  OutcomeUnknownError,
  OverloadError,
} from '../domain/error.ts'
import type { Outcome } from '../domain/outcome.ts'
import { checkInput } from '../domain/schema.ts'
import { checkId, type StreamId } from '../domain/stream.ts'
import { checkMetadata, checkTags } from '../store/commit.ts'
import { CommitQueue } from '../store/commit-queue.ts'
import type { EventStore, SnapshotStore, StoredEvent } from '../store/store.ts'
import { soon } from '../store/timers.ts'
import { Actor, type ActorContext } from './actor.ts'
import { type AggregateType, aggregateType } from './aggregate-type.ts'
import { type Environment, waitAtMost } from './environment.ts'
import type { KernelLimits } from './limits.ts'
import { Passivation } from './passivation.ts'
import { PendingCommand } from './pending-command.ts'
import { catchUp, rehydrate, type Standing, type Until } from './rehydrate.ts'
import { Snapshotter } from './snapshotter.ts'
import type { Warn } from './warning.ts'

export interface KernelOptions {
  readonly events: EventStore
  readonly snapshots: SnapshotStore
  readonly aggregates: readonly AnyAggregate[]
  /** For aggregates that do not say themselves. */
  readonly defaults: AggregateOptions
  readonly environment: Environment
  readonly limits: KernelLimits
  readonly warn: Warn
}

/** An aggregate type with its live instances by id. */
interface Registered {
  readonly type: AggregateType
  readonly live: Map<string, Actor>
}

/** How long turns go on without letting the event loop serve timers and input. */
const breathAfterMs = 8
/** Of a UUID that is 60 random bits: for two commands to meet they must also share the stream and the count. */
const idPrefixLength = 16

export class Kernel {
  readonly #types = new Map<string, Registered>()
  readonly #environment: Environment
  readonly #limits: KernelLimits
  readonly #context: ActorContext
  readonly #passivation: Passivation
  readonly #snapshotter: Snapshotter
  readonly #idPrefix: string
  #idCount = 0
  #due: Actor[] = []
  #turning = false
  #breathedAt = 0
  #inFlight = 0
  #stopping = false
  #whenQuiet: (() => void) | undefined

  constructor({ events, snapshots, aggregates, defaults, environment, limits, warn }: KernelOptions) {
    this.#environment = environment
    this.#limits = limits
    this.#idPrefix = `${environment.newId().replaceAll('-', '').slice(0, idPrefixLength)}-`
    this.#snapshotter = new Snapshotter(snapshots, environment, limits, warn)
    this.#passivation = new Passivation(environment, limits.liveAggregatesMax, ({ type, stream }) => {
      this.#types.get(type.name)!.live.delete(stream.id)
    })
    for (const definition of aggregates) {
      this.#types.set(definition.name, { type: aggregateType(definition, defaults), live: new Map() })
    }
    this.#context = {
      events,
      snapshots,
      warn,
      environment,
      limits,
      inquiries: new Map(),
      // One stream's commits come from one actor, a round at a time: no two groups meet in a stream.
      queue: new CommitQueue((groups) => events.append(groups.length === 1 ? groups[0]! : groups.flat()), {
        batchCommitsMax: limits.batchCommitsMax,
        batchSizeMax: limits.batchSizeMax,
        waitingMax: Number.POSITIVE_INFINITY,
      }),
      schedule: (actor) => this.#schedule(actor),
      advanced: ({ type, stream, standing }, from) => this.#snapshotter.advanced(type, stream, from, standing!),
    }
  }

  /** Aggregates in memory, and commands not answered yet. */
  get load(): { readonly liveAggregates: number; readonly commandsInFlight: number } {
    return { liveAggregates: this.#passivation.live, commandsInFlight: this.#inFlight }
  }

  /**
   * The type of an aggregate by its name.
   *
   * @throws InputError `AGGREGATE_UNKNOWN`
   */
  typeOf(aggregate: string): AggregateType {
    const registered = this.#types.get(aggregate)
    if (registered !== undefined) return registered.type
    throw new InputError('AGGREGATE_UNKNOWN', { aggregate, known: [...this.#types.keys()] })
  }

  /**
   * Handles a command and answers when it is durable. Bad input throws before anything else happens.
   *
   * @param stream checked already
   */
  dispatch(stream: StreamId, name: string, data: unknown, options: CommandOptions): Promise<Outcome> {
    const registered = this.#types.get(stream.aggregate)!
    if (this.#stopping) throw new CancelledError('STOPPED', { what: `The command ${name}` })
    const pending = this.#check(registered.type, name, data, options)
    const { signal } = options
    if (signal?.aborted) throw new CancelledError('ABORTED', { what: `The command ${name}` }, signal.reason)
    const live = registered.live.get(stream.id)
    this.#checkRoom(live)
    const actor = live ?? new Actor(this.#context, registered.type, stream)
    this.#inFlight++
    const outcome = pending.outcome()
    if (signal !== undefined) pending.listenTo(signal, stream)
    actor.post(pending)
    if (live === undefined) this.#begin(registered, actor)
    this.#schedule(actor)
    return outcome
  }

  /** The state of an aggregate: as it is now, or as it was at a sequence or a time (both included). */
  async state(stream: StreamId, until: Until): Promise<Standing> {
    const { type, live } = this.#types.get(stream.aggregate)!
    const standing = live.get(stream.id)?.standing
    const current = until.sequence === undefined && until.timeMs === undefined
    if (current && standing !== undefined) return catchUp(this.#context, type, stream, standing)
    return rehydrate(this.#context, type, stream, until)
  }

  /** The events of a stream from the store, page by page, oldest first. */
  async *history(stream: StreamId, from: number, signal: AbortSignal | undefined): AsyncGenerator<StoredEvent> {
    for (let next = from; ; ) {
      const options = signal === undefined ? {} : { signal }
      const page = await this.#context.events.readStream(stream, { from: next, to: Number.POSITIVE_INFINITY }, options)
      if (page.length === 0) return
      for (const event of page) {
        signal?.throwIfAborted()
        yield event
      }
      next = page.at(-1)!.sequence + 1
    }
  }

  /** Refuses new commands, waits for those under way and for the snapshots that are due, at most `stopTimeoutMs`. */
  async stop(): Promise<void> {
    this.#stopping = true
    await waitAtMost(this.#environment, this.#limits.stopTimeoutMs, this.#drain())
    this.#abandonAll()
    this.#passivation.stop()
  }

  async #drain(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#whenQuiet = resolve
      })
    }
    await this.#snapshotter.drain()
  }

  #check(type: AggregateType, name: string, data: unknown, options: CommandOptions): PendingCommand {
    const decision = type.decisions.get(name)
    if (decision === undefined) {
      const facts = { aggregate: type.name, command: name, known: [...type.decisions.keys()] }
      throw new InputError('COMMAND_UNKNOWN', facts)
    }
    const checked = checkInput(decision.schema, data)
    if (checked === 'async') throw new DefinitionError('SCHEMA_ASYNC', { where: `the command ${type.name}.${name}` })
    if ('issues' in checked) {
      throw new InputError('COMMAND_INVALID', { aggregate: type.name, command: name, issues: checked.issues })
    }
    const { commandId } = options
    if (commandId !== undefined) checkId('a command id', commandId)
    return new PendingCommand(
      {
        name,
        decision,
        input: checked.value,
        commandId: commandId ?? this.#nextCommandId(),
        repeatable: commandId !== undefined,
        metadata: checkMetadata(options.metadata),
        tags: checkTags(options.tags),
      },
      this.#release,
    )
  }

  /** Unique without asking for a random number each time: a random part of this kernel's own, and a count. */
  #nextCommandId(): string {
    return `${this.#idPrefix}${(this.#idCount++).toString(36)}`
  }

  #checkRoom(actor: Actor | undefined): void {
    const { mailboxMax, commandsInFlightMax } = this.#limits
    if (actor !== undefined && actor.waiting >= mailboxMax) {
      throw new OverloadError('OVERLOADED', { queue: 'mailboxMax', sizeMax: mailboxMax })
    }
    if (this.#inFlight >= commandsInFlightMax) {
      throw new OverloadError('OVERLOADED', { queue: 'commandsInFlightMax', sizeMax: commandsInFlightMax })
    }
  }

  /** Takes in an instance that has its first command already, so that it is not the one to make room. */
  #begin({ live }: Registered, actor: Actor): void {
    live.set(actor.stream.id, actor)
    this.#passivation.add(actor, this.#environment.now())
  }

  // -- turns -------------------------------------------------------------------------------------------

  #schedule(actor: Actor): void {
    if (actor.scheduled) return
    actor.scheduled = true
    this.#due.push(actor)
    if (this.#turning) return
    this.#turning = true
    const sinceBreathMs = this.#environment.now() - this.#breathedAt
    // A clock that was set back must not keep the event loop waiting until it is where it was.
    if (sinceBreathMs >= 0 && sinceBreathMs < breathAfterMs) soon(this.#turnAll)
    else this.#environment.defer(this.#breatheAndTurn)
  }

  readonly #breatheAndTurn = (): void => {
    this.#breathedAt = this.#environment.now()
    this.#turnAll()
  }

  readonly #turnAll = (): void => {
    this.#turning = false
    const due = this.#due
    this.#due = []
    const nowMs = Math.floor(this.#environment.now())
    for (const actor of due) {
      actor.scheduled = false
      this.#passivation.touch(actor, nowMs)
      actor.turn(nowMs)
    }
  }

  // -- the end -----------------------------------------------------------------------------------------

  readonly #release = (): void => {
    this.#inFlight--
    if (this.#inFlight === 0) this.#whenQuiet?.()
  }

  /** After the wait: whoever is still not answered learns what is known of the command. */
  #abandonAll(): void {
    for (const { live } of this.#types.values()) {
      for (const actor of live.values()) actor.abandon(abandoned)
    }
    for (const [pending, stream] of this.#context.inquiries) pending.fail(abandoned(stream, pending))
  }
}

function abandoned(stream: StreamId, { name, commandId, sent }: PendingCommand): MnemeError {
  if (!sent) return new CancelledError('STOPPED', { what: `The command ${name}` })
  return new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId })
}
