/**
 * Stops a domain in an order that loses nothing: first commands and reactions, then projections, then the stores. The
 * whole has one time limit. A part that hangs leaves less time for later parts, and is not waited for twice.
 */
import { type Environment, sleep } from '../runtime/environment.ts'
import type { Observing } from '../runtime/observing.ts'
import type { Warn } from '../runtime/warning.ts'
import type { Store } from '../store/store.ts'

/** A part that can be stopped. */
interface Stoppable {
  stop(): Promise<unknown>
}

export interface Stores {
  readonly events: Store
  readonly snapshots: Store
  /** Where the keys of personal fields are. */
  readonly keys: Store
}

/** A member of a cluster. */
interface Leaving {
  /** Gives its streams to other members. */
  leave(): Promise<void>
  /** Waits until the commands that it has sent to other members are answered. */
  drain(): Promise<void>
  /** Ends the membership. */
  end(): Promise<void>
}

interface Parts {
  readonly kernel: Stoppable & {
    /** Answers every command that is still in progress, with what is known about it. */
    abandonAll(): void
  }
  readonly node: Leaving | undefined
  readonly reactions: readonly Stoppable[]
  readonly projections: readonly Stoppable[]
  readonly stores: Stores
  /** The keys of personal fields; absent if no part of the domain has any. */
  readonly keys: { close(): Promise<void> } | undefined
  readonly environment: Environment
  readonly stopTimeoutMs: number
  /** Absent if nobody observes. */
  readonly observing: Observing | undefined
  readonly warn: Warn
}

/**
 * The part of the limit after which projections stop, even if commands are still in progress. The rest is for saving
 * their checkpoints.
 */
const followingPart = 0.9
/** How long stores may take to close if nothing is left of the limit. */
const closeMsMin = 1000

export async function stopDomain(parts: Parts): Promise<void> {
  const { kernel, node, reactions, projections, environment, stopTimeoutMs, observing } = parts
  const startedAt = environment.elapsed()
  const done = new AbortController()
  const late = sleep(environment, stopTimeoutMs * followingPart, done.signal)
  const over = sleep(environment, stopTimeoutMs, done.signal)
  try {
    // New commands are refused from now on, also those of reactions, whose events are then handled again after the next
    // start. Projections follow until the last event.
    const leaving = node?.leave()
    const reacted = stopAll(reactions)
    if (leaving !== undefined) await Promise.race([leaving, late])
    // A command that the kernel does not decide any more goes to another member.
    const drained = kernel.stop().then(() => node?.drain())
    await Promise.race([Promise.all([drained, reacted]), late])
    const followed = stopAll(projections)
    await Promise.race([drained, over])
    await Promise.race([Promise.all([reacted, followed, node?.end()]), over])
  } finally {
    done.abort()
    kernel.abandonAll()
    const leftMs = stopTimeoutMs - (environment.elapsed() - startedAt)
    await closeWithin(Math.max(leftMs, closeMsMin), parts).finally(() => observing?.close())
  }
}

async function stopAll(some: readonly Stoppable[]): Promise<void> {
  await Promise.allSettled(some.map((one) => one.stop()))
}

/** A store that is still busy, for instance because a handler does not end, closes later. */
async function closeWithin(timeoutMs: number, { stores, keys, environment, warn }: Parts): Promise<void> {
  const done = new AbortController()
  const closing = Promise.resolve(keys?.close()).then(() => closeStores(stores))
  const isClosed = closing.then(() => true)
  const isLate = sleep(environment, timeoutMs, done.signal).then(() => false)
  try {
    if (await Promise.race([isClosed, isLate])) return
  } finally {
    done.abort()
  }
  const message = `The store ${stores.events.name} was not closed after ${Math.round(timeoutMs)} ms, because it is still busy. It closes when that is over`
  warn({ code: 'STORE_NOT_CLOSED', message })
  closing.catch((cause: unknown) => {
    warn({ code: 'STORE_NOT_CLOSED', message: `The store ${stores.events.name} could not be closed`, cause })
  })
}

/** Closes each once, even if one fails. */
export async function closeStores({ events, snapshots, keys }: Stores): Promise<void> {
  const results = await Promise.allSettled([...new Set([events, snapshots, keys])].map((store) => store.close()))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
