/**
 * One run of a plan: processes start, faults begin, clients and faults do what the plan says, faults end, and
 * everything has to come to rest. Then all promises are checked.
 */

import { inspect, isDeepStrictEqual } from 'node:util'
import type { Domain } from '../../application/domain.ts'
import type { StartOptions } from '../../application/start-options.ts'
import type { AnyAggregate } from '../../domain/aggregate.ts'
import type { AnyCodeProjection } from '../../domain/code-projection.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import { type AnyProjection, singleKey } from '../../domain/projection.ts'
import { recordedEvent } from '../../kernel/rehydrate.ts'
import type { FoundPage } from '../../projection/reading/query.ts'
import type { WaitOptions } from '../../projection/running/status.ts'
import { memory } from '../../store/memory/index.ts'
import type { LogPlace } from '../../store/store.ts'
import { Random } from '../random.ts'
import { Broken, checkAll, isExpected } from './checks.ts'
import { Clients } from './clients.ts'
import { noFaults } from './faults.ts'
import { emptyHistory, type History } from './history.ts'
import { Network } from './network.ts'
import type { Action, Plan } from './plan.ts'
import { SimulatedProcess } from './process.ts'
import { rowsAfter, statesOf } from './replay.ts'
import { Witness } from './witness.ts'
import { World } from './world.ts'

/** The end of a run, as an invariant of the user's sees it. */
export interface EndOfRun {
  /** The whole log, as subscriptions give it. */
  readonly events: readonly RecordedEvent[]
  /** The states of an aggregate, by id, named by its key in the domain. */
  states(aggregate: string): ReadonlyMap<string, any>
  /** The rows of a projection, by key. */
  rows(projection: string): ReadonlyMap<string, any>
}

export interface RunOptions {
  readonly domain: Domain<any, any, any>
  /** Commands that are sent before faults begin, one after the other. */
  readonly first: readonly PlainCommand[]
  readonly options: StartOptions
  readonly invariants: Readonly<Record<string, (end: EndOfRun) => unknown>>
}

/** What a run came to. */
export interface Run {
  readonly broken: Broken | undefined
  /** The same for two runs that were the same. */
  readonly hash: number
  /** How many things happened. */
  readonly count: number
  readonly lines: readonly string[]
  /** How often each fault happened. */
  readonly faults: ReadonlyMap<string, number>
  readonly events: number
}

/** All must have come to rest after so long without faults, in milliseconds. */
const restMsMax = 300_000

/** Runs a plan. Never throws what a broken promise is. */
export async function runPlan(options: RunOptions, plan: Plan): Promise<Run> {
  const factory = memory()
  const simulation = new Simulation(options, plan, await Witness.of(factory), factory)
  let broken: Broken | undefined
  try {
    await simulation.run()
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    broken = error
  }
  return simulation.resultWith(broken)
}

class Simulation {
  readonly #options: RunOptions
  readonly #plan: Plan
  readonly #world: World
  readonly #witness: Witness
  readonly #network: Network
  readonly #history: History = emptyHistory()
  readonly #clients: Clients
  readonly #processes: SimulatedProcess[] = []
  #lives = 0
  #failure: Broken | undefined
  #areFaultsOver = false

