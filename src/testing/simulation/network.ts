/**
 * The way between a process and its store. Each call takes its time there and back, and may fail on the way. What the
 * store does happens at one moment, as in a real one; how the moments of several calls follow each other, chance
 * decides.
 */
import { StoreError } from '../../domain/error.ts'
import type { Store, StoreFactory } from '../../store/store.ts'
import type { FaultRates } from './faults.ts'
import type { SimulatedProcess } from './process.ts'
import { type Method, methods, type SimulatedStore } from './simulated-store.ts'
import type { World } from './world.ts'

/** A call of a process to its store. */
export interface Call {
  readonly process: SimulatedProcess
  readonly method: Method
  readonly args: readonly any[]
}

/** What became of a call. */
export type Answer = { readonly value: any } | { readonly error: unknown }

/** Sees all calls, as a packet recorder would. */
export interface Watch {
  /** A process sends a call. */
  sent(call: Call): void
  /** The store has done what it was asked for, or refused it. */
  done(call: Call, answer: Answer): void
  /** The process has the answer, which may be that of the network. */
  answered(call: Call, answer: Answer): void
}

/** Calls that may have their effect twice: a driver or a proxy may send them again. */
const mayRepeat: ReadonlySet<Method> = new Set<Method>(['append', 'saveStep'])

export class Network {
  readonly #world: World
  readonly #store: SimulatedStore
  readonly #watch: Watch
  /** How often what goes wrong; changed when faults stop. */
  rates: FaultRates
  /** How often each fault has happened. */
  readonly counts: Map<string, number> = new Map()

  /** Raised when all connections end. What was on its way then never arrives. */
  #connections = 0

  constructor(world: World, store: SimulatedStore, rates: FaultRates, watch: Watch) {
    this.#world = world
    this.#store = store
    this.rates = rates
    this.#watch = watch
  }

  /** The store as a process reaches it. */
  storeOf(process: SimulatedProcess): StoreFactory {
    return {
      name: 'simulated',
      open: async () => {
        await this.#world.pause(this.#latency(), `${process.name} open`, process)
        return this.#reached(process)
      },
    }
  }

  /** Ends all connections, for instance since the store is set back to an older state. */
  disconnect(): void {
    this.#connections++
  }

  #reached(process: SimulatedProcess): Store {
    const store = this.#store
    const reached: Record<string, unknown> = { name: 'simulated', limits: store.limits, singleWriter: false }
    for (const method of methods) {
      reached[method] = (...args: readonly unknown[]) => this.#call({ process, method, args })
    }
    reached['onAppend'] = (listener: () => void) => store.onAppend(() => this.#hint(process, listener))
    reached['close'] = () => this.#world.pause(this.#latency(), `${process.name} close`, process)
    return Object.freeze(reached) as unknown as Store
  }

  #call(call: Call): Promise<unknown> {
    const { process, method, args } = call
    const connection = this.#connections
    const label = `${process.name} ${method}`
    this.#watch.sent(call)
    return new Promise((resolve, reject) => {
      const answer = (result: Answer) => {
        const settle = () => {
          const told = process.isCut ? { error: unavailable(method) } : result
          this.#watch.answered(call, told)
          if ('value' in told) resolve(told.value)
          else reject(told.error)
        }
        this.#world.after(this.#latency(), `${label} answered`, settle, process)
      }
      const failed = () => answer({ error: unavailable(method) })
      const act = (tell: (result: Answer) => void) => {
        const done = (result: Answer) => {
          this.#watch.done(call, result)
          tell(result)
        }
        this.#store.call(method, args).then(
          (value) => done({ value }),
          (error) => done({ error }),
        )
      }
      // What is on its way arrives, whatever becomes of the process, unless the way is cut.
      const arrive = (delayMs: number, tell: (result: Answer) => void) =>
        this.#world.after(delayMs, `${label} arrives`, () =>
          process.isCut || this.#connections > connection ? tell({ error: unavailable(method) }) : act(tell),
        )
      const { rates } = this
      if (process.isCut || this.#happens('failBefore', rates.failBefore, label)) return failed()
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

  #hint(process: SimulatedProcess, listener: () => void): void {
    if (process.isDead || process.isCut) return
    const label = `${process.name} hint`
    if (!this.#happens('loseHint', this.rates.loseHint, label)) {
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

  /** Notes that a fault has happened. */
  count(fault: keyof FaultRates): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1)
  }
}

const unavailable = (method: Method): StoreError =>
  new StoreError('STORE_UNAVAILABLE', { store: 'simulated', doing: method })
