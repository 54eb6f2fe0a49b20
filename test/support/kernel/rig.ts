/**
 * What tests of the kernel share: starting vaults on a store, a logger that records codes, a store that counts its
 * calls, and waiting for a condition.
 */
import { setImmediate } from 'node:timers/promises'
import { type Domain, domain, type Logger, memory, type Running, type StartOptions } from '../../../src/index.ts'
import type { Commit } from '../../../src/store/commit.ts'
import type { StoredEvent, StoreFactory } from '../../../src/store/store.ts'
import { type Fault, faultyStore, type StoreCall } from '../../../src/testing/faulty-store.ts'
import { until as untilSo } from '../until.ts'
import { Totals, Vault } from './vault.ts'

const Vaults: Domain<{ vault: typeof Vault }, { totals: typeof Totals }> = domain({
  aggregates: { vault: Vault },
  projections: { totals: Totals },
})
export type RunningVaults = Running<{ vault: typeof Vault }, { totals: typeof Totals }>

/** Starts vaults, by default in memory, without running projections, and without printed warnings. */
export const startVaults = (options: StartOptions = {}): Promise<RunningVaults> =>
  Vaults.start({ store: memory(), projections: 'manual', log: recorder(), ...options })

/** A logger that records warnings. */
interface Recorder extends Logger {
  readonly messages: string[]
  /** The codes of the warnings, in order. */
  codes(): readonly string[]
  /** How many warnings of a code there were, with those that only a number stands for. */
  count(code: string): number
}

/** How many warnings a message stands for. */
const standsFor = (message: string): number => 1 + Number(/ \(and (\d+) more like this/.exec(message)?.[1] ?? 0)

export function recorder(): Recorder {
  const messages: string[] = []
  return {
    messages,
    warn: (message) => {
      messages.push(message)
    },
    codes: () => messages.map((message) => /\[([A-Z_]+), docs\/errors\.md#\w+\]$/.exec(message)?.[1] ?? message),
    count: (code) => {
      const own = messages.filter((message) => message.includes(`[${code}, docs`))
      return own.reduce((sum, message) => sum + standsFor(message), 0)
    },
  }
}

/** A store whose calls are recorded, and can be made to fail. */
interface Watched {
  readonly store: StoreFactory
  readonly calls: StoreCall[]
  /** How often a method was called. */
  count(method: StoreCall['method']): number
  /** The batches that were appended, as lists of commits. */
  batches(): readonly (readonly Commit[])[]
  /** Sets the faults of calls from now on. At first there are none. */
  disturb(faultOf: (call: StoreCall) => Fault | undefined): void
  forget(): void
}

export function watched(inner: StoreFactory = memory()): Watched {
  const calls: StoreCall[] = []
  let faultOf: (call: StoreCall) => Fault | undefined = () => undefined
  const of = (method: StoreCall['method']) => calls.filter((call) => call.method === method)
  return {
    store: faultyStore(inner, (call) => {
      calls.push(call)
      return faultOf(call)
    }),
    calls,
    count: (method) => of(method).length,
    batches: () => of('append').map(({ args }) => args[0] as readonly Commit[]),
    disturb: (next) => {
      faultOf = next
    },
    forget: () => {
      calls.length = 0
    },
  }
}

/** A store whose leases protect nothing: every owner gets every lease. So another mechanism must protect the data. */
export function withoutLeases(factory: StoreFactory): StoreFactory {
  return {
    name: factory.name,
    open: async (options) => {
      const store = await factory.open(options)
      return new Proxy(store, {
        get(target, name) {
          if (name === 'acquireLease') return async (_: string, owner: string) => ({ owner, expiresAt: 0 })
          const value = Reflect.get(target, name)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}

/** Everything in a store, in order of position. */
export async function logOf(store: StoreFactory): Promise<readonly StoredEvent[]> {
  const opened = await store.open({ now: () => 0, warn: () => {} })
  try {
    const { events } = await opened.readAll(
      { from: 1, to: Number.POSITIVE_INFINITY },
      { limit: Number.POSITIVE_INFINITY },
    )
    return events
  } finally {
    await opened.close()
  }
}

/** Waits until a condition is true. Fails with its name if that does not happen. */
export const until = (what: string, condition: () => boolean | Promise<boolean>): Promise<void> =>
  untilSo(condition, what)

/** Lets everything settle that needs no timer and nothing from outside. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate()
}

/** The state of a promise, without waiting for it. */
export async function stands(promise: Promise<unknown>): Promise<'pending' | 'fulfilled' | 'rejected'> {
  let standing: 'pending' | 'fulfilled' | 'rejected' = 'pending'
  promise.then(
    () => {
      standing = 'fulfilled'
    },
    () => {
      standing = 'rejected'
    },
  )
  await settled()
  return standing
}

/** Waits until some promises have settled, and returns the code of each: `ok` if it was fulfilled. */
export async function codesOf(promises: readonly Promise<unknown>[]): Promise<readonly string[]> {
  const results = await Promise.allSettled(promises)
  return results.map((result) => (result.status === 'fulfilled' ? 'ok' : String(result.reason?.code ?? result.reason)))
}

/**
 * Waits until all have ended, also if one fails. Throws what failed; if several did, an error with all messages and
 * causes, because one may have made the others fail.
 */
export async function allOf(works: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(works)
  const failures = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason)
  if (failures.length > 1) throw new AggregateError(failures, failures.map(String).join('\nand '))
  if (failures.length === 1) throw failures[0]
}

/** Does something again and again, at least once, until other work has ended. It waits for both, also if one fails. */
export async function againWhile(work: () => Promise<void>, again: () => Promise<void>): Promise<void> {
  let isOver = false
  const working = work().finally(() => {
    isOver = true
  })
  const repeating = async () => {
    do {
      await again()
      await setImmediate()
    } while (!isOver)
  }
  await allOf([working, repeating()])
}
