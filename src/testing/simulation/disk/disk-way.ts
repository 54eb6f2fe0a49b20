/**
 * The file store itself, on a simulated disk of a simulated machine. When its calls to the disk have their effect, and
 * which of them fail, follows from the seed of the run, like everything else. The machine may lose its power, so writes
 * are torn and reordered.
 *
 * After each start the log is compared with what could be seen before: what a process has shown once must stay.
 */
import type { StoreWarning } from '../../../runtime/warning.ts'
import { checkedFactory } from '../../../store/checked-store.ts'
import { firstPositionOf } from '../../../store/file/database/segment-name.ts'
import { behindHole, checksumOf, parseLine } from '../../../store/file/log/lines.ts'
import { eachEvent, isRecord } from '../../../store/file/log/record.ts'
import { type FileStoreSettings, openStore } from '../../../store/file/opening/open-store.ts'
import type { Range } from '../../../store/range.ts'
import type {
  CheckpointPlace,
  OpenOptions,
  Page,
  ProjectionStep,
  Store,
  StoredEvent,
  StoreFactory,
} from '../../../store/store.ts'
import type { Random } from '../../random.ts'
import { Broken, codeOf } from '../checks.ts'
import { type FaultRates, noFaults } from '../faults.ts'
import type { Marks } from '../marks.ts'
import type { SimulatedProcess } from '../process.ts'
import { changing, type Method, methods, type Restored } from '../simulated-store.ts'
import { type Answer, type Call, FaultCounts, type Watch, type Way } from '../way.ts'
import type { VisibleLog } from '../witness.ts'
import type { World } from '../world.ts'
import { Damage } from './damage.ts'
import { DiskCopies } from './disk-copies.ts'
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
  /** Somebody has named a damage of the store. */
  readonly named: (by: string) => void
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
}

const directory = '/simulated/store'
const changesCheckpoint: ReadonlySet<Method> = new Set<Method>(['saveStep', 'resetProjection'])

