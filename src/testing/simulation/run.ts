/**
 * One run of a plan: processes start, faults begin, clients, faults and operators do what the plan says, faults end,
 * and everything has to come to rest. Then all promises are checked.
 */
import type { StartOptions } from '../../application/start-options.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import { Random } from '../random.ts'
import { Backups, type Restoring } from './backups.ts'
import { Broken, checkAll, Evidence } from './checks.ts'
import { Clients, hesitantIn } from './clients.ts'
import { checkInvariants, type Invariants } from './end-of-run.ts'
import { type FaultRates, noFaults } from './faults.ts'
import { Forgettings } from './forgettings.ts'
import { emptyHistory, type History } from './history.ts'
import { checkStoppedAtRest, hasNoInstances } from './leaks.ts'
import { type Mark, Marks } from './marks.ts'
import { Operators } from './operators.ts'
import { PersonalData } from './personal-data.ts'
import type { Action, OfClients, Plan } from './plan.ts'
import { beginMs, leaseMsDefault, type SimulatedProcess } from './process.ts'
import { Processes } from './processes.ts'
import { type Profile, profiles } from './profiles.ts'
import { caughtUp, checkRows, partsOf, type RestOptions, readRows, rowsOf, sent } from './read-side.ts'
import { SimulatedCluster } from './simulated-cluster.ts'
import { SimulatedStore } from './simulated-store.ts'
import { type StoreOfRun, storeOfRun } from './store-of-run.ts'
import type { Version } from './version.ts'
import type { Answer, Call } from './way.ts'
import { Witness } from './witness.ts'
import { World } from './world.ts'

export interface RunOptions {
  /** The versions of the domain, the first first. */
  readonly versions: readonly Version[]
  /** Whether the processes are members of one cluster. */
  readonly isCluster: boolean
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

/** Some pages have so many events or rows at most. */
const pageMax = 6
/** All must have come to rest after so long without faults, in milliseconds. */
const restMsMax = 300_000

/** So long after faults end, every scheduled command that is due until then must have been sent, in milliseconds. */
const scheduledMsMax = 150_000

/** What happens to a process, or what an operator does there. */
type Befalling = Exclude<Action, OfClients | { readonly kind: 'deploy' | 'forget' } | Restoring>

/** Runs a plan. Never throws what a broken promise is. */
export async function runPlan(options: RunOptions, plan: Plan): Promise<Run> {
  options.reset()
  const world = new World(new Random(plan.seed), options.agenda)
  // Leases and reservations are measured by a clock that is one for all: the server's, or that of the machine.
  const clock = { skewMs: 0 }
  const present = () => beginMs + Math.floor(world.nowMs) + clock.skewMs
  const random = new Random(plan.seed ^ 0x5708e)
  const profile = profiles[plan.profile]
  const store = await SimulatedStore.of({ name: 'simulated', profile, present, random, pageMax })
  const simulation = new Simulation(options, plan, world, store, clock)
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
  readonly #store: StoreOfRun
  readonly #profile: Profile
  /** By how much the machine of all processes is wrong, if they are on one. */
  readonly #clock: { skewMs: number }
  readonly #witness: Witness
  readonly #cluster: SimulatedCluster | undefined
  readonly #history: History = emptyHistory()
  readonly #marks = new Marks()
  readonly #clients: Clients
  readonly #operators: Operators
  readonly #processes: Processes
  readonly #personal: PersonalData
  readonly #forgettings: Forgettings
  readonly #backups: Backups
  #failure: Broken | undefined
  #areFaultsOver = false

  constructor(options: RunOptions, plan: Plan, world: World, store: SimulatedStore, clock: { skewMs: number }) {
    this.#clock = clock
    this.#options = options
    this.#plan = plan
    this.#profile = store.profile
    const fail = (broken: Broken) => this.#fail(broken)
    const [history, marks] = [this.#history, this.#marks]
    this.#world = world
    const personal = new PersonalData({ world, marks, fail })
    this.#personal = personal
    const restart = (process: SimulatedProcess) => this.#processes.restart(process)
    const done = (call: Call, answer: Answer) => this.#done(call, answer)
    const named = (by: string) => this.#backups.named(by)
    this.#store = storeOfRun({ world, store, seed: plan.seed, marks, personal, done, restart, named, fail })
    const { way } = this.#store
    const witness = new Witness(this.#store.log, (event) => personal.opened(event))
    this.#witness = witness
    this.#clients = new Clients({
      world,
      witness,
      history,
      marks,
      personal,
      reach: (preferred) => this.#processes.reach(preferred),
      fail,
      hesitant: hesitantIn(plan),
    })
    this.#operators = new Operators({ world, history, marks })
    const connected = { world, way, marks, profile: store.profile, fail }
    this.#cluster = options.isCluster ? new SimulatedCluster(connected) : undefined
    const parts = {
      world,
      cluster: this.#cluster,
      witness,
      way,
      history,
      marks,
      personal,
      versions: options.versions,
      options: options.options,
    }
    this.#processes = new Processes({ ...parts, fail }, plan.processes)
    const [processes, operators, newest] = [this.#processes, this.#operators, this.#newest.domain]
    this.#backups = new Backups({
      world,
      store: this.#store,
      witness,
      history,
      marks,
      processes,
      operators,
      newest,
      leaseMs: options.options.leaseMs ?? leaseMsDefault,
    })
    const log = () => witness.events
    this.#forgettings = new Forgettings({ world, personal, log, processes: () => processes.all, fail })
  }

