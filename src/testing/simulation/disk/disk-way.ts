/**
 * The file store itself, on a simulated disk of a simulated machine. When its calls to the disk have their effect, and
 * which of them fail, follows from the seed of the run, like everything else. The machine may lose its power, so writes
 * are torn and reordered.
 *
 * After each start the log is compared with what could be seen before: what a process has shown once must stay.
 */
import { checkedFactory } from '../../../store/checked-store.ts'
import { firstPositionOf } from '../../../store/file/database/segment-name.ts'
import { checksumOf, parseLine } from '../../../store/file/log/lines.ts'
import { eachEvent, isRecord } from '../../../store/file/log/record.ts'
import { type FileStoreSettings, openStore } from '../../../store/file/opening/open-store.ts'
import type { Range } from '../../../store/range.ts'
import type { CheckpointPlace, Page, ProjectionStep, Store, StoredEvent, StoreFactory } from '../../../store/store.ts'
import type { Random } from '../../random.ts'
import { Broken, codeOf } from '../checks.ts'
import { type FaultRates, noFaults } from '../faults.ts'
import type { Marks } from '../marks.ts'
import type { SimulatedProcess } from '../process.ts'
import { type Method, methods } from '../simulated-store.ts'
import { type Answer, type Call, FaultCounts, type Watch, type Way } from '../way.ts'
import type { VisibleLog } from '../witness.ts'
import type { World } from '../world.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedMachine } from './simulated-machine.ts'

export interface DiskWayOptions {
  readonly world: World
  readonly random: Random
  readonly watch: Watch
  readonly marks: Marks
  /** A process has opened the store. */
  readonly opened: (store: Store) => Promise<void>
  /** A process has to start again, since its store refuses to write, or may do so. */
  readonly restart: (process: SimulatedProcess) => void
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
}

const directory = '/simulated/store'
const changesCheckpoint: ReadonlySet<Method> = new Set<Method>(['saveStep', 'resetProjection'])

export class DiskWay implements Way, VisibleLog {
  readonly #options: DiskWayOptions
  readonly #disk: SimulatedDisk
  readonly #machine = new SimulatedMachine()
  readonly #settings: Omit<FileStoreSettings, 'disk' | 'machine'>
  readonly #counts = new FaultCounts()
  readonly mayRefuse = true
  #rates: FaultRates = noFaults
  /** The log as processes have seen it. */
  readonly #events: StoredEvent[] = []
  /** Processes whose disk has failed. Their stores may have halted. */
  readonly #hurt = new Set<SimulatedProcess>()
  /** How far each segment was read, in bytes. */
  readonly #read = new Map<string, number>()
  readonly #listeners: (() => void)[] = []
  /** The last step of each projection that must last. */
  readonly #lasting = new Map<string, CheckpointPlace>()
  /** Whether the power has failed since the store was opened last. */
  #hasLostPower = false

  constructor(options: DiskWayOptions) {
    const { random } = options
    this.#options = options
    this.#disk = new SimulatedDisk(random.fork())
    // Real segments have millions of bytes, and a simulated log has thousands.
    const segmentBytesMax = random.pick([1500, 6000, 1_000_000])
    const compactBytesMin = random.pick([700, 4000, 1_000_000])
    this.#settings = { directory, segmentBytesMax, compactBytesMin, mayLoseOnPowerFailure: false }
  }

  get rates(): FaultRates {
    return this.#rates
  }

  set rates(rates: FaultRates) {
    this.#rates = rates
    void this.#disk.setFaults({ fail: rates.failDisk })
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts.all
  }

  count(fault: keyof FaultRates): void {
    this.#counts.count(fault)
  }

