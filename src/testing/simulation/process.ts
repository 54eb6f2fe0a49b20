/**
 * A simulated process: a domain that is started, crashes or is stopped, and is started again. It has its own clock,
 * timers, random numbers and ids, all of which are the world's. What a process that has crashed waited for never comes.
 */
import type { StartOptions } from '../../application/start-options.ts'
import type { Cipher } from '../../runtime/cipher.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { Warning } from '../../runtime/warning.ts'
import type { StoreFactory } from '../../store/store.ts'
import type { Owner } from './agenda.ts'
import type { Started, Version } from './version.ts'
import type { World } from './world.ts'

/** The lease of a process, unless its domain is started with another one, in milliseconds. */
export const leaseMsDefault = 5000

/** The moment at which the clocks of all processes begin. */
export const beginMs: number = Date.UTC(2026, 0, 1)

export class SimulatedProcess implements Owner {
  readonly name: string
  /** The version of the domain that runs in it. */
  readonly version: Version
  readonly #world: World
  #isDead = false
  #frozenUntil = 0
  #cutUntil = 0
  /** By how much its clock is set wrong. */
  #skewMs: number
  #ids = 0
  readonly #timers = { all: 0, holding: 0 }
  #limits: NonNullable<StartOptions['limits']> = {}
  readonly environment: Environment
  /** Resolves when it crashes, or is stopped. */
  readonly died: Promise<void>
  readonly #die: () => void
  /** The domain, once it is started. */
  started: Started | undefined

  /**
   * @param name unique for each life of a process
   * @param cipherOf makes its encryption, from what makes its ids
   */
  constructor(
    name: string,
    version: Version,
    world: World,
    skewMs: number,
    cipherOf: (newText: () => string) => Cipher,
  ) {
    this.name = name
    this.version = version
    this.#world = world
    this.#skewMs = skewMs
    this.environment = this.#environment(cipherOf)
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

  /** How many timers of its domain are neither over nor cancelled; `holding`: those that would keep it alive. */
  get timers(): { readonly all: number; readonly holding: number } {
    return this.#timers
  }

  /** Those that it was started with. */
  get limits(): NonNullable<StartOptions['limits']> {
    return this.#limits
  }

  get skewMs(): number {
    return this.#skewMs
  }

  /** Whether it cannot reach its store. */
  get isCut(): boolean {
    return this.#cutUntil > this.#world.nowUs
  }

  /** @param onWarning gets the code of each warning */
  async start(store: StoreFactory, options: StartOptions, onWarning: (code: Warning['code']) => void): Promise<void> {
    const { environment, name } = this
    const log = {
      warn: (text: unknown, { code }: Pick<Warning, 'code'>) => {
        this.#world.tell(`${name} warns: ${String(text).slice(0, 200)}`)
        onWarning(code)
      },
    }
    const given = { leaseMs: leaseMsDefault, pollIntervalMs: 500, ...options, store, environment, log }
    this.#limits = options.limits ?? {}
    this.started = (await this.version.domain.start(given)) as Started
  }

  /** Ends it in the middle of everything. */
  crash(): void {
    this.#isDead = true
    this.started = undefined
    this.#die()
  }

  /** Lets nothing happen in it for a while. */
  freeze(durationMs: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#world.nowUs + durationMs * 1000)
  }

  /** Cuts it from its store for a while. */
  cut(durationMs: number): void {
    this.#cutUntil = this.#world.nowUs + durationMs * 1000
  }

  /** Ends what keeps it from its store. */
  heal(): void {
    this.#cutUntil = 0
  }

  /** @param byMs by how much it is wrong from now on */
  setClock(byMs: number): void {
    this.#skewMs = byMs
  }

  /** As Node's, a timer takes at least a millisecond. @returns cancels it */
  #timer(delayMs: number, callback: () => void, isBackground: boolean): () => void {
    let isOver = false
    const count = (by: number) => {
      this.#timers.all += by
      if (!isBackground) this.#timers.holding += by
    }
    const end = () => {
      if (!isOver) count(-1)
      isOver = true
    }
    count(1)
    const happen = () => {
      end()
      callback()
    }
    const cancel = this.#world.after(Math.max(1, delayMs), `${this.name} timer`, happen, this)
    return () => {
      end()
      cancel()
    }
  }

  #environment(cipherOf: (newText: () => string) => Cipher): Environment {
    const world = this.#world
    const random = world.random.fork()
    const id = (length: number) => `${this.name}-${String(++this.#ids).padStart(length - this.name.length - 1, '0')}`
    return {
      now: () => beginMs + Math.floor(world.nowMs) + this.#skewMs,
      elapsed: () => world.nowMs,
      after: (delayMs, callback, options) => this.#timer(delayMs, callback, options?.background === true),
      defer: (callback) => void world.after(0, `${this.name} deferred`, callback, this),
      random: () => random.next(),
      newId: () => id(this.name.length + 8),
      newCommandId: () => `~${id(22)}`,
      cipher: cipherOf(() => id(22)),
    }
  }
}