export class DiskWay implements Way, VisibleLog {
  readonly #options: DiskWayOptions
  readonly #disk: SimulatedDisk
  readonly #copies: DiskCopies
  readonly #machine = new SimulatedMachine()
  readonly #settings: Omit<FileStoreSettings, 'disk' | 'machine'>
  readonly #counts = new FaultCounts()
  readonly mayRefuse = true
  #rates: FaultRates = noFaults
  /** The log as processes have seen it. */
  readonly #events: StoredEvent[] = []
  /** Processes whose disk has failed. Their stores may have halted. */
  readonly #hurt = new Set<SimulatedProcess>()
  /** How many of them were stored by earlier batches than the last. */
  #certain = 0
  readonly #damage: Damage
  /** The store that was opened last. */
  /** Who hears when the log of the open store grows. */
  #listening: ReadonlySet<object> = new Set()
  #store: Store | undefined
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
    this.#damage = new Damage({ ...options, store: directory })
    this.#disk = new SimulatedDisk(random.fork())
    this.#copies = new DiskCopies(this.#disk, directory, random.fork())
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
        this.#damage.checkOpening()
        const warned: StoreWarning['code'][] = []
        const warn = (warning: StoreWarning) => {
          warned.push(warning.code)
          options.warn(warning)
        }
        const store = await this.#opened(settings, { ...options, warn })
        if (this.#damage.isThere) await this.#compareDamaged(store, warned)
        else this.#compare(process)
        store.onAppend(() => this.#grown())
        await this.#checkSteps(process, store)
        await this.#options.opened(store)
        world.tell(`${process.name} has opened the store with ${this.#events.length} events`)
        this.#store = store
        return this.#watched(process, store)
      },
    })
  }

  async #opened(settings: FileStoreSettings, options: OpenOptions): Promise<Store> {
    try {
      return await openStore(settings, options)
    } catch (error) {
      this.#damage.met(error)
      throw error
    }
  }

  ended(): void {
    if (this.#disk.isWaitedFor) this.#options.marks.meet('a process ends while its store waits for the disk')
    this.#disk.kill()
  }

  repair(): void {
    for (const process of this.#hurt) this.#options.restart(process)
    this.#hurt.clear()
  }

  disconnect(): void {}

  listenersOf(): number {
    return this.#listening.size
  }

  /** How many changes the store has acknowledged. */
  get changes(): number {
    return this.#copies.changes
  }

  /** Backups are made from now on. */
  backUp(): void {
    this.#copies.begin()
  }

  /** A backup is put back: the files are again as they were after so many changes, or before that. Nothing runs. */
  restore(changes: number, what: Restored): void {
    this.#copies.putBack(changes, what)
    this.#damage.end()
    // What was kept beside the log is dropped when the store is opened, as far as it is ahead of it.
    this.#lasting.clear()
    this.#read.clear()
    this.#events.length = 0
    this.#certain = 0
    this.#events.push(...this.#unread())
    const { marks } = this.#options
    marks.meet(what === 'all' ? 'a backup of all files is put back' : 'a backup of the files of the log is put back')
  }

  /** A write has landed at a wrong place. @returns what has happened; nothing if there is none that it could be */
  misdirect(): string | undefined {
    if (this.#damage.isThere) return undefined
    const endOf = (name: string, length: number) =>
      firstPositionOf(name) === undefined ? length : (this.#read.get(name) ?? 0)
    const told = this.#disk.misdirect(endOf)
    if (told !== undefined) {
      this.#damage.begin()
      this.#certain = Math.min(this.#certain, this.#provable())
    }
    return told
  }

  get isDamaged(): boolean {
    return this.#damage.isThere
  }

  /** Reads the whole log. Call it when a process has the store open, and the store is damaged. */
  async examine(): Promise<void> {
    await this.#damage.isHarmless(this.#store!, this.#events)
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
        if (changing.has(method) && 'value' in answer) this.#copies.changed(!this.#damage.isThere)
        if ('error' in answer) this.#damage.met(answer.error)
        else if (method === 'readStream') this.#damage.checkEvents(answer.value, this.#events)
        else if (method === 'readAll') this.#damage.checkEvents(answer.value.events, this.#events)
        watch.done(call, answer)
        if (method === 'saveStep' && 'value' in answer) this.#lasts(call.args[0], call.args[1])
        watch.answered(call, answer)
        if ('value' in answer) return answer.value
        this.#failed(process, method, codeOf(answer.error))
        throw answer.error
      }
    }
    const listening = new Set<object>()
    this.#listening = listening
    watched['onAppend'] = (listener: () => void) => {
      const [one, end] = [{}, store.onAppend(listener)]
      listening.add(one)
      return () => {
        listening.delete(one)
        end()
      }
    }
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

  /** The same on a disk that has written something at a wrong place. */
  async #compareDamaged(store: Store, warned: readonly StoreWarning['code'][]): Promise<void> {
    const found = await this.#damage.opened(store, warned, { seen: this.#events, certain: this.#certain })
    this.#unread()
    this.#events.push(...found)
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

  /**
   * How many events a damaged log proves to be stored: those before the damage, and all if a line behind it says that
   * it was written by a later batch. If two lines at the end are damaged, nothing tells them from one unfinished batch.
   */
  #provable(): number {
    let count = 0
    let isDamaged = false
    for (const bytes of this.#segments().values()) {
      for (let from = 0, end = bytes.indexOf(10); end !== -1; from = end + 1, end = bytes.indexOf(10, from)) {
        const line = bytes.subarray(from, end + 1)
        const found = parseLine(line)
        isDamaged ||= found === undefined
        const whole = found ?? parseLine(behindHole(line))
        if (!isRecord(whole)) continue
        if (!isDamaged) eachEvent(whole, 0, () => count++)
        else if ((whole.batch ?? whole.position) > count + 1) return Number.POSITIVE_INFINITY
      }
    }
    return count
  }

  /** The files of the log in order. */
  #segments(): ReadonlyMap<string, Buffer> {
    const files = this.#disk.filesIn(directory)
    const names = [...files.keys()].filter((name) => firstPositionOf(name) !== undefined).sort()
    return new Map(names.map((name) => [name, files.get(name)!]))
  }

  /** The events that are in the files and were not read yet. */
  #unread(): readonly StoredEvent[] {
    const events: StoredEvent[] = []
    for (const [name, bytes] of this.#segments()) {
      let from = this.#read.get(name) ?? 0
      for (let end = bytes.indexOf(10, from); end !== -1; end = bytes.indexOf(10, from)) {
        const line = bytes.subarray(from, end + 1)
        const record = parseLine(line)
        if (isRecord(record)) {
          eachEvent(record, checksumOf(line), (event) => events.push(event))
          this.#certain = (record.batch ?? record.position) - 1
        }
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
