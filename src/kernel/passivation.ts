/**
 * Which live aggregates leave memory, and when: those idle for long enough, and the least recently used ones over a
 * cap. One timer serves all. Leaving is one synchronous step of an instance for which nothing waits and nothing is
 * under way, so there is no moment at which a command could be lost.
 */
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import type { AggregateType } from './aggregate-type.ts'

/** When an instance was last used, and its neighbours in the order of use. Nothing but this file writes it. */
export class Use {
  /** In milliseconds since 1970. */
  at = 0
  older: Instance | undefined = undefined
  newer: Instance | undefined = undefined
}

/** A live instance, as far as leaving memory goes. */
export interface Instance {
  readonly type: AggregateType
  readonly stream: StreamId
  /** Whether it can leave: nothing waits for it, and nothing is under way. */
  readonly idle: boolean
  readonly use: Use
}

/** The live instances of one aggregate type, from the least to the most recently used. */
interface Order {
  readonly afterMs: number
  oldest: Instance | undefined
  newest: Instance | undefined
}

/** How soon to look again when there are too many, and none of them is idle. */
const crowdedMs = 100
/**
 * How many busy ones are looked at before giving up until the next look: a burst of newcomers must not search them all
 * each time.
 */
const looksMax = 32

export class Passivation {
  readonly #environment: Environment
  readonly #liveMax: number
  readonly #passivate: (instance: Instance) => void
  readonly #orders = new Map<unknown, Order>()
  #live = 0
  #cancelTimer: (() => void) | undefined
  #timerDueAt = Number.POSITIVE_INFINITY

  /** @param passivate forgets an instance; called when nothing waits for it */
  constructor(environment: Environment, liveMax: number, passivate: (instance: Instance) => void) {
    this.#environment = environment
    this.#liveMax = liveMax
    this.#passivate = passivate
  }

  get live(): number {
    return this.#live
  }

  /** Takes in a new instance. */
  add(instance: Instance, nowMs: number): void {
    this.#live++
    this.#append(instance, nowMs)
    this.#makeRoom()
  }

  /** Notes that an instance is used: it becomes the last to leave. */
  touch(instance: Instance, nowMs: number): void {
    const order = this.#orderOf(instance)
    // An instance that has left memory since its turn was due belongs to no order any more.
    if (instance.use.older === undefined && order.oldest !== instance) return
    if (order.newest === instance) {
      instance.use.at = nowMs
      return
    }
    this.#unlink(instance, order)
    this.#append(instance, nowMs)
  }

  /** Ends the timer. */
  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#timerDueAt = Number.POSITIVE_INFINITY
  }

  #orderOf({ type }: Instance): Order {
    let order = this.#orders.get(type)
    if (order === undefined) {
      order = { afterMs: type.passivateAfterMs, oldest: undefined, newest: undefined }
      this.#orders.set(type, order)
    }
    return order
  }

  #append(instance: Instance, nowMs: number): void {
    const order = this.#orderOf(instance)
    instance.use.at = nowMs
    instance.use.older = order.newest
    instance.use.newer = undefined
    if (order.newest === undefined) order.oldest = instance
    else order.newest.use.newer = instance
    order.newest = instance
    this.#wakeBy(nowMs + order.afterMs)
  }

  #unlink(instance: Instance, order: Order): void {
    if (instance.use.older === undefined) order.oldest = instance.use.newer
    else instance.use.older.use.newer = instance.use.newer
    if (instance.use.newer === undefined) order.newest = instance.use.older
    else instance.use.newer.use.older = instance.use.older
    instance.use.older = undefined
    instance.use.newer = undefined
  }

  #remove(instance: Instance, order: Order): void {
    this.#unlink(instance, order)
    this.#live--
    this.#passivate(instance)
  }

  /** Over the cap the least recently used that are idle leave. Where all are busy, it is tried again soon. */
  #makeRoom(): void {
    while (this.#live > this.#liveMax) {
      const candidate = this.#leastRecentlyUsed()
      if (candidate === undefined) {
        this.#wakeBy(this.#environment.now() + crowdedMs)
        return
      }
      this.#remove(candidate, this.#orderOf(candidate))
    }
  }

  /**
   * Of all types, the first that is idle. Busy ones on the way are in use, so they go to the end and are not met again.
   */
  #leastRecentlyUsed(): Instance | undefined {
    const nowMs = this.#environment.now()
    let candidate: Instance | undefined
    for (const order of this.#orders.values()) {
      for (let looks = 0; looks < looksMax && order.oldest?.idle === false; looks++) this.touch(order.oldest, nowMs)
      const { oldest } = order
      if (oldest?.idle && (candidate === undefined || oldest.use.at < candidate.use.at)) candidate = oldest
    }
    return candidate
  }

  #wakeBy(dueAt: number): void {
    if (dueAt >= this.#timerDueAt) return
    this.#cancelTimer?.()
    this.#timerDueAt = dueAt
    // Timers take 31 bits of milliseconds; an early sweep finds nothing and sets the timer again.
    const delayMs = Math.min(Math.max(1, dueAt - this.#environment.now()), 2 ** 31 - 1)
    this.#cancelTimer = this.#environment.after(delayMs, () => this.#sweep(), { background: true })
  }

  /** Lets go of all that have been idle for long enough, and sets the timer for the next. */
  #sweep(): void {
    this.stop()
    const nowMs = this.#environment.now()
    for (const order of this.#orders.values()) {
      let instance = order.oldest
      while (instance !== undefined && instance.use.at + order.afterMs <= nowMs) {
        const { newer } = instance.use
        if (instance.idle) this.#remove(instance, order)
        else this.touch(instance, nowMs)
        instance = newer
      }
      if (order.oldest !== undefined) this.#wakeBy(order.oldest.use.at + order.afterMs)
    }
    this.#makeRoom()
  }
}
