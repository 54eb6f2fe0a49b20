/**
 * The way between a process and its store. Each call takes its time there and back, and may fail on the way. What the
 * store does happens at one moment, as in a real one; how the moments of several calls follow each other, chance
 * decides. What can go wrong depends on the profile of the store: a disk loses no answers, and within the process a
 * call takes no time.
 */
import { StoreError } from '../../domain/error.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { Commit } from '../../store/commit.ts'
import type { Store, StoreFactory } from '../../store/store.ts'
import type { FaultRates } from './faults.ts'
import { noticedMs } from './late-reservations.ts'
import type { SimulatedProcess } from './process.ts'
import { type Method, methods, type SimulatedStore } from './simulated-store.ts'
import { type Ask, type SqlWayOptions, sqlWay } from './sql-way.ts'
import { type Answer, type Call, FaultCounts, type Watch, type Way } from './way.ts'
import type { World } from './world.ts'

/** Calls that may have their effect twice: a driver or a proxy may send them again. */
const mayRepeat: ReadonlySet<Method> = new Set<Method>(['append', 'saveStep'])

export class Network implements Way {
  readonly #world: World
  readonly #store: SimulatedStore
  readonly #watch: Watch
  rates: FaultRates
  readonly #counts = new FaultCounts()
  readonly mayRefuse = false

  /** Raised when all connections end. What was on its way then never arrives. */
  #connections = 0

  constructor(world: World, store: SimulatedStore, rates: FaultRates, watch: Watch) {
    this.#world = world
    this.#store = store
    this.rates = rates
    this.#watch = watch
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts.all
  }

