/**
 * Which live aggregates leave memory, and when: those idle for long enough, and the least recently used ones over a
 * cap. One timer serves all. Leaving is one synchronous step of an instance for which nothing waits and nothing is
 * under way, so there is no moment at which a command could be lost.
 */

import type { Environment } from '../runtime/environment.ts'
import type { Actor } from './actor.ts'

/** The live instances of one aggregate type, from the least to the most recently used. */
interface Order {
  readonly afterMs: number
  oldest: Actor | undefined
  newest: Actor | undefined
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
  readonly #passivate: (actor: Actor) => void
  readonly #orders = new Map<unknown, Order>()
  #live = 0
  #cancelTimer: (() => void) | undefined
  #timerDueAt = Number.POSITIVE_INFINITY

  /** @param passivate forgets an instance; called when nothing waits for it */
  constructor(environment: Environment, liveMax: number, passivate: (actor: Actor) => void) {
    this.#environment = environment
    this.#liveMax = liveMax
    this.#passivate = passivate
  }

  get live(): number {
    return this.#live
  }

  /** Takes in a new instance. */
  add(actor: Actor, nowMs: number): void {
    this.#live++
    this.#append(actor, nowMs)
    this.#makeRoom()
  }

  /** Notes that an instance is used: it becomes the last to leave. */
  touch(actor: Actor, nowMs: number): void {
    const order = this.#orderOf(actor)
    // An instance that has left memory since its turn was due belongs to no order any more.
    if (actor.older === undefined && order.oldest !== actor) return
    if (order.newest === actor) {
      actor.usedAt = nowMs
      return
    }
    this.#unlink(actor, order)
    this.#append(actor, nowMs)
  }

  /** Ends the timer. */
  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#timerDueAt = Number.POSITIVE_INFINITY
  }

  #orderOf({ type }: Actor): Order {
    let order = this.#orders.get(type)
    if (order === undefined) {
      order = { afterMs: type.passivateAfterMs, oldest: undefined, newest: undefined }
      this.#orders.set(type, order)
    }
    return order
  }

  #append(actor: Actor, nowMs: number): void {
    const order = this.#orderOf(actor)
    actor.usedAt = nowMs
    actor.older = order.newest
    actor.newer = undefined
    if (order.newest === undefined) order.oldest = actor
    else order.newest.newer = actor
    order.newest = actor
    this.#wakeBy(nowMs + order.afterMs)
  }

  #unlink(actor: Actor, order: Order): void {
    if (actor.older === undefined) order.oldest = actor.newer
    else actor.older.newer = actor.newer
    if (actor.newer === undefined) order.newest = actor.older
    else actor.newer.older = actor.older
    actor.older = undefined
    actor.newer = undefined
  }

  #remove(actor: Actor, order: Order): void {
    this.#unlink(actor, order)
    this.#live--
    this.#passivate(actor)
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
  #leastRecentlyUsed(): Actor | undefined {
    const nowMs = this.#environment.now()
    let candidate: Actor | undefined
    for (const order of this.#orders.values()) {
      for (let looks = 0; looks < looksMax && order.oldest?.idle === false; looks++) this.touch(order.oldest, nowMs)
      const { oldest } = order
      if (oldest?.idle && (candidate === undefined || oldest.usedAt < candidate.usedAt)) candidate = oldest
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
      let actor = order.oldest
      while (actor !== undefined && actor.usedAt + order.afterMs <= nowMs) {
        const { newer } = actor
        if (actor.idle) this.#remove(actor, order)
        else this.touch(actor, nowMs)
        actor = newer
      }
      if (order.oldest !== undefined) this.#wakeBy(order.oldest.usedAt + order.afterMs)
    }
    this.#makeRoom()
  }
}
