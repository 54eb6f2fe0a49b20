/**
 * Stopping a domain in the order that loses nothing: no new commands, then the end of what reacts, then of what
 * follows, then the stores. All of it has one limit: a part that hangs leaves less time for the parts after it, and
 * nothing waits for it twice.
 */
import { type Environment, sleep } from '../runtime/environment.ts'
import type { Warn } from '../runtime/warning.ts'
import type { Store } from '../store/store.ts'

/** Something that ends when it is told to. */
interface Stoppable {
  stop(): Promise<unknown>
}

export interface Stores {
  readonly events: Store
  readonly snapshots: Store
}

interface Parts {
  readonly kernel: Stoppable
  readonly reactions: readonly Stoppable[]
  readonly projections: readonly Stoppable[]
  readonly stores: Stores
  readonly environment: Environment
  readonly stopTimeoutMs: number
  readonly warn: Warn
}

/**
 * The part of the limit after which projections stop, however far commands are: they still have to save how far they
 * came.
 */
const followingPart = 0.9
/** How long stores may take to close where nothing is left of the limit. */
const closeMsMin = 1000

export async function stopDomain(parts: Parts): Promise<void> {
  const { kernel, reactions, projections, environment, stopTimeoutMs } = parts
  const startedAt = environment.elapsed()
  const done = new AbortController()
  const late = sleep(environment, stopTimeoutMs * followingPart, done.signal)
  const over = sleep(environment, stopTimeoutMs, done.signal)
  try {
    // New commands are refused from now on, those of reactions too, whose events are handled again another time.
    // Projections follow until the last event.
    const drained = kernel.stop()
    const reacted = stopAll(reactions)
    await Promise.race([Promise.all([drained, reacted]), late])
    const followed = stopAll(projections)
    await drained
    await Promise.race([Promise.all([reacted, followed]), over])
  } finally {
    done.abort()
    const leftMs = stopTimeoutMs - (environment.elapsed() - startedAt)
    await closeWithin(Math.max(leftMs, closeMsMin), parts)
  }
}

async function stopAll(some: readonly Stoppable[]): Promise<void> {
  await Promise.allSettled(some.map((one) => one.stop()))
}

/** A store that is held up, by a handler that does not end for example, closes later by itself. */
async function closeWithin(timeoutMs: number, { stores, environment, warn }: Parts): Promise<void> {
  const done = new AbortController()
  const closing = closeStores(stores)
  const isClosed = closing.then(() => true)
  const isLate = sleep(environment, timeoutMs, done.signal).then(() => false)
  try {
    if (await Promise.race([isClosed, isLate])) return
  } finally {
    done.abort()
  }
  const message = `The store ${stores.events.name} was not closed after ${Math.round(timeoutMs)} ms: something in it has not come to an end`
  warn({ code: 'STORE_NOT_CLOSED', message })
  closing.catch((cause: unknown) => {
    warn({ code: 'STORE_NOT_CLOSED', message: `The store ${stores.events.name} could not be closed`, cause })
  })
}

/** Both, even if one cannot be closed. */
async function closeStores({ events, snapshots }: Stores): Promise<void> {
  try {
    await events.close()
  } finally {
    if (snapshots !== events) await snapshots.close()
  }
}