  constructor(options: RunOptions, plan: Plan, witness: Witness, factory: ReturnType<typeof memory>) {
    this.#options = options
    this.#plan = plan
    this.#witness = witness
    this.#world = new World(new Random(plan.seed))
    this.#network = new Network(this.#world, factory, noFaults)
    this.#clients = new Clients({
      world: this.#world,
      witness,
      history: this.#history,
      aggregates: options.domain.aggregates,
      reach: (preferred) => this.#reach(preferred),
    })
  }

  resultWith(broken: Broken | undefined): Run {
    const { hash, count, lines } = this.#world
    return { broken, hash, count, lines, faults: this.#network.counts, events: this.#witness.events.length }
  }

  async run(): Promise<void> {
    for (let place = 0; place < this.#plan.processes; place++) this.#boot(place, 0)
    await this.#until('processes start', () => this.#processes.every(({ started }) => started !== undefined))
    const { first } = this.#options
    for (const [i, command] of first.entries()) {
      const sending = this.#wait(this.#clients.send(-1 - i, command, true, 0))
      await this.#until('the first commands are answered', sending)
    }
    this.#network.rates = this.#plan.rates
    let next = 0
    for (const action of this.#plan.actions) {
      this.#world.after(action.atMs, action.kind, () => {
        next++
        this.#act(action)
      })
    }
    await this.#until('the plan comes to its end', () => next === this.#plan.actions.length)
    await this.#comeToRest()
  }

  // -- processes -----------------------------------------------------------------------------------------------

  #boot(place: number, skewMs: number): void {
    const process = new SimulatedProcess(`p${place + 1}.${++this.#lives}`, this.#world, skewMs)
    this.#processes[place] = process
    this.#world.tell(`${process.name} starts`)
    const { domain, options } = this.#options
    process.start(domain, this.#network.storeOf(process), options).then(
      () => this.#subscribe(process),
      (error) => this.#fail(new Broken('a process starts', `${process.name}: ${error}`, error)),
    )
  }

  /** Reads the log from its beginning, as long as the process is there. */
  #subscribe(process: SimulatedProcess): void {
    const seen = { positions: [] as number[], failure: undefined as unknown }
    this.#history.subscriptions.set(process.name, seen)
    const follow = async () => {
      for (let after: LogPlace = { position: 0 }; process.started !== undefined; ) {
        try {
          for await (const { position, checksum } of process.started.events({ after })) {
            seen.positions.push(position)
            after = { position, checksum }
          }
          return
        } catch (error) {
          // A subscription tells its reader when the store fails. The reader continues after the last event.
          if (!isExpected(error)) throw error
          await this.#world.pause(100, 'a reader waits', process)
        }
      }
    }
    follow().catch((error) => {
      seen.failure = error
    })
  }

  #reach(preferred: number): SimulatedProcess | undefined {
    const { length } = this.#processes
    for (let i = 0; i < length; i++) {
      const process = this.#processes[(preferred + i) % length]!
      if (process.started !== undefined && !process.isDead) return process
    }
    return undefined
  }

  #act(action: Action): void {
    const { process: place } = action
    const process = this.#processes[place]!
    if (action.kind === 'command') {
      void this.#clients.send(action.client, action.command, action.isRepeatable, place)
    } else if (action.kind === 'repeat') {
      this.#tell(process, action.kind, `of client ${action.client}`)
      void this.#clients.repeat(action.client, place)
    } else if (action.kind === 'state') void this.#clients.read(action.aggregate, action.id, place)
    else if (process.started === undefined || process.isDead) return
    else if (action.kind === 'rebuild') void this.#rebuild(process, action.projection)
    else if (action.kind === 'setClock') {
      this.#tell(process, action.kind, `by ${action.byMs} ms`)
      process.setClock(action.byMs)
    } else if (action.kind === 'freeze') {
      this.#tell(process, action.kind, `for ${action.forMs} ms`)
      process.freeze(action.forMs)
    } else if (action.kind === 'crash') {
      this.#tell(process, action.kind, '')
      process.crash()
      this.#bootAfter(action.forMs, place, process.skewMs)
    } else void this.#stop(process, place, action.forMs)
  }

  #tell(process: SimulatedProcess, what: string, how: string): void {
    const { counts } = this.#network
    counts.set(what, (counts.get(what) ?? 0) + 1)
    this.#world.tell(`${process.name}: ${what} ${how}`)
  }

  #bootAfter(forMs: number, place: number, skewMs: number): void {
    this.#world.after(forMs, `p${place + 1} boots`, () => this.#boot(place, skewMs))
  }

  async #stop(process: SimulatedProcess, place: number, forMs: number): Promise<void> {
    this.#tell(process, 'stop', '')
    const { started } = process
    process.started = undefined
    try {
      await started!.stop()
    } catch (error) {
      this.#world.tell(`${process.name} stopped with ${error}`)
    }
    if (process.isDead) return
    process.crash()
    this.#bootAfter(forMs, place, process.skewMs)
  }

  async #rebuild(process: SimulatedProcess, projection: string): Promise<void> {
    this.#tell(process, 'rebuild', projection)
    try {
      await process.started!.projections.rebuild(projection)
      this.#world.tell(`${process.name} has rebuilt ${projection}`)
    } catch (error) {
      this.#world.tell(`${process.name} did not rebuild ${projection}: ${error}`)
    }
  }

  // -- the end ---------------------------------------------------------------------------------------------------

  async #comeToRest(): Promise<void> {
    this.#network.rates = noFaults
    this.#areFaultsOver = true
    this.#world.tell('faults end')
    await this.#until('every client is answered', () => this.#clients.waiting === 0)
    const isThere = () => this.#processes.every(({ started, isDead }) => started !== undefined && !isDead)
    await this.#until('every process comes back', isThere)
    await this.#until('projections and reactions catch up', this.#wait(this.#caughtUp()))
    const { aggregates, projections } = this.#options.domain
    const list = Object.values<AnyAggregate>(aggregates)
    await this.#until('every subscription comes to the end of the log', () =>
      this.#areRead(this.#witness.events.length),
    )
    checkAll({ aggregates: list, witness: this.#witness, history: this.#history })
    for (const process of this.#processes) {
      await this.#until('no command stays in flight', () => process.started!.load().commandsInFlight === 0)
      for (const [key, projection] of Object.entries<AnyProjection | AnyCodeProjection>(projections)) {
        if (projection.shape !== 'code') await this.#checkRows(process, key, projection, list)
      }
    }
    this.#checkInvariants(list)
    for (const process of this.#processes) {
      await this.#until('a process stops', this.#wait(process.started!.stop()))
      process.crash()
    }
  }

  #areRead(head: number): boolean {
    const { subscriptions } = this.#history
    return this.#processes.every(({ name }) => subscriptions.get(name)!.positions.length >= head)
  }

  /** Waits until all of every process stand at the end of the log, twice at the same end. */
  async #caughtUp(): Promise<void> {
    let before = -1
    for (;;) {
      await this.#world.pause(200, 'looks')
      const head = this.#witness.events.length
      let isThere = true
      for (const process of this.#processes) {
        const { projections, reactions } = process.started!
        for (const [managed, parts] of [
          [projections, this.#options.domain.projections],
          [reactions, this.#options.domain.reactions],
        ] as const) {
          for (const key of Object.keys(parts)) {
            const { position, failure } = await managed.status(key)
            if (failure !== undefined)
              throw new Broken('projections and reactions go on', `${key}: ${failure}`, failure)
            if (position !== head) isThere = false
          }
        }
      }
      if (isThere && head === before) return
      before = isThere ? head : -1
    }
  }

  async #checkRows(
    process: SimulatedProcess,
    key: string,
    projection: AnyProjection,
    aggregates: readonly AnyAggregate[],
  ): Promise<void> {
    const { events } = this.#witness
    for (;;) {
      const { length: head } = events
      const found = { rows: {} as Rows }
      const reading = readRows(process.started![key], projection, { atLeast: head, timeoutMs: restMsMax })
      await this.#until('rows can be read', this.#wait(reading.then((rows) => Object.assign(found, { rows }))))
      // A timer may have come due meanwhile.
      if (events.length !== head) continue
      const made = rowsAfter(projection, aggregates, events)
      const expected: Rows =
        projection.shape === 'state' ? { state: made.get(singleKey) ?? projection.initial() } : Object.fromEntries(made)
      if (isDeepStrictEqual(found.rows, expected)) return
      const [is, should] = [found.rows, expected].map((rows) => inspect(rows, { depth: 6 }))
      const reason = `${key}, as ${process.name} reads it, is ${is}, but the events make ${should}`
      throw new Broken('rows are what the events make', reason)
    }
  }

  #checkInvariants(aggregates: readonly AnyAggregate[]): void {
    const { domain, invariants } = this.#options
    const end: EndOfRun = {
      events: this.#witness.events.map((event) =>
        recordedEvent(aggregates.find(({ name }) => name === event.stream.aggregate)?.folds, event),
      ),
      states: (key) => {
        const definition: AnyAggregate = domain.aggregates[key]
        const streams = this.#witness.streams.filter(({ aggregate }) => aggregate === definition.name)
        return new Map(
          streams.map((stream) => [stream.id, statesOf(definition, this.#witness.streamOf(stream)).at(-1)]),
        )
      },
      rows: (key) => rowsAfter(domain.projections[key], aggregates, this.#witness.events),
    }
    for (const [name, holds] of Object.entries(invariants)) {
      let result: unknown
      try {
        result = holds(end)
      } catch (error) {
        throw new Broken(name, error instanceof Error ? error.message : String(error), error)
      }
      if (result === false) throw new Broken(name, 'it does not hold at the end of the run')
    }
  }

  // -- time --------------------------------------------------------------------------------------------------------

  #fail(broken: Broken): void {
    this.#failure ??= broken
  }

  /** Whether some work is done; its error ends the run. */
  #wait(work: Promise<unknown>): () => boolean {
    let isDone = false
    work.then(
      () => {
        isDone = true
      },
      (error) =>
        this.#fail(error instanceof Broken ? error : new Broken('nothing fails unexpectedly', `${error}`, error)),
    )
    return () => isDone
  }

  /** Lets the world go on until something is so. @throws Broken */
  async #until(what: string, isSo: () => boolean): Promise<void> {
    const isThere = await this.#world.run(() => this.#failure !== undefined || isSo(), restMsMax)
    if (this.#failure !== undefined) throw this.#failure
    if (isThere) return
    const when = this.#areFaultsOver ? 'after the last fault' : 'of the simulation'
    throw new Broken(what, `that did not come to be within ${restMsMax / 1000} seconds ${when}`)
  }
}

/** The rows of a projection by key, or its one state. */
type Rows = Readonly<Record<string, unknown>>

async function readRows(model: any, { shape }: AnyProjection, wait: WaitOptions): Promise<Rows> {
  if (shape === 'state') return { state: await model.state(wait) }
  const page: FoundPage<unknown> = await model.find({ limit: 1e6 }, wait)
  const found = page.rows
  return Object.fromEntries(found.map(({ key, row }) => [key, row]))
}
