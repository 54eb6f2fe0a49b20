/**
 * The kernel gives each command to the live instance of its aggregate, and creates the instance if there is none. The
 * commits of all instances go through one commit queue. Instances that have something to do run in one pass of the
 * microtask queue. Every few milliseconds the kernel lets the event loop run.
 */
import type { AggregateOptions, AnyAggregate } from '../domain/aggregate.ts'
import { CancelledError, InputError, OverloadError } from '../domain/error.ts'
import type { Outcome } from '../domain/outcome.ts'
import { withPersonalValues } from '../domain/personal-schema.ts'
import type { StreamId } from '../domain/stream.ts'
import { Breath } from '../runtime/breath.ts'
import { type Environment, waitAtMost } from '../runtime/environment.ts'
import type { Observing } from '../runtime/observing.ts'
import { soon } from '../runtime/timers.ts'
import type { Warn } from '../runtime/warning.ts'
import { CommitQueue } from '../store/commit-queue.ts'
import type { EventStore, SnapshotStore, StoredEvent } from '../store/store.ts'
import type { StreamList, StreamQuery } from '../store/stream-list.ts'
import { Actor, type ActorContext } from './actor.ts'
import { type AggregateType, aggregateType } from './aggregate-type.ts'
import { batchWriter } from './batch-writer.ts'
import { type Checking, checkCommand } from './check-command.ts'
import { type Begun, marked, tellRefused, tellStarted } from './command-observation.ts'
import type { DispatchOptions } from './dispatch-options.ts'
import { type DroppedState, type HandedState, type HeldState, handedState, receivedState } from './handed-state.ts'
import { type HistoryRead, historyOf } from './history.ts'
import type { KernelLimits } from './limits.ts'
import { Looks } from './looks.ts'
import type { Ownership } from './ownership.ts'
import { Passivation } from './passivation.ts'
import { abandoned, PendingCommand } from './pending-command.ts'
import type { KeyRing } from './personal/key-ring.ts'
import { type Registered, readState } from './read-state.ts'
import { Readings } from './readings.ts'
import type { LoadedState, Until } from './rehydrate.ts'
import { Snapshotter } from './snapshotter.ts'
import { Turns } from './turns.ts'

export interface KernelOptions {
  readonly events: EventStore
  readonly snapshots: SnapshotStore
  /** The keys of subjects; absent if no part of the domain has personal fields. */
  readonly keys?: KeyRing | undefined
  readonly aggregates: readonly AnyAggregate[]
  /** For aggregates that do not set these options. */
  readonly defaults: AggregateOptions
  readonly environment: Environment
  readonly limits: KernelLimits
  readonly warn: Warn
  /**
   * Whether the answer of a command without events may rest on a state that is no longer the newest. A refusal because
   * of an expected sequence is always confirmed.
   */
  readonly mayAnswerFromStaleState: boolean
  /** Absent if this process decides the commands of all streams. */
  readonly ownership?: Ownership | undefined
  /** Absent if nobody observes. */
  readonly observing?: Observing | undefined
}

export class Kernel {
  readonly #types = new Map<string, Registered>()
  readonly #environment: Environment
  readonly #limits: KernelLimits
  readonly #keys: KeyRing | undefined
  readonly #checking: Checking
  readonly #context: ActorContext
  readonly #passivation: Passivation
  readonly #snapshotter: Snapshotter
  #due: Actor[] = []
  #turning = false
  /** The rest of a pass that has let the event loop run. */
  #rest: Actor[] | undefined
  readonly #breath: Breath
  #inFlight = 0
  #stopping = false
  #whenQuiet: (() => void) | undefined
  /** Ends what goes on for commands that nobody waits for any more. */
  readonly #over = new AbortController()