  storeOf(process: SimulatedProcess): StoreFactory {
    return {
      name: 'simulated',
      open: async () => {
        if (!this.#isWithin) await this.#world.pause(this.#latency(), `${process.name} open`, process)
        await this.#store.open(process)
        return this.#reached(process)
      },
    }
  }

  repair(): void {}

  listenersOf(process: SimulatedProcess): number {
    return this.#store.listenersOf(process)
  }

  disconnect(): void {
    this.#connections++
  }

  ended(process: SimulatedProcess): void {
    this.#store.close(process)
    // A file is free at once. A server notices later that nobody is there any more.
    const { tables, profile } = this.#store
    if (!tables.isUsedBy(process)) return
    this.#watch.missed()
    if (profile.way === 'disk') tables.endOf(process)
    else this.#world.after(this.#latency(), `${process.name} is missed`, () => tables.endOf(process))
  }

  /** How a process reaches the tables of users: as `SqlWay` has it. */
  #sqlOf(process: SimulatedProcess): Pick<Store, 'transact' | 'readSql'> {
    const ask: Ask = (doing, args, effect) => {
      const connection = this.#connections
      const call = { process, method: 'transact', args } as const
      return this.#exchange(call, doing, connection, effect)
    }
    const later: SqlWayOptions['later'] = (what, run, owner) =>
      this.#world.after(this.#latency(), `${process.name} ${what}`, run, owner)
    const after: SqlWayOptions['after'] = (delayMs, what, run, owner) =>
      this.#world.after(delayMs, `${process.name} ${what}`, run, owner)
    return sqlWay({ store: this.#store, process, ask, later, after })
  }

  get #isWithin(): boolean {
    return this.#store.profile.way === 'within the process'
  }

  #reached(process: SimulatedProcess): Store {
    const store = this.#store
    const { singleWriter } = store.profile
    const reached: Record<string, unknown> = { name: 'simulated', limits: store.limits, singleWriter }
    for (const method of methods) {
      reached[method] = (...args: readonly unknown[]) => this.#call({ process, method, args })
    }
    if (store.profile.hasSql) Object.assign(reached, this.#sqlOf(process))
    reached['onAppend'] = (listener: () => void) => store.onAppend(() => this.#hint(process, listener), process)
    reached['close'] = async () => {
      if (!this.#isWithin) await this.#world.pause(this.#latency(), `${process.name} close`, process)
      store.close(process)
    }
    return Object.freeze(reached) as unknown as Store
  }

  #call(call: Call): Promise<unknown> {
    if (this.#isWithin) return this.#callWithin(call)
    const connection = this.#connections
    const askedAt = this.#store.now
    return this.#exchange(call, call.method, connection, () => this.#effect(call, connection, askedAt))
  }

  /** Lets the store do something, there and back. */
  #exchange(call: Call, doing: string, connection: number, effect: () => Promise<unknown>): Promise<any> {
    const { process, method } = call
    const label = `${process.name} ${doing}`
    this.#watch.sent(call)
    return new Promise((resolve, reject) => {
      const answer = (result: Answer) => {
        const settle = () => {
          const told = process.isCut ? { error: this.#failure(method) } : result
          this.#watch.answered(call, told)
          if ('value' in told) resolve(told.value)
          else reject(told.error)
        }
        this.#world.after(this.#latency(), `${label} answered`, settle, process)
      }
      const failed = () => answer({ error: this.#failure(method) })
      const act = (tell: (result: Answer) => void) => {
        const done = (result: Answer) => {
          this.#watch.done(call, result)
          tell(result)
        }
        effect().then(
          (value) => done({ value }),
          (error) => done({ error }),
        )
      }
      // What is on its way on a network arrives, whatever becomes of the process, unless the way is cut.
      const owner = this.#store.profile.way === 'disk' || this.#standsStill(process, label) ? process : undefined
      const arrive = (delayMs: number, tell: (result: Answer) => void) => {
        const arrived = () =>
          process.isCut || this.#connections > connection ? tell({ error: this.#failure(method) }) : act(tell)
        this.#world.after(delayMs, `${label} arrives`, arrived, owner)
      }
      const { rates } = this
      if (process.isCut || this.#happens('failBefore', rates.failBefore, label)) {
        // Whether somebody was there to take it may be known.
        const isKnown = this.#store.profile.looksItself && this.#world.random.chance(0.5)
        return isKnown ? answer({ error: this.#failure(method, isKnown) }) : failed()
      }
      if (this.#happens('actLater', rates.actLater, label)) {
        failed()
        arrive(this.#latency() + this.#world.random.int(0, 2000), () => {})
        return
      }
      const tell = this.#happens('loseAnswer', rates.loseAnswer, label) ? failed : answer
      arrive(this.#latency(), tell)
      if (mayRepeat.has(method) && this.#happens('duplicate', rates.duplicate, label)) {
        arrive(this.#latency() + this.#world.random.int(0, 500), () => {})
      }
    })
  }

  /**
   * A process may stand still at a call, for longer than its leases last.
   *
   * @returns whether the call is not on its way yet
   */
  #standsStill(process: SimulatedProcess, label: string): boolean {
    if (!this.#happens('standStill', this.rates.standStill, label)) return false
    const { random } = this.#world
    process.freeze(random.int(10, 10_000))
    return random.chance(0.5)
  }

  async #callWithin(call: Call): Promise<unknown> {
    this.#watch.sent(call)
    const answered = (answer: Answer) => {
      this.#watch.done(call, answer)
      this.#watch.answered(call, answer)
    }
    try {
      const value = await this.#store.call(call.method, call.args, call.process)
      answered({ value })
      return value
    } catch (error) {
      answered({ error })
      throw error
    }
  }

  /** What the store does, with its server if it has one. */
  async #effect(call: Call, connection: number, askedAt: number): Promise<unknown> {
    const { looksItself } = this.#store.profile
    const label = `${call.process.name} ${call.method} itself`
    if (looksItself && call.method === 'append' && this.#happens('loseAnswer', this.rates.loseAnswer, label)) {
      // The server has it, and the store does not know. It looks, and appends again what is not there.
      await this.#stored(call, connection, askedAt)
      this.#watch.askedItself()
      await this.#world.pause(this.#latency(), label)
      if (this.#connections > connection) throw this.#failure(call.method)
    }
    const answer = await this.#stored(call, connection, askedAt)
    if (this.#store.late !== undefined && call.method === 'reserve') await this.#world.pause(noticedMs, label)
    return answer
  }

  /** What the server does. A batch may be stored in two parts, of which the second may be lost. */
  async #stored({ process, method, args }: Call, connection: number, askedAt: number): Promise<unknown> {
    const parts = method === 'append' && this.#store.profile.batches === 'in parts' ? this.#partsOf(args[0]) : undefined
    if (parts === undefined) return this.#store.call(method, args, process, askedAt)
    const [first, second] = parts
    const results = await this.#store.call(method, [first, args[1]], process, askedAt)
    const label = `${process.name} ${method} goes on`
    await this.#world.pause(this.#latency(), label)
    // Between its parts a batch is lost more often than on the way.
    const isLost = this.#happens('loseAnswer', Math.min(1, 4 * this.rates.loseAnswer), label)
    if (this.#connections > connection || isLost) {
      this.#watch.storedInPart()
      throw this.#failure(method)
    }
    return [...results, ...(await this.#store.call(method, [second, args[1]], process, askedAt))]
  }

  /** Two parts of some batches. They have no stream in common, so the chain rule binds none of one to the other. */
  #partsOf(commits: readonly Commit[]): readonly [readonly Commit[], readonly Commit[]] | undefined {
    const { random } = this.#world
    if (commits.length < 2) return undefined
    const count = random.int(1, commits.length - 1)
    const [first, second] = [commits.slice(0, count), commits.slice(count)]
    const isShared = second.some(({ stream }) => first.some((each) => isSameStream(each.stream, stream)))
    return isShared ? undefined : [first, second]
  }

  /** On a network it is unknown whether something was stored. */
  #failure(method: Method, isKnown = this.#store.profile.way === 'disk'): StoreError {
    const isCertain = isKnown && method === 'append'
    const { stackTraceLimit } = Error
    // Its stack would be that of this file, and a stack costs more than a call.
    Error.stackTraceLimit = 0
    const failure = new StoreError(isCertain ? 'NOT_STORED' : 'STORE_UNAVAILABLE', {
      store: 'simulated',
      doing: method,
    })
    Error.stackTraceLimit = stackTraceLimit
    return failure
  }

  #hint(process: SimulatedProcess, listener: () => void): void {
    if (process.isDead || process.isCut) return
    const label = `${process.name} hint`
    if (this.#isWithin) listener()
    else if (!this.#happens('loseHint', this.rates.loseHint, label)) {
      this.#world.after(this.#latency(), label, listener, process)
    }
  }

  /** In milliseconds: mostly a few, sometimes long. */
  #latency(): number {
    const { random } = this.#world
    if (random.chance(this.rates.slow)) {
      this.count('slow')
      return random.int(50, 3000)
    }
    return 0.1 + 3 * random.next() ** 3
  }

  #happens(fault: keyof FaultRates, rate: number, label: string): boolean {
    if (rate === 0 || !this.#world.random.chance(rate)) return false
    this.count(fault)
    this.#world.tell(`${label}: ${fault}`)
    return true
  }

  count(fault: keyof FaultRates): void {
    this.#counts.count(fault)
  }
}

const isSameStream = (one: StreamId, other: StreamId): boolean =>
  one.aggregate === other.aggregate && one.id === other.id
