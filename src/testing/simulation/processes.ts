/**
 * The processes of a run, one at each place: they start, crash, are stopped and start again with the version that is
 * deployed there. Each reads the log by a subscription as long as it is there. The one at the first place continues
 * where the process before it was, and the others begin at the first event.
 */
import type { StartOptions } from '../../application/start-options.ts'
import { hasCode } from '../../domain/error.ts'
import type { Random } from '../random.ts'
import { Broken, codeOf, isExpectedIn } from './checks.ts'
import type { History, Reading } from './history.ts'
import { checkStopped } from './leaks.ts'
import type { Marks } from './marks.ts'
import type { PersonalData } from './personal-data.ts'
import type { Action } from './plan.ts'
import { SimulatedProcess } from './process.ts'
import type { SimulatedCluster } from './simulated-cluster.ts'
import type { Version } from './version.ts'
import type { Way } from './way.ts'
import type { Witness } from './witness.ts'
import type { World } from './world.ts'

export interface ProcessesOptions {
  readonly world: World
  readonly witness: Witness
  readonly way: Way
  /** Absent if the processes are no members of one. */
  readonly cluster: SimulatedCluster | undefined
  readonly history: History
  readonly marks: Marks
  readonly personal: PersonalData
  readonly versions: readonly Version[]
  readonly options: StartOptions
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
}

export class Processes {
  readonly #options: ProcessesOptions
  readonly #all: SimulatedProcess[] = []
  /** The version with which the process at each place starts next. */
  readonly #deployed: Version[]
  #lives = 0
  /** Those that are started again soon. */
  readonly #toRestart = new Set<SimulatedProcess>()
  /** What the reader at the first place was given. */
  #reading: Reading | undefined

  constructor(options: ProcessesOptions, count: number) {
    this.#options = options
    this.#deployed = Array.from({ length: count }, () => options.versions[0]!)
  }

  get all(): readonly SimulatedProcess[] {
    return this.#all
  }

  /** Whether every process is there. */
  get areThere(): boolean {
    return this.#all.every((each) => each.started !== undefined && !each.isDead && !this.#toRestart.has(each))
  }

  /** Whether the subscription of every process has given all events. */
  get haveReadAll(): boolean {
    const { history, witness } = this.#options
    const { length } = witness.events
    return this.#all.every(({ name }) => (history.readings.get(name)?.places.length ?? 0) >= length)
  }

  /** The process at a place if it is there, else another one; nothing if all are down. */
  reach(preferred: number): SimulatedProcess | undefined {
    return this.from(preferred)[0]
  }

  /** The processes that are there, the one at a place first. */
  from(preferred: number): readonly SimulatedProcess[] {
    const { length } = this.#all
    const all = this.#all.map((_, i) => this.#all[(preferred + i) % length]!)
    return all.filter(({ started, isDead }) => started !== undefined && !isDead)
  }

