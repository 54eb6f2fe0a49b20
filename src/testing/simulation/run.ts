/**
 * One run of a plan: processes start, faults begin, clients, faults and operators do what the plan says, faults end,
 * and everything has to come to rest. Then all promises are checked.
 */
import type { StartOptions } from '../../application/start-options.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import { memory } from '../../store/memory/index.ts'
import type { LogPlace } from '../../store/store.ts'
import { Random } from '../random.ts'
import { Broken, checkAll, Evidence, isExpected } from './checks.ts'
import { Clients } from './clients.ts'
import { checkInvariants, type Invariants } from './end-of-run.ts'
import { type FaultRates, noFaults } from './faults.ts'
import { emptyHistory, type History } from './history.ts'
import { type Mark, Marks } from './marks.ts'
import { type Answer, type Call, Network } from './network.ts'
import { Operators } from './operators.ts'
import type { Action, Plan } from './plan.ts'
import { SimulatedProcess } from './process.ts'
import { checkRows, partsOf, readRows, rowsOf, standAt } from './read-side.ts'
import type { Version } from './version.ts'
import { Witness } from './witness.ts'
import { World } from './world.ts'

export interface RunOptions {
  /** The versions of the domain, the first first. */
  readonly versions: readonly Version[]
  /** Commands that are sent before faults begin, one after the other. */
  readonly first: readonly PlainCommand[]
  readonly options: StartOptions
  readonly invariants: Invariants
  /** Empties what handlers of the domain write to. */
  readonly reset: () => void
  /** Decides in which order things happen; by default their times do. */
  readonly agenda?: ConstructorParameters<typeof World>[1]
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
  readonly marks: ReadonlyMap<Mark, number>
  readonly events: number
}

/** All must have come to rest after so long without faults, in milliseconds. */
const restMsMax = 300_000

/** What happens to a process, or what an operator does there. */
type Befalling = Exclude<Action, { readonly kind: 'command' | 'repeat' | 'state' | 'deploy' }>