  constructor(options: KernelOptions) {
    const { events, snapshots, aggregates, defaults, environment, limits, warn, observing } = options
    this.#environment = environment
    this.#limits = limits
    this.#keys = options.keys
    this.#checking = {
      sizeMax: limits.commandSizeMax,
      newCommandId: () => environment.newCommandId(),
      keepsOrigin: options.ownership !== undefined,
    }
    this.#breath = new Breath(environment)
    this.#snapshotter = new Snapshotter({ snapshots, environment, limits, warn, observing })
    this.#passivation = new Passivation(environment, limits.liveAggregatesMax, ({ type, stream }, reason) => {
      this.#types.get(type.name)!.live.delete(stream.id)
      observing?.tell({ kind: 'passivation', stream, reason, live: this.#passivation.live })
    })
    for (const definition of aggregates) {
      this.#types.set(definition.name, { type: aggregateType(definition, defaults), live: new Map() })
    }
    const writer = environment.newId()
    const { mayAnswerFromStaleState } = options
    const looksOptions = { streamsMax: limits.batchCommitsMax, mayAnswerFromStaleState }
    const looks = events.singleWriter ? undefined : new Looks(events, looksOptions)
    this.#context = {
      events,
      snapshots,
      warn,
      environment,
      limits,
      observing,
      inquiries: new Map(),
      readings: new Readings(),
      ignoredSnapshots: new Set(),
      writer,
      over: this.#over.signal,
      looks,
      turns: new Turns(events, environment, writer, this.#over.signal),
      // A stream has one actor, which appends one round at a time. So two groups never contain the same stream.
      ownership: options.ownership,
      queue: new CommitQueue(batchWriter(events, writer, observing), {
        batchCommitsMax: limits.batchCommitsMax,
        batchSizeMax: limits.batchSizeMax,
        waitingMax: Number.POSITIVE_INFINITY,
      }),
      newId: () => environment.newId(),
      schedule: (actor) => this.#schedule(actor),
      advanced: ({ type, stream, loaded }, from) => this.#snapshotter.advanced(type, stream, from, loaded!),
    }
  }

  /** The number of aggregates in memory, and of commands that are not answered yet. */
  get load(): { readonly liveAggregates: number; readonly commandsInFlight: number } {
    return { liveAggregates: this.#passivation.live, commandsInFlight: this.#commandsInFlight }
  }

  /** How many commands wait for an aggregate. Those that are under way to the store do not. */
  waiting({ aggregate, id }: StreamId): number {
    return this.#types.get(aggregate)?.live.get(id)?.waiting ?? 0
  }

  /**
   * The aggregate type of that name.
   *
   * @throws InputError `AGGREGATE_UNKNOWN`
   */
  typeOf(aggregate: string): AggregateType {
    const registered = this.#types.get(aggregate)
    if (registered !== undefined) return registered.type
    throw new InputError('AGGREGATE_UNKNOWN', { aggregate, known: [...this.#types.keys()] })
  }

  /**
   * Handles a command, and answers when its events are durable. Invalid input throws before anything else happens.
   *
   * @param stream already checked
   */
  dispatch(stream: StreamId, name: string, data: unknown, options: DispatchOptions): Promise<Outcome> {
    const { observing } = this.#context
    if (observing === undefined) return this.#send(stream, name, data, options)
    const begun = { span: observing.nextSpan(), beganAt: observing.elapsed() }
    try {
      return this.#send(stream, name, data, marked(observing, stream, name, options, begun), begun)
    } catch (error) {
      const { derivedId, commandId = derivedId, parent } = options
      tellRefused(observing, stream, name, { commandId, parent }, begun, error)
      throw error
    }
  }

  #send(stream: StreamId, name: string, data: unknown, options: DispatchOptions, begun?: Begun): Promise<Outcome> {
    const registered = this.#types.get(stream.aggregate)!
    // A command that was admitted before may come back from another process that was lost.
    if (this.#stopping && !options.isAdmitted) throw new CancelledError('STOPPED', { what: `The command ${name}` })
    const command = checkCommand(this.#checking, registered.type, name, data, options, this.#keys)
    const pending = new PendingCommand(command, this.#release)
    const { signal } = options
    if (signal?.aborted) throw new CancelledError('ABORTED', { what: `The command ${name}` }, signal.reason)
    const live = registered.live.get(stream.id)
    this.#checkRoom(live, options)
    const actor = live ?? new Actor(this.#context, registered.type, stream)
    const outcome = pending.outcome()
    if (signal !== undefined || options.onWaiting !== undefined) pending.listenTo(options, stream)
    // From here on nothing throws: what is counted here, the answer counts back.
    this.#inFlight++
    actor.post(pending)
    if (live === undefined) this.#begin(registered, actor)
    this.#schedule(actor)
    // An observer may send commands itself, so it is told last.
    if (begun !== undefined) tellStarted(this.#context.observing!, pending, stream, options.parent, begun)
    return outcome
  }

  /**
   * Checks a command as `dispatch` does, without sending it.
   *
   * @param stream already checked
   * @throws InputError `COMMAND_UNKNOWN`, `COMMAND_INVALID`, `COMMAND_TOO_LARGE`, `ID_INVALID`, `DATA_NOT_JSON`
   */
  check({ aggregate }: StreamId, name: string, data: unknown, options: DispatchOptions): void {
    checkCommand(this.#checking, this.typeOf(aggregate), name, data, options)
  }

  /** The data of a command that is stored before it is sent: its personal fields hold personal values. */
  withPersonalValues({ aggregate }: StreamId, name: string, data: unknown): unknown {
    const decision = this.#types.get(aggregate)?.type.decisions.get(name)
    return decision === undefined ? data : withPersonalValues(decision.schema, data)
  }

  /** The state of an aggregate: the newest, or the one at a sequence or a time. */
  state(stream: StreamId, until: Until): Promise<LoadedState> {
    return readState(this.#context, this.#keys, this.#types.get(stream.aggregate)!, stream, until)
  }

  /** The ids of an aggregate's streams. */
  ids(aggregate: string, query: StreamQuery): Promise<StreamList> {
    return this.#context.events.listStreams(aggregate, query)
  }

  /** Where streams end, as `state` would find them. */
  async sequences(streams: readonly StreamId[]): Promise<readonly number[]> {
    return (await this.#context.events.streamEnds(streams)).map(({ sequence }) => sequence)
  }

  /** The last position of the log. */
  head(): Promise<number> {
    return this.#context.events.head()
  }

  /** The stored events of a stream. */
  history(stream: StreamId, read: HistoryRead): AsyncGenerator<StoredEvent> {
    return historyOf(this.#context, stream, read)
  }

  /** Drops the states of streams that this process does not own any more. Commands in progress end first. */
  disown(isOwned: (stream: StreamId) => boolean): readonly DroppedState[] {
    const dropped: DroppedState[] = []
    for (const { type, live } of this.#types.values()) {
      for (const actor of live.values()) {
        const { stream, loaded } = actor
        if (isOwned(stream)) continue
        if (loaded !== undefined) {
          const take = () => handedState(type, stream, loaded)
          dropped.push({ stream, sequence: loaded.sequence, take })
        }
        if (actor.idle) this.#passivation.remove(actor)
        else actor.disown()
      }
    }
    return dropped
  }

  /** The states in memory, for other owners of their streams. Each is taken when it is asked for. */
  *states(): Generator<HeldState> {
    for (const { type, live } of this.#types.values()) {
      for (const actor of live.values()) {
        const { stream } = actor
        yield { stream, take: () => actor.loaded && handedState(type, stream, actor.loaded) }
      }
    }
  }

  /** Takes a state from the process that owned its stream. It is compared with the store before it is used. */
  receive(handed: HandedState): void {
    const { stream } = handed
    const registered = this.#types.get(stream.aggregate)
    const known = registered && receivedState(registered.type, handed)
    if (known === undefined || this.#stopping) return
    const live = registered!.live.get(stream.id)
    const actor = live ?? new Actor(this.#context, registered!.type, stream)
    actor.receive(known)
    if (live === undefined) this.#begin(registered!, actor)
  }

  /** Refuses new commands. Waits for commands and snapshots in progress, at most `stopTimeoutMs`. */
  async stop(): Promise<void> {
    this.#stopping = true
    await waitAtMost(this.#environment, this.#limits.stopTimeoutMs, this.#drain())
    this.abandonAll()
    this.#over.abort(null)
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

  #checkRoom(actor: Actor | undefined, { isAdmitted }: DispatchOptions): void {
    const { mailboxMax: sizeMax } = this.#limits
    if (actor && actor.waiting >= sizeMax) throw new OverloadError('OVERLOADED', { queue: 'mailboxMax', sizeMax })
    if (!isAdmitted) this.admit()
  }

  /** Refuses a further command if there are too many. @throws OverloadError */
  admit(): void {
    const { commandsInFlightMax: sizeMax } = this.#limits
    if (this.#commandsInFlight >= sizeMax)
      throw new OverloadError('OVERLOADED', { queue: 'commandsInFlightMax', sizeMax })
  }

  get #commandsInFlight(): number {
    return this.#inFlight + (this.#context.ownership?.underWay ?? 0)
  }

  /** Adds an instance. If it has its first command already, passivation does not remove it at once. */
  #begin({ live }: Registered, actor: Actor): void {
    live.set(actor.stream.id, actor)
    this.#passivation.add(actor, this.#environment.now())
  }

  // -- turns -------------------------------------------------------------------------------------------

  #schedule(actor: Actor): void {
    if (!actor.joinQueue()) return
    this.#due.push(actor)
    if (!this.#turning) this.#turnSoon()
  }

  #turnSoon(): void {
    this.#turning = true
    if (this.#breath.isDue) void this.#breath.pause().then(this.#turnAll)
    else soon(this.#turnAll)
  }

  /**
   * Calls `turn` of each instance that is due. A pass that takes too long lets the event loop run in its middle. Its
   * commits are still written together: in two batches they would cost more, and stay apart. Callers who were answered
   * together come back together.
   */
  readonly #turnAll = (): void => {
    const { queue } = this.#context
    const due = this.#rest ?? this.#due.splice(0)
    const pass = due.length < 8 ? undefined : new Breath(this.#environment)
    const nowMs = Math.floor(this.#environment.now())
    for (let i = 0; i < due.length; i++) {
      const actor = due[i]!
      if (i % 8 === 7 && pass!.isDue) {
        this.#rest = due.slice(i)
        queue.hold()
        void this.#breath.pause().then(this.#turnAll)
        return
      }
      this.#passivation.touch(actor, nowMs)
      actor.turn(nowMs)
    }
    if (this.#rest !== undefined) {
      this.#rest = undefined
      queue.goOn()
    }
    this.#turning = false
    if (this.#due.length > 0) this.#turnSoon()
  }

  // -- the end -----------------------------------------------------------------------------------------

  readonly #release = (): void => {
    this.#inFlight--
    if (this.#inFlight === 0) this.#whenQuiet?.()
  }

  /** Fails the commands that are not answered after the wait, with what is known about them. */
  abandonAll(): void {
    for (const { live } of this.#types.values()) {
      for (const actor of live.values()) actor.abandon(abandoned)
    }
    for (const [pending, stream] of this.#context.inquiries) pending.fail(abandoned(stream, pending))
  }
}
