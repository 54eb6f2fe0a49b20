/**
 * The way between a process and its store. Each call takes its time there and back, and may fail on the way. What the
 * store does happens at one moment, as in a real one; how the moments of several calls follow each other, chance
 * decides.
 */
import { StoreError } from '../../domain/error.ts'
import type { OpenOptions, Store, StoreFactory } from '../../store/store.ts'
import { storeMethods } from '../faulty-store.ts'
import type { FaultRates } from './faults.ts'
import type { SimulatedProcess } from './process.ts'
import type { World } from './world.ts'

type Method = (typeof storeMethods)[number]

/** Nobody closes what all processes share, and the memory store has no transactions. */
const methods = storeMethods.filter((method) => method !== 'close' && method !== 'transact')

/** Calls that may have their effect twice: a driver or a proxy may send them again. */
const mayRepeat: ReadonlySet<Method> = new Set<Method>(['append', 'saveStep'])

/** What became of a call. */
type Answer = { readonly value: unknown } | { readonly error: unknown }

export class Network {
  readonly #world: World
  readonly #factory: StoreFactory
  /** How often what goes wrong; changed when faults stop. */
  rates: FaultRates
  /** How often each fault has happened. */
  readonly counts: Map<string, number> = new Map()

  constructor(world: World, factory: StoreFactory, rates: FaultRates) {
    this.#world = world
    this.#factory = factory
    this.rates = rates
  }

  /** The store as a process reaches it. */
  storeOf(process: SimulatedProcess): StoreFactory {
    return {
      name: this.#factory.name,
      open: async (options: OpenOptions) => {
        // Leases and reservations are measured by the server's clock, which is one for all.
        const store = await this.#factory.open({ ...options, now: () => Math.floor(this.#world.nowMs) })
        await this.#world.pause(this.#latency(), `${process.name} open`, process)
        return this.#reached(store, process)
      },
    }
  }

  #reached(store: Store, process: SimulatedProcess): Store {
    const { name, limits, singleWriter } = store
    const reached: Record<string, unknown> = { name, limits, singleWriter }
    for (const method of methods) {
      const effect = (store[method] as (...args: readonly unknown[]) => Promise<unknown>).bind(store)
      reached[method] = (...args: readonly unknown[]) => this.#call(process, method, () => effect(...args))
    }
    reached['onAppend'] = (listener: () => void) => store.onAppend(() => this.#hint(process, listener))
    reached['close'] = () => this.#world.pause(this.#latency(), `${process.name} close`, process)
    return Object.freeze(reached) as unknown as Store
  }

  #call(process: SimulatedProcess, method: Method, effect: () => Promise<unknown>): Promise<unknown> {
    const label = `${process.name} ${method}`
    return new Promise((resolve, reject) => {
      const answer = (result: Answer) => {
        const settle = () => ('value' in result ? resolve(result.value) : reject(result.error))
        this.#world.after(this.#latency(), `${label} answered`, settle, process)
      }
      const failed = () => answer({ error: unavailable(method) })
      const act = (tell: (result: Answer) => void) => {
        effect().then(
          (value) => tell({ value }),
          (error) => tell({ error }),
        )
      }
      // What is on its way arrives, whatever becomes of the process.
      const arrive = (delayMs: number, run: () => void) => this.#world.after(delayMs, `${label} arrives`, run)
      const { rates } = this
      if (this.#happens('failBefore', rates.failBefore, label)) return failed()
      if (this.#happens('actLater', rates.actLater, label)) {
        failed()
        arrive(this.#latency() + this.#world.random.int(0, 2000), () => act(() => {}))
        return
      }
      const tell = this.#happens('loseAnswer', rates.loseAnswer, label) ? failed : answer
      arrive(this.#latency(), () => act(tell))
      if (mayRepeat.has(method) && this.#happens('duplicate', rates.duplicate, label)) {
        arrive(this.#latency() + this.#world.random.int(0, 500), () => act(() => {}))
      }
    })
  }

  #hint(process: SimulatedProcess, listener: () => void): void {
    if (process.isDead) return
    const label = `${process.name} hint`
    if (!this.#happens('loseHint', this.rates.loseHint, label)) {
      this.#world.after(this.#latency(), label, listener, process)
    }
  }

  /** In milliseconds: mostly a few, sometimes long. */
  #latency(): number {
    const { random } = this.#world
    if (random.chance(this.rates.slow)) {
      this.#count('slow')
      return random.int(50, 3000)
    }
    return 0.1 + 3 * random.next() ** 3
  }

  #happens(fault: keyof FaultRates, rate: number, label: string): boolean {
    if (rate === 0 || !this.#world.random.chance(rate)) return false
    this.#count(fault)
    this.#world.tell(`${label}: ${fault}`)
    return true
  }

  #count(fault: keyof FaultRates): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1)
  }
}

const unavailable = (method: Method): StoreError =>
  new StoreError('STORE_UNAVAILABLE', { store: 'simulated', doing: method })