  storeOf(process: SimulatedProcess): StoreFactory {
    const { world, random } = this.#options
    const disk = this.#disk.mount((call, act) => this.#later(process, call, act))
    const isRunning = () => !process.isDead
    const machine = this.#machine.start({ loop: process.environment, random: random.fork(), isRunning })
    const settings = { ...this.#settings, disk, machine }
    return checkedFactory({
      name: 'simulated',
      open: async (options) => {
        const store = await openStore(settings, options)
        this.#compare(process)
        store.onAppend(() => this.#grown())
        await this.#checkSteps(process, store)
        await this.#options.opened(store)
        world.tell(`${process.name} has opened the store with ${this.#events.length} events`)
        return this.#watched(process, store)
      },
    })
  }

  ended(): void {
    if (this.#disk.isWaitedFor) this.#options.marks.meet('a process ends while its store waits for the disk')
    this.#disk.kill()
  }

  repair(): void {
    for (const process of this.#hurt) this.#options.restart(process)
    this.#hurt.clear()
  }

  disconnect(): void {
    throw new Error('a store on a simulated disk is not set back')
  }

  /** The power fails: nothing runs any more, and what is not durable is lost, in part or as a whole. */
  losePower(): void {
    if (this.#disk.isWaitedFor) this.#options.marks.meet('a process ends while its store waits for the disk')
    this.#hasLostPower = true
    this.#machine.restart()
    this.#disk.failPower()
  }

  onAppend(listener: () => void): void {
    this.#listeners.push(listener)
  }

  async readAll({ from }: Range): Promise<Page> {
    const events = this.#events.slice(from - 1)
    return { events, examined: this.#events.length, checksum: this.#events.at(-1)?.checksum ?? 0, isLast: true }
  }

  /** A call to the disk takes some time, most often less than a millisecond. */
  #later(process: SimulatedProcess, call: string, act: () => void): void {
    const { world } = this.#options
    const isSlow = world.random.chance(this.#rates.slow)
    if (isSlow) this.count('slow')
    const delayMs = isSlow ? world.random.int(50, 3000) : 0.02 + 0.5 * world.random.next() ** 3
    const label = `${process.name} ${call}`
    const run = () => {
      const { failures } = this.#disk
      act()
      if (this.#disk.failures === failures) return
      this.#hurt.add(process)
      this.count('failDisk')
      world.tell(`${label}: failDisk`)
    }
    world.after(delayMs, label, run, process)
  }

  #watched(process: SimulatedProcess, store: Store): Store {
    const { watch } = this.#options
    const { name, limits, singleWriter } = store
    const watched: Record<string, unknown> = { name, limits, singleWriter }
    for (const method of methods) {
      watched[method] = async (...args: readonly unknown[]) => {
        const call: Call = { process, method, args }
        watch.sent(call)
        if (changesCheckpoint.has(method)) this.#goesBack(call.args[0], call.args[1])
        const answer = await answerOf(store, method, args)
        watch.done(call, answer)
        if (method === 'saveStep' && 'value' in answer) this.#lasts(call.args[0], call.args[1])
        watch.answered(call, answer)
        if ('value' in answer) return answer.value
        this.#failed(process, method, codeOf(answer.error))
        throw answer.error
      }
    }
    watched['onAppend'] = (listener: () => void) => store.onAppend(listener)
    watched['close'] = () => store.close()
    return Object.freeze(watched) as unknown as Store
  }

  #failed(process: SimulatedProcess, method: Method, code: string | undefined): void {
    const { marks, restart } = this.#options
    const isUndone = code === 'NOT_STORED' || code === 'STORE_FULL'
    if (method === 'append' && isUndone) marks.meet('a batch is undone because the disk has failed')
    if (code !== 'STORE_HALTED') return
    marks.meet('a store halts because its disk has failed')
    restart(process)
  }

  // -- the log as it is ----------------------------------------------------------------------------------------------

  #grown(): void {
    this.#events.push(...this.#unread())
    for (const listener of this.#listeners) listener()
  }

  /** What could be seen before must be there; what was on its way may be there. */
  #compare({ name }: SimulatedProcess): void {
    this.#read.clear()
    const found = this.#unread()
    const lost = this.#events.findIndex(({ checksum }, i) => found[i]?.checksum !== checksum)
    if (lost !== -1) {
      const { stream, type, commitId } = this.#events[lost]!
      const what = `event ${lost + 1} (${type} of ${stream.aggregate} ${stream.id}, commit ${commitId})`
      const reason = `${name} opens the store, and ${what} is ${found[lost] === undefined ? 'lost' : 'another one'}`
      this.#options.fail(new Broken('what was stored stays stored', reason))
      return
    }
    const isMore = found.length > this.#events.length
    if (isMore && this.#hasLostPower) this.#options.marks.meet('a power failure leaves what nobody was told about')
    this.#hasLostPower = false
    this.#events.push(...found.slice(this.#events.length))
    for (const listener of this.#listeners) listener()
  }

  /** A projection may go back from now on: by a step, or since all of it is deleted. */
  #goesBack(projection: string, step: ProjectionStep | undefined): void {
    const { position } = this.#lasting.get(projection) ?? { position: 0 }
    if (step === undefined || step.to.position < position) this.#lasting.delete(projection)
  }

  #lasts(projection: string, { to, mayBeLost }: ProjectionStep): void {
    if (mayBeLost !== true) this.#lasting.set(projection, to)
  }

  async #checkSteps({ name }: SimulatedProcess, store: Store): Promise<void> {
    for (const [projection, { position, term }] of this.#lasting) {
      const found = await store.loadCheckpoint(projection)
      if (found.position >= position && found.term >= term) continue
      const [is, was] = [found, { position, term }].map((place) => `position ${place.position}, term ${place.term}`)
      const reason = `${name} opens the store, and ${projection} is at ${is}, and was at ${was}`
      this.#options.fail(new Broken('a step that must last stays stored', reason))
    }
  }

  /** The events that are in the files and were not read yet. */
  #unread(): readonly StoredEvent[] {
    const events: StoredEvent[] = []
    const files = this.#disk.filesIn(directory)
    const segments = [...files.keys()].filter((name) => firstPositionOf(name) !== undefined).sort()
    for (const name of segments) {
      const bytes = files.get(name)!
      let from = this.#read.get(name) ?? 0
      for (let end = bytes.indexOf(10, from); end !== -1; end = bytes.indexOf(10, from)) {
        const line = bytes.subarray(from, end + 1)
        const record = parseLine(line)
        if (isRecord(record)) eachEvent(record, checksumOf(line), (event) => events.push(event))
        from = end + 1
      }
      this.#read.set(name, from)
    }
    return events
  }
}

async function answerOf(store: Store, method: Method, args: readonly unknown[]): Promise<Answer> {
  try {
    return { value: await (store[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args) }
  } catch (error) {
    return { error }
  }
}