  resultWith(broken: Broken | undefined): Run {
    const { hash, count, lines } = this.#world
    const [faults, marks, events] = [this.#store.way.counts, this.#marks.counts, this.#witness.events.length]
    return { broken, hash, count, lines, faults, marks, events }
  }

  async run(): Promise<void> {
    this.#world.tell(`the store behaves as ${this.#plan.profile}`)
    this.#processes.start()
    await this.#until('processes start', () => this.#processes.areThere)
    for (const [i, command] of this.#options.first.entries()) {
      const sending = this.#wait(this.#clients.send(-1 - i, command, true, 0))
      await this.#until('the first commands are answered', sending)
    }
    this.#store.way.rates = this.#plan.rates
    this.#backups.begin(this.#plan.actions)
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
    if (call.method === 'saveStep' && !('error' in answer)) this.#personal.changed(call.args[0], call.args[1].rows)
    if (call.method !== 'saveSnapshot' || 'error' in answer) return
    this.#history.snapshots.push({ era: this.#witness.era, version: call.process.version, snapshot: call.args[0] })
  }

  #act(action: Action): void {
    const { process: place } = action
    const process = this.#processes.all[place]!
    if (action.kind === 'command') {
      void this.#clients.send(action.client, action.command, action.isRepeatable, place)
    } else if (action.kind === 'repeat') {
      this.#tell(process, action.kind, `of client ${action.client}`)
      void this.#clients.repeat(action.client, place)
    } else if (action.kind === 'reuse') this.#clients.reuse(action, place, this.#store.way)
    else if (action.kind === 'giveUp') this.#clients.giveUp(action.client, this.#store.way)
    else if (action.kind === 'state') void this.#clients.read(action.aggregate, action.id, place)
    else if ('changes' in action) void this.#backups.act(action)
    else if (action.kind === 'deploy') {
      this.#processes.deploy(place, { ...action, isCrash: action.isCrash && !this.#isOneProcess })
    } else if (process.started === undefined || process.isDead) return
    else if (action.kind === 'forget') {
      this.#tell(process, action.kind, `of ${action.subject}`)
      void this.#forgettings.begin(process, action.subject)
    } else this.#befall(process, place, action)
  }

  /** Lets something happen to a process that is there. */
  #befall(process: SimulatedProcess, place: number, action: Befalling): void {
    const how = 'key' in action ? `of ${action.key}` : 'forMs' in action ? `for ${action.forMs} ms` : ''
    this.#tell(process, action.kind, action.kind === 'setClock' ? `to be wrong by ${action.byMs} ms` : how)
    switch (action.kind) {
      case 'setClock':
        this.#setClock(process, action.byMs)
        break
      case 'freeze':
        for (const each of this.#isOneProcess ? this.#processes.all : [process]) each.freeze(action.forMs)
        break
      case 'partition':
        this.#marks.cut(process)
        process.cut(action.forMs)
        break
      case 'cut':
        this.#cluster!.links.cut(place, action.other, action.forMs)
        break
      case 'losePower':
        this.#store.losePower()
        this.#processes.crash(process, place, action.forMs)
        break
      case 'crash':
        this.#processes.crash(process, place, action.forMs)
        break
      case 'stop':
        void this.#processes.stop(process, place, action.forMs)
        break
      default:
        void this.#operators.operate(this.#processes.from(place), action)
    }
  }