  start(): void {
    for (let place = 0; place < this.#deployed.length; place++) this.#boot(place, 0)
  }

  /** Ends all of them in the middle of everything. */
  crashAll(mostMs: number, random: Random): void {
    for (const [place, process] of this.#all.entries()) {
      if (!process.isDead) this.crash(process, place, random.int(0, mostMs))
    }
  }

  crash(process: SimulatedProcess, place: number, forMs: number): void {
    process.crash()
    this.#options.way.ended(process)
    this.#options.cluster?.links.ended(process)
    this.#options.world.after(forMs, `p${place + 1} boots`, () => this.#boot(place, process.skewMs))
  }

  /** Its store has halted, or its disk has failed: whoever looks after the processes starts it again. */
  restart(process: SimulatedProcess): void {
    if (process.isDead || this.#toRestart.has(process)) return
    this.#toRestart.add(process)
    const again = () => {
      this.#toRestart.delete(process)
      if (!process.isDead) this.crash(process, this.#all.indexOf(process), 500)
    }
    this.#options.world.after(100, `${process.name} is looked after`, again)
  }

  async stop(process: SimulatedProcess, place: number, forMs: number): Promise<void> {
    const { started } = process
    process.started = undefined
    const { world, fail } = this.#options
    try {
      await started!.stop()
      if (!process.isDead) checkStopped(process)
    } catch (error) {
      if (error instanceof Broken) fail(error)
      world.tell(`${process.name} stopped with ${error}`)
    }
    if (!process.isDead) this.crash(process, place, forMs)
  }

  deploy(place: number, { version: number, isCrash }: Action & { readonly kind: 'deploy' }): void {
    const { versions, way, world } = this.#options
    const process = this.#all[place]!
    const before = this.#deployed[place]!
    const version = versions[number]!
    this.#deployed[place] = version
    if (version.number < before.number) way.count('rollBack')
    world.tell(`${process.name}: version ${number} is deployed`)
    // One that is down starts with it.
    if (process.isDead) return
    if (isCrash || process.started === undefined) this.crash(process, place, 0)
    else void this.stop(process, place, 0)
  }

  /** Lets every process that runs another version end, and start with this one. All of them must be there. */
  deployAll(version: Version): void {
    for (const [place, process] of this.#all.entries()) {
      this.#deployed[place] = version
      if (process.version !== version) void this.stop(process, place, 0)
    }
  }

  #boot(place: number, skewMs: number): void {
    const { world, way, cluster, witness, history, marks, personal, versions, fail } = this.#options
    const version = this.#deployed[place]!
    const name = `p${place + 1}.${++this.#lives}`
    const process = new SimulatedProcess(name, version, world, skewMs, (newText) => personal.cipherOf(newText))
    this.#all[place] = process
    world.tell(`${process.name} starts${versions.length > 1 ? ` version ${version.number}` : ''}`)
    const onWarning = (code: string) => {
      if (code === 'PROJECTION_STOOD_BACK') marks.meet('an older version stands back from a newer event')
      if (code === 'LOCK_TAKEN_OVER') marks.meet('a lock is taken over from a process that has ended')
      if (code === 'TORN_TAIL_CUT') marks.meet('an unfinished end of a file is cut')
      if (code === 'MEMBER_REMOVED') marks.meet('a member that gives no answer is removed by another one')
    }
    const options = { ...this.#options.options, ...(cluster && { cluster: cluster.links.clusterOf(process, place) }) }
    process.start(way.storeOf(process), options, onWarning).then(
      () => {
        cluster?.begin(process)
        this.#subscribe(process, place)
      },
      (error) => {
        if (process.isDead) return
        world.tell(`${process.name} does not start: ${error}`)
        const isDamaged = codeOf(error) === 'STORE_CORRUPT'
        if (way.mayRefuse && !isDamaged) marks.meet('a store cannot be opened because its disk has failed')
        // Whoever looks after the processes starts it again.
        if ((cluster !== undefined || way.mayRefuse) && isExpectedIn(error, history, witness.era))
          this.crash(process, place, 500)
        else fail(new Broken('a process starts', `${process.name}: ${error}`, error))
      },
    )
  }

  /** Reads the log as long as the process is there. */
  #subscribe(process: SimulatedProcess, place: number): void {
    const { world, way, witness, history, marks, personal } = this.#options
    const begin = (): Reading => ({ places: [], era: witness.era, failure: undefined })
    const seen = (place === 0 ? this.#reading : undefined) ?? begin()
    if (place === 0) this.#reading = seen
    history.readings.set(process.name, seen)
    const follow = async () => {
      // A reader may come back when the log has grown again beyond what it knows. With one process it would be first.
      const isLate = way.mayRefuse && seen.era < witness.era && world.random.chance(0.5)
      if (isLate) await world.pause(world.random.int(0, 3000), 'a reader comes back', process)
      while (process.started !== undefined) {
        const after = seen.places.at(-1) ?? { position: 0 }
        try {
          for await (const { position, checksum, data } of process.started.events({ after })) {
            seen.places.push({ position, checksum })
            personal.saw(process, data)
            seen.era = witness.era
          }
          return
        } catch (error) {
          // An older version cannot read on.
          if (process.version.meetsNewer(error)) return
          if (hasCode(error, 'LOG_REPLACED') && !witness.log.has(after)) {
            marks.meet('a reader is told that the log is not the one that it has read')
            seen.places.length = 0
            continue
          }
          // A subscription tells its reader when the store fails. The reader continues after the last event.
          if (!isExpectedIn(error, history, witness.era)) throw error
          await world.pause(100, 'a reader waits', process)
        }
      }
    }
    follow().catch((error) => {
      seen.failure = error
    })
  }
}