/** Runs a plan. Never throws what a broken promise is. */
export async function runPlan(options: RunOptions, plan: Plan): Promise<Run> {
  options.reset()
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
  readonly #marks = new Marks()
  readonly #clients: Clients
  readonly #operators: Operators
  readonly #processes: SimulatedProcess[] = []
  /** The version with which the process at each place starts next. */
  readonly #deployed: Version[]
  #lives = 0
  #failure: Broken | undefined
  #areFaultsOver = false

  constructor(options: RunOptions, plan: Plan, witness: Witness, factory: ReturnType<typeof memory>) {
    this.#options = options
    this.#plan = plan
    this.#witness = witness
    const [world, history, marks] = [new World(new Random(plan.seed), options.agenda), this.#history, this.#marks]
    this.#world = world
    this.#network = new Network(world, factory, noFaults, {
      sent: (call) => marks.sent(call),
      done: (call, answer) => this.#done(call, answer),
      answered: (call, answer) => marks.answered(call, answer),
    })
    this.#clients = new Clients({ world, witness, history, marks, reach: (preferred) => this.#reach(preferred) })
    this.#operators = new Operators({ world, history, marks })
    this.#deployed = Array.from({ length: plan.processes }, () => options.versions[0]!)
  }

  resultWith(broken: Broken | undefined): Run {
    const { hash, count, lines } = this.#world
    const { counts: marks } = this.#marks
    return { broken, hash, count, lines, faults: this.#network.counts, marks, events: this.#witness.events.length }
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

  #done(call: Call, answer: Answer): void {
    this.#marks.done(call, answer)
    if (call.method !== 'saveSnapshot' || 'error' in answer) return
    this.#history.snapshots.push({ version: call.process.version, snapshot: call.args[0] })
  }

  // -- processes -----------------------------------------------------------------------------------------------

  #boot(place: number, skewMs: number): void {
    const version = this.#deployed[place]!
    const process = new SimulatedProcess(`p${place + 1}.${++this.#lives}`, version, this.#world, skewMs)
    this.#processes[place] = process
    this.#world.tell(`${process.name} starts${this.#options.versions.length > 1 ? ` version ${version.number}` : ''}`)
    const onWarning = (code: string) => {
      if (code === 'PROJECTION_STOOD_BACK') this.#marks.meet('an older version stands back from a newer event')
    }
    process.start(this.#network.storeOf(process), this.#options.options, onWarning).then(
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
          // An older version cannot read on.
          if (process.version.meetsNewer(error)) return
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

  get #newest(): Version {
    return this.#options.versions.at(-1)!
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
    else if (action.kind === 'deploy') this.#deploy(process, place, action)
    else if (process.started !== undefined && !process.isDead) this.#befall(process, place, action)
  }

  /** Lets something happen to a process that is there. */
  #befall(process: SimulatedProcess, place: number, action: Befalling): void {
    const how = 'key' in action ? `of ${action.key}` : 'forMs' in action ? `for ${action.forMs} ms` : ''
    this.#tell(process, action.kind, action.kind === 'setClock' ? `by ${action.byMs} ms` : how)
    switch (action.kind) {
      case 'setClock':
        process.setClock(action.byMs)
        break
      case 'freeze':
        process.freeze(action.forMs)
        break
      case 'partition':
        this.#marks.cut(process)
        process.cut(action.forMs)
        break
      case 'crash':
        this.#crash(process, place, action.forMs)
        break
      case 'stop':
        void this.#stop(process, place, action.forMs)
        break
      default:
        void this.#operators.operate(process, action)
    }
  }

  #deploy(
    process: SimulatedProcess,
    place: number,
    { version: number, isCrash }: Action & { readonly kind: 'deploy' },
  ): void {
    const before = this.#deployed[place]!
    const version = this.#options.versions[number]!
    this.#deployed[place] = version
    if (version.number < before.number) this.#network.count('rollBack')
    this.#world.tell(`${process.name}: version ${number} is deployed`)
    // One that is down starts with it.
    if (process.isDead) return
    if (isCrash || process.started === undefined) this.#crash(process, place, 0)
    else void this.#stop(process, place, 0)
  }

  #tell(process: SimulatedProcess, what: keyof FaultRates, how: string): void {
    this.#network.count(what)
    this.#world.tell(`${process.name}: ${what} ${how}`)
  }

  #crash(process: SimulatedProcess, place: number, forMs: number): void {
    process.crash()
    this.#world.after(forMs, `p${place + 1} boots`, () => this.#boot(place, process.skewMs))
  }

  async #stop(process: SimulatedProcess, place: number, forMs: number): Promise<void> {
    const { started } = process
    process.started = undefined
    try {
      await started!.stop()
    } catch (error) {
      this.#world.tell(`${process.name} stopped with ${error}`)
    }
    if (!process.isDead) this.#crash(process, place, forMs)
  }

  // -- the end ---------------------------------------------------------------------------------------------------

  async #comeToRest(): Promise<void> {
    this.#network.rates = noFaults
    this.#areFaultsOver = true
    this.#world.tell('faults end')
    for (const process of this.#processes) process.heal()
    await this.#until('every client is answered', () => this.#clients.waiting === 0)
    await this.#until('every operator has finished', () => this.#operators.working === 0)
    await this.#deployNewest()
    await this.#until('projections and reactions catch up', this.#wait(this.#caughtUp()))
    for (const part of partsOf(this.#newest.domain)) {
      const retrying = this.#operators.retryAll(this.#processes, part)
      await this.#until('parked events can be tried again', this.#wait(retrying))
    }
    await this.#until('projections and reactions catch up', this.#wait(this.#caughtUp()))
    await this.#until('every subscription comes to the end of the log', () =>
      this.#areRead(this.#witness.events.length),
    )
    const evidence = new Evidence(this.#witness, this.#history)
    checkAll(evidence)
    const rows = await this.#checkReadSide()
    checkInvariants(this.#options.invariants, this.#newest, evidence, rows)
    for (const process of this.#processes) {
      await this.#until('a process stops', this.#wait(process.started!.stop()))
      process.crash()
    }
  }

  /** Waits until every process is there, with the newest version. */
  async #deployNewest(): Promise<void> {
    const areThere = () => this.#processes.every(({ started, isDead }) => started !== undefined && !isDead)
    await this.#until('every process comes back', areThere)
    for (const [place, process] of this.#processes.entries()) {
      this.#deployed[place] = this.#newest
      if (process.version !== this.#newest) void this.#stop(process, place, 0)
    }
    await this.#until('every process comes back', areThere)
  }

  #areRead(head: number): boolean {
    const { subscriptions } = this.#history
    return this.#processes.every(({ name }) => (subscriptions.get(name)?.positions.length ?? 0) >= head)
  }

  /** Waits until all of every process stand at the end of the log, twice at the same end. */
  async #caughtUp(): Promise<void> {
    let before = -1
    for (;;) {
      await this.#world.pause(200, 'looks')
      const head = this.#witness.events.length
      const areThere = await standAt(head, this.#processes)
      if (areThere && head === before) return
      before = areThere ? head : -1
    }
  }

  /** @returns the rows of each projection */
  async #checkReadSide(): Promise<ReadonlyMap<string, ReadonlyMap<string, unknown>>> {
    const all = new Map<string, ReadonlyMap<string, unknown>>()
    const version = this.#newest
    for (const process of this.#processes) {
      await this.#until('no command stays in flight', () => process.started!.load().commandsInFlight === 0)
      for (const [key, projection] of rowsOf(version.domain)) {
        for (let isDone = false; !isDone; ) {
          const { length } = this.#witness.events
          const found = await this.#result(readRows(process, key, projection, this.#witness, restMsMax))
          const parked = await this.#result(process.started!.projections.parked(key))
          // A timer may have come due meanwhile.
          if (this.#witness.events.length !== length) continue
          const left = {
            parked: new Set(parked.map(({ position }) => position)),
            skipped: this.#history.skipped.get(key) ?? new Set<number>(),
          }
          all.set(key, checkRows({ key, projection, version, ...left }, this.#witness.events, found))
          isDone = true
        }
      }
    }
    return all
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

  /** Lets the world go on until some reading is done. */
  async #result<Result>(reading: Promise<Result>): Promise<Result> {
    await this.#until('rows can be read', this.#wait(reading))
    return reading
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