  /** Whether the processes are domains in one real process, since the store is in its memory. */
  get #isOneProcess(): boolean {
    return this.#profile.way === 'within the process'
  }

  #setClock(process: SimulatedProcess, byMs: number): void {
    const isShared = this.#profile.clock === 'of the machine'
    if (isShared) this.#clock.skewMs = byMs
    for (const each of isShared ? this.#processes.all : [process]) each.setClock(byMs)
  }

  #tell(process: SimulatedProcess, what: keyof FaultRates, how: string): void {
    this.#store.way.count(what)
    this.#world.tell(`${process.name}: ${what} ${how}`)
  }

  // -- the end ---------------------------------------------------------------------------------------------------

  async #comeToRest(): Promise<void> {
    this.#store.way.rates = noFaults
    this.#areFaultsOver = true
    this.#world.tell('faults end')
    this.#cluster?.links.heal()
    this.#store.way.repair()
    for (const process of this.#processes.all) {
      process.heal()
      this.#setClock(process, 0)
    }
    await this.#until('what is damaged is put right', this.#wait(this.#backups.heal()))
    await this.#until('every client is answered', () => this.#clients.waiting === 0)
    await this.#until('every operator has finished', () => this.#operators.working + this.#forgettings.working === 0)
    await this.#deployNewest()
    for (const [what, isSo] of this.#cluster?.settling(this.#processes.all) ?? []) await this.#until(what, isSo)
    const resumed = this.#operators.resumeAll(this.#processes.all, partsOf(this.#newest.domain))
    await this.#until('pauses end', this.#wait(resumed))
    await this.#until('what has handled another log can be repaired', this.#wait(this.#backups.repairAll()))
    await this.#until('projections and reactions catch up', this.#wait(caughtUp(this.#rest)))
    await this.#until('every scheduled command is sent when it is due', this.#wait(sent(this.#rest, scheduledMsMax)))
    await this.#until('projections and reactions catch up', this.#wait(caughtUp(this.#rest)))
    for (const part of partsOf(this.#newest.domain)) {
      const retrying = this.#operators.retryAll(this.#processes.all, part)
      await this.#until('parked events can be tried again', this.#wait(retrying))
    }
    await this.#until('projections and reactions catch up', this.#wait(caughtUp(this.#rest)))
    const shared = this.#cluster?.shared(this.#processes.all) ?? Promise.resolve()
    await this.#until('each projection and each reaction runs where it should', this.#wait(shared))
    await this.#until('every subscription comes to the end of the log', () => this.#processes.haveReadAll)
    await this.#until('whoever was named is forgotten', this.#wait(this.#forgettings.finish(this.#processes.all[0]!)))
    const deciders = this.#options.isCluster ? this.#options.versions : undefined
    const evidence = new Evidence(this.#witness, this.#history, deciders, (isSo) => this.#personal.isEither(isSo))
    checkAll(evidence)
    const rows = await this.#checkReadSide()
    this.#personal.hideForgotten()
    checkInvariants(this.#options.invariants, this.#newest, evidence, { rows, tables: this.#store.tables })
    for (const process of this.#processes.all) {
      await this.#until('idle instances leave memory', () => hasNoInstances(process, this.#options.options))
      await this.#until('a process stops', this.#wait(process.started!.stop()))
      checkStoppedAtRest(process, this.#store.way, this.#cluster)
      process.crash()
    }
  }

  get #newest(): Version {
    return this.#options.versions.at(-1)!
  }

  /** Waits until every process is there, with the newest version. */
  async #deployNewest(): Promise<void> {
    await this.#until('every process comes back', () => this.#processes.areThere)
    this.#processes.deployAll(this.#newest)
    await this.#until('every process comes back', () => this.#processes.areThere)
  }

  get #rest(): RestOptions {
    return { world: this.#world, witness: this.#witness, processes: this.#processes.all }
  }

  /** @returns the rows of each projection */
  async #checkReadSide(): Promise<ReadonlyMap<string, ReadonlyMap<string, unknown>>> {
    const all = new Map<string, ReadonlyMap<string, unknown>>()
    const version = this.#newest
    for (const process of this.#processes.all) {
      await this.#until('no command stays in flight', () => process.started!.load().commandsInFlight === 0)
      for (const [key, projection] of rowsOf(version.domain)) {
        for (let isDone = false; !isDone; ) {
          const { length } = this.#witness.events
          const found = await this.#result(readRows(process, key, projection, this.#witness, restMsMax))
          this.#personal.saw(process, found)
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
