/**
 * A simulated process: a domain that is started, crashes or is stopped, and is started again. It has its own clock,
 * timers, random numbers and ids, all of which are the world's. What a process that has crashed waited for never comes.
 */
import type { Domain } from '../../application/domain.ts'
import type { StartOptions } from '../../application/start-options.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { StoreFactory } from '../../store/store.ts'
import type { Owner } from './agenda.ts'
import type { World } from './world.ts'

/** A running domain, as far as a simulation knows it. */
export type Started = Awaited<ReturnType<Domain<any, any, any>['start']>> & { readonly [part: string]: any }

/** The moment at which the clocks of all processes begin. */
const beginMs = Date.UTC(2026, 0, 1)

export class SimulatedProcess implements Owner {
  readonly name: string
  readonly #world: World
  #isDead = false
  #frozenUntil = 0
  /** By how much its clock is set wrong. */
  #skewMs: number
  #ids = 0
  readonly environment: Environment
  /** Resolves when it crashes, or is stopped. */
  readonly died: Promise<void>
  readonly #die: () => void
  /** The domain, once it is started. */
  started: Started | undefined

  /** @param name unique for each life of a process */
  constructor(name: string, world: World, skewMs: number) {
    this.name = name
    this.#world = world
    this.#skewMs = skewMs
    this.environment = this.#environment()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.died = promise
    this.#die = resolve
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get frozenUntil(): number {
    return this.#frozenUntil
  }

  get skewMs(): number {
    return this.#skewMs
  }

  async start(domain: Domain<any, any, any>, store: StoreFactory, options: StartOptions): Promise<void> {
    const { environment } = this
    const log = { warn: (text: unknown) => this.#world.tell(`${this.name} warns: ${String(text).slice(0, 200)}`) }
    this.started = await domain.start({ leaseMs: 5000, pollIntervalMs: 500, ...options, store, environment, log })
  }

  /** Ends it in the middle of everything. */
  crash(): void {
    this.#isDead = true
    this.started = undefined
    this.#die()
  }

  /** Lets nothing happen in it for a while. */
  freeze(durationMs: number): void {
    this.#frozenUntil = this.#world.nowUs + durationMs * 1000
  }

  setClock(byMs: number): void {
    this.#skewMs += byMs
  }

  #environment(): Environment {
    const world = this.#world
    const random = world.random.fork()
    const id = (length: number) => `${this.name}-${String(++this.#ids).padStart(length - this.name.length - 1, '0')}`
    return {
      now: () => beginMs + Math.floor(world.nowMs) + this.#skewMs,
      elapsed: () => world.nowMs,
      // As Node's, a timer takes at least a millisecond.
      after: (delayMs, callback) => world.after(Math.max(1, delayMs), `${this.name} timer`, callback, this),
      defer: (callback) => void world.after(0, `${this.name} deferred`, callback, this),
      random: () => random.next(),
      newId: () => id(this.name.length + 8),
      newCommandId: () => `~${id(22)}`,
    }
  }
}
