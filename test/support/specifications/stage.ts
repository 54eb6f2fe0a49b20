/**
 * A stage on which several processes share a store, and a test decides the order of what happens. Calls of some methods
 * are held: the test lets each one reach the store (`arrive`), and lets its answer reach the process (`answer`), or
 * loses it. All other calls go through at once. No real time passes: clocks stand still until a test moves them.
 */
import assert from 'node:assert/strict'
import { StoreError } from '../../../src/domain/error.ts'
import { memory } from '../../../src/index.ts'
import { turn } from '../../../src/runtime/timers.ts'
import type { OpenOptions, Store, StoreFactory } from '../../../src/store/store.ts'
import { type ManualEnvironment, manualEnvironment } from '../../../src/testing/manual-environment.ts'

type Method = Exclude<keyof Store, 'name' | 'limits' | 'singleWriter' | 'onAppend'>

/** Which calls are held. */
export type Holds = (process: string, method: Method, args: readonly unknown[]) => boolean

/** How many turns of the event loop something may take that needs nothing from outside. */
const turnsMax = 50
/** Longer than any pause before a call is repeated. */
const pauseMs = 2_000

/** A call that is held. */
export class HeldCall {
  readonly process: string
  readonly method: Method
  readonly args: readonly unknown[]
  readonly #effect: () => Promise<unknown>
  readonly #settle: (answer: Promise<unknown>) => void
  #answer: Promise<unknown> | undefined

  constructor(
    process: string,
    method: Method,
    args: readonly unknown[],
    effect: () => Promise<unknown>,
    settle: (answer: Promise<unknown>) => void,
  ) {
    this.process = process
    this.method = method
    this.args = args
    this.#effect = effect
    this.#settle = settle
  }

  /** Whether it has reached the store. */
  get hasArrived(): boolean {
    return this.#answer !== undefined
  }

  /** Lets it reach the store. */
  async arrive(): Promise<void> {
    assert.ok(!this.hasArrived)
    this.#answer = this.#effect()
    await this.#answer.catch(() => {})
  }

  /** Lets the answer reach the process. */
  answer(): void {
    this.#settle(this.#answer!)
  }

  /** The process gets an error instead of the answer. */
  fail(code: 'STORE_UNAVAILABLE' | 'NOT_STORED'): void {
    this.#settle(Promise.reject(new StoreError(code, { store: 'stage', doing: this.method })))
  }
}

export class Stage {
  readonly #holds: Holds
  readonly #factory: StoreFactory = memory()
  readonly #held: HeldCall[] = []
  /** Time and ids of all processes. */
  readonly environment: ManualEnvironment = manualEnvironment()
  /** The clock of the store, which measures leases. */
  nowMs = 0

  constructor(holds: Holds) {
    this.#holds = holds
  }

  /** The store itself, to look into. */
  open(): Promise<Store> {
    return this.#factory.open({ now: () => this.nowMs, warn: () => {} })
  }

  /** The store as a process reaches it. */
  storeOf(process: string): StoreFactory {
    return {
      name: this.#factory.name,
      open: async (options: OpenOptions) => {
        const store = await this.#factory.open({ ...options, now: () => this.nowMs })
        return new Proxy(store, {
          get: (target, name) => {
            const value = Reflect.get(target, name)
            // A reservation only decides who tries first. Here the test does.
            if (name === 'reserve') return async (streams: readonly unknown[]) => streams.map(() => true)
            if (typeof value !== 'function') return value
            if (name === 'onAppend') return value.bind(target)
            return (...args: readonly unknown[]) =>
              this.#call(process, name as Method, args, () => value.apply(target, args))
          },
        })
      },
    }
  }

  #call(process: string, method: Method, args: readonly unknown[], effect: () => Promise<unknown>): Promise<unknown> {
    if (!this.#holds(process, method, args)) return effect()
    return new Promise((resolve) => {
      const call = new HeldCall(process, method, args, effect, (answer) => {
        this.#held.splice(this.#held.indexOf(call), 1)
        resolve(answer)
      })
      this.#held.push(call)
    })
  }

  /** The call of a process that is held, if there is one. */
  heldOf(process: string): HeldCall | undefined {
    const [call, ...others] = this.#held.filter((each) => each.process === process)
    assert.equal(others.length, 0, `${process} has several calls under way`)
    return call
  }

  /** Lets the pauses end after which calls are repeated. */
  endPauses(): Promise<void> {
    return this.environment.advance(pauseMs)
  }

  /** Waits until a process has a call that is held. */
  async waitFor(process: string, method: Method): Promise<HeldCall> {
    await settled(`${process} calls ${method}`, () => this.heldOf(process)?.method === method)
    return this.heldOf(process)!
  }
}

/** Waits until something has happened that needs nothing from outside. */
export async function settled(what: string, isSo: () => boolean): Promise<void> {
  for (let turns = 0; turns < turnsMax; turns++) {
    if (isSo()) return
    await turn()
  }
  assert.fail(`this did not happen: ${what}`)
}
