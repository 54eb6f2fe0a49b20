/**
 * Removes live aggregates from memory: those that were idle for long enough, and the least recently used ones above a
 * limit. One timer serves all. An instance is removed in one synchronous step, while no command waits for it and
 * nothing is in progress. There is no moment at which a command could be lost.
 */
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Passivated } from '../runtime/observation.ts'
import type { AggregateType } from './aggregate-type.ts'

/** When an instance was last used, and its neighbours in the order of use. Only this file writes it. */
export class Use {
  /** In milliseconds since 1970. */
  at = 0
  older: Instance | undefined = undefined
  newer: Instance | undefined = undefined
}

/** A live instance, as passivation sees it. */
export interface Instance {
  readonly type: AggregateType
  readonly stream: StreamId
  /** Whether it can be removed: no command waits for it, and nothing is in progress. */
  readonly idle: boolean
  readonly use: Use
}

type PassivationReason = Passivated['reason']

/** The live instances of one aggregate type, from the least to the most recently used. */
interface Order {
  readonly afterMs: number
  oldest: Instance | undefined
  newest: Instance | undefined
}

/** The pause before the next look if there are too many instances and none is idle. */
const crowdedMs = 100
/** How many busy instances one look examines. Without a limit, each new instance in a burst would examine them all. */
const looksMax = 32

export class Passivation {
  readonly #environment: Environment
  readonly #liveMax: number
  readonly #passivate: (instance: Instance, reason: PassivationReason) => void
  readonly #orders = new Map<unknown, Order>()
  #live = 0
  #cancelTimer: (() => void) | undefined
  #timerDueAt = Number.POSITIVE_INFINITY

  /** @param passivate removes an instance that is idle */
  constructor(
    environment: Environment,
    liveMax: number,
    passivate: (instance: Instance, reason: PassivationReason) => void,
  ) {
    this.#environment = environment
    this.#liveMax = liveMax
    this.#passivate = passivate
  }

  get live(): number {
    return this.#live
  }

  /** Adds a new instance. */
  add(instance: Instance, nowMs: number): void {
    this.#live++
    this.#append(instance, nowMs)
    this.#makeRoom()
  }

  /** Notes that an instance is used now. */
  touch(instance: Instance, nowMs: number): void {
    const order = this.#orderOf(instance)
    // An instance that was removed meanwhile is in no order.
    if (instance.use.older === undefined && order.oldest !== instance) return
    if (order.newest === instance) {
      instance.use.at = nowMs
      return
    }
    this.#unlink(instance, order)
    this.#append(instance, nowMs)
  }

  /** Removes an instance that is idle. */
  remove(instance: Instance): void {
    this.#remove(instance, this.#orderOf(instance), 'moved')
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

  #remove(instance: Instance, order: Order, reason: PassivationReason): void {
    this.#unlink(instance, order)
    this.#live--
    this.#passivate(instance, reason)
  }

  /** Above the limit, removes the least recently used idle instances. If all are busy, it looks again soon. */
  #makeRoom(): void {
    while (this.#live > this.#liveMax) {
      const candidate = this.#leastRecentlyUsed()
      if (candidate === undefined) {
        this.#wakeBy(this.#environment.now() + crowdedMs)
        return
      }
      this.#remove(candidate, this.#orderOf(candidate), 'room')
    }
  }

  /** The least recently used idle instance of all types. Busy ones count as used now, so the next look skips them. */
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
    // Timers take at most 31 bits of milliseconds. A sweep that comes too early sets the timer again.
    const delayMs = Math.min(Math.max(1, dueAt - this.#environment.now()), 2 ** 31 - 1)
    this.#cancelTimer = this.#environment.after(delayMs, () => this.#sweep(), { background: true })
  }

  /** Removes all that have been idle for long enough, and sets the timer for the next. */
  #sweep(): void {
    this.stop()
    const nowMs = this.#environment.now()
    for (const order of this.#orders.values()) {
      // If the clock was set back, those that were used before that count as used now.
      for (let each = order.oldest; each !== undefined && each.use.at > nowMs; each = each.use.newer)
        each.use.at = nowMs
      let instance = order.oldest
      while (instance !== undefined && instance.use.at + order.afterMs <= nowMs) {
        const { newer } = instance.use
        if (instance.idle) this.#remove(instance, order, 'idle')
        else this.touch(instance, nowMs)
        instance = newer
      }
      if (order.oldest !== undefined) this.#wakeBy(order.oldest.use.at + order.afterMs)
    }
    this.#makeRoom()
  }
}
