/**
 * The store that all simulated processes share. It behaves as a real store does at the port (`profiles.ts`).
 *
 * It notes every change, so it can be set back to an older state, as when a backup is restored: the changes up to a
 * moment are made once more, in an empty store. Either everything goes back, or only the log, and what stands beside it
 * (rows, checkpoints, snapshots, leases) is ahead of it.
 */
import { StoreError } from '../../domain/error.ts'
import { rest } from '../../runtime/timers.ts'
import { checkedFactory } from '../../store/checked-store.ts'
import { checkCheckpoint } from '../../store/checkpoint.ts'
import { type Commit, commit } from '../../store/commit.ts'
import { memory } from '../../store/memory/index.ts'
import type { Range } from '../../store/range.ts'
import { ReadLimit } from '../../store/sql-reading.ts'
import type {
  AppendOptions,
  AppendResult,
  CheckpointPlace,
  Page,
  ProjectionStep,
  ReadAllOptions,
  RowPage,
  RowQuery,
  Store,
  StoreFactory,
} from '../../store/store.ts'
import { storeMethods } from '../faulty-store.ts'
import type { Random } from '../random.ts'
import { LateReservations, noticedMs } from './late-reservations.ts'
import { type Borrowed, lend, lendReading } from './lent-tables.ts'
import type { Profile } from './profiles.ts'
import { type RunStatement, SimulatedTables, type Transaction } from './simulated-tables.ts'

export type Method = (typeof storeMethods)[number]

/** What a process can call. Nobody closes what all share, and what lends SQL takes more than one call. */
export const methods: readonly Method[] = storeMethods.filter(
  (method) => !['close', 'transact', 'readSql'].includes(method),
)

/** What goes back to an older state. */
export type Restored = 'all' | 'log'

/** A call that has changed something. */
interface Change {
  readonly method: Method
  readonly args: readonly unknown[]
  /** The store's time at which it was made. */
  readonly nowMs: number
  /** What was written to tables of users with it. */
  readonly statements?: readonly RunStatement[]
}

/** Calls that change something. */
export const changing: ReadonlySet<Method> = new Set<Method>([
  ...(['append', 'saveSnapshot', 'saveStep', 'resetProjection', 'acquireLease', 'releaseLease', 'reserve'] as const),
])

export interface SimulatedStoreOptions {
  readonly name: string
  readonly profile: Profile
  /** The clock of leases and reservations, in milliseconds. */
  readonly present: () => number
  readonly random: Random
  /**
   * If pages are cut, some have so many events or rows at most, or have looked at so many. Real stores have thousands,
   * and a simulation has a few. Without it no page is cut.
   */
  readonly pageMax?: number
}

export class SimulatedStore {
  readonly name: string
  readonly profile: Profile
  readonly #present: () => number
  readonly #random: Random
  readonly #pageMax: number | undefined
  #changes: Change[] = []
  /** The time of a change that is made once more. */
  #pastMs: number | undefined
  #store!: Store
  #stopListening: () => void = () => {}
  readonly #listeners = new Set<{ readonly of: object | undefined; readonly listener: () => void }>()
  /** Who appends at this moment. */
  #appending: object | undefined
  /** Who has it open, if only one can. */
  #owner: object | undefined
  /** The tables of users, if it has SQL. */
  readonly tables: SimulatedTables
  /** The streams that are reserved, if that is noticed late. */
  readonly late: LateReservations | undefined
  /** The leases that were given since it was opened. */
  readonly #leases = new Map<string, string>()

  private constructor({ name, profile, present, random, pageMax }: SimulatedStoreOptions) {
    this.name = name
    this.profile = profile
    this.#present = present
    this.#random = random
    this.tables = new SimulatedTables(name)
    this.late = profile.reservations === 'known' ? undefined : new LateReservations(random)
    this.#pageMax = profile.pages === 'cut' ? pageMax : undefined
  }

  static async of(options: SimulatedStoreOptions): Promise<SimulatedStore> {
    const store = new SimulatedStore(options)
    await store.#empty()
    return store
  }

  get limits(): Store['limits'] {
    return this.#store.limits
  }

  /** How many changes were made. */
  get changes(): number {
    return this.#changes.length
  }

  /** Somebody opens it. @throws StoreError `STORE_LOCKED` */
  async open(who: object): Promise<void> {
    if (!this.profile.singleWriter) return
    if (this.#owner !== undefined) throw new StoreError('STORE_LOCKED', { store: this.name, owner: 'another process' })
    this.#owner = who
    for (const [lease, owner] of this.#leases) await this.call('releaseLease', [lease, owner], who)
    this.#leases.clear()
  }

  /** Somebody has ended. */
  close(who: object): void {
    if (this.#owner === who) this.#owner = undefined
  }

  /** A page of the log, for who looks on beside the processes. */
  readAll(range: Range): Promise<Page> {
    return this.call('readAll', [range])
  }

  /** The time of its leases and reservations. */
  get now(): number {
    return this.#present()
  }

  /**
   * @param who calls; nobody of the processes if it is absent
   * @param askedAt when it was called, by the time of the store
   */
  async call(method: Method, args: readonly any[], who?: object, askedAt: number = this.now): Promise<any> {
    if (this.late !== undefined && method === 'reserve') return this.late.reserve(args[0], args[1], args[2], this.now)
    if (this.late !== undefined && method === 'append') return this.#append(this.late, args[0], args[1], who, askedAt)
    return this.#call(method, args, who)
  }

  /** A commit whose stream is reserved for another writer conflicts, unless it is stored already. */
  async #append(
    late: LateReservations,
    commits: readonly Commit[],
    options: AppendOptions | undefined,
    who: object | undefined,
    askedAt: number,
  ): Promise<readonly AppendResult[]> {
    const others = late.ofOthers(commits, options?.writer, this.now, askedAt)
    const asked = commits.map((each) => (others.has(each) ? unmet(each) : each))
    const results: readonly AppendResult[] = await this.#call('append', [asked, options], who)
    late.end(
      options?.writer,
      commits.filter((_, i) => results[i]!.status === 'stored'),
    )
    return results.map((result, i) =>
      result.status === 'conflict' && others.has(commits[i]!) ? { ...result, reserved: true } : result,
    )
  }

  async #call(method: Method, args: readonly any[], who: object | undefined): Promise<any> {
    if (changesRows.has(method) && this.tables.isLocked(args[0])) await this.tables.unlocked(args[0])
    if (changing.has(method)) this.#changes.push({ method, args, nowMs: this.#present() })
    if (method === 'acquireLease') this.#leases.set(args[0], args[1])
    const pageMax = who === undefined ? undefined : this.#pageMax
    if (pageMax !== undefined && method === 'readAll') return this.#page(this.#random.int(1, pageMax), args[0], args[1])
    if (pageMax !== undefined && method === 'listRows')
      return this.#rows(this.#random.int(1, pageMax), args[0], args[1])
    this.#appending = who
    // The memory store appends, and tells its listeners, before it returns.
    const effect = this.#effect(method, args)
    this.#appending = undefined
    return effect
  }

  /**
   * Begins a transaction, in which no other step of the projection is saved.
   *
   * @throws ConflictError `CHECKPOINT_CONFLICT`
   */
  async begin(projection: string, from: CheckpointPlace, who: object): Promise<Transaction> {
    const transaction = await this.tables.begin(projection, who)
    try {
      checkCheckpoint(projection, from, await this.#store.loadCheckpoint(projection))
    } catch (error) {
      transaction.end()
      throw error
    }
    return transaction
  }

  /** Saves a step with what its transaction has written. */
  save(transaction: Transaction, step: ProjectionStep): Promise<void> {
    const { statements } = transaction
    const args = [transaction.projection, step]
    return transaction.save(async () => {
      await this.#effect('saveStep', args)
      this.#changes.push({ method: 'saveStep', args, nowMs: this.#present(), statements })
    })
  }

  /** Calls back after appends: everybody's, or one's own, or as a witness. @returns a function that ends it */
  onAppend(listener: () => void, who?: object): () => void {
    const entry = { of: who, listener }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  /** Goes back to the state after so many changes. */
  async restore(changes: number, what: Restored): Promise<void> {
    this.#changes = this.#changes.filter(({ method }, i) => i < changes || (what === 'log' && method !== 'append'))
    await this.#empty()
    this.tables.restore(this.#changes.flatMap(({ statements = [] }) => statements))
    for (const { method, args, nowMs } of this.#changes) {
      this.#pastMs = nowMs
      // What was refused then is refused again.
      await this.#effect(method, args).catch(() => {})
    }
    this.#pastMs = undefined
  }

  /** How many listeners of somebody it has. */
  listenersOf(who: object): number {
    return [...this.#listeners].filter(({ of }) => of === who).length
  }

  async #empty(): Promise<void> {
    this.#stopListening()
    this.#store = await memory().open({ warn: () => {}, now: () => this.#pastMs ?? this.#present() })
    this.#stopListening = this.#store.onAppend(() => this.#notify())
  }

  #notify(): void {
    if (this.#pastMs !== undefined) return
    for (const { of, listener } of [...this.#listeners]) {
      const isOwn = of === undefined || of === this.#appending
      if (!(isOwn || this.profile.hints === 'of everybody')) continue
      try {
        listener()
      } catch {
        // As on real stores, one that throws does not keep the others from hearing of it.
      }
    }
  }

  /** Some pages have fewer events than they might, and some have looked at fewer. */
  async #page(max: number, range: Range, options: ReadAllOptions = {}): Promise<Page> {
    const { limit = max, direction } = options
    const most = Math.min(limit, max)
    if (limit === 0 || this.#random.chance(0.5)) return this.#effect('readAll', [range, options])
    if (direction === 'backward' || this.#random.chance(0.5)) {
      return this.#effect('readAll', [range, { ...options, limit: most }])
    }
    const whole = await this.#store.readAll({ from: Math.max(range.from, 1), to: range.to }, { limit: most })
    const to = Math.min(range.to, whole.examined + 1)
    if (whole.isLast || to <= range.from) return this.#effect('readAll', [range, options])
    const page = await this.#store.readAll({ from: range.from, to }, options)
    return { ...page, isLast: false }
  }

  #rows(max: number, projection: string, query: RowQuery): Promise<RowPage> {
    const limit = this.#random.chance(0.5) ? query.limit : Math.min(query.limit, max)
    return this.#effect('listRows', [projection, { ...query, limit }])
  }

  #effect(method: Method, args: readonly unknown[]): Promise<any> {
    return (this.#store[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args)
  }
}

/** The same commit, with an expectation that no stream meets. */
const unmet = ({ stream, id, recordedAt, events, command }: Commit): Commit =>
  commit({ stream, expected: Number.MAX_SAFE_INTEGER, id, recordedAt, events, ...(command && { command }) })

/** Changes that wait until no transaction of their projection is open. */
const changesRows: ReadonlySet<Method> = new Set<Method>(['saveStep', 'resetProjection'])

/** The same as a store that is used directly, without faults, with pages as large as they may be. */
export function simulatedStore(name: string, profile: Profile, random: Random): StoreFactory {
  let made: Promise<SimulatedStore> | undefined
  let now = Date.now
  return checkedFactory({
    name,
    open: async (options) => {
      if (profile.clock === 'of the machine') now = options.now
      made ??= SimulatedStore.of({ name, profile, present: () => now(), random })
      const [store, who] = [await made, {}]
      await store.open(who)
      const opened: Record<string, unknown> = { name, limits: store.limits, singleWriter: profile.singleWriter }
      for (const method of methods) {
        opened[method] = async (...args: readonly unknown[]) => {
          const answer = await store.call(method, args, who)
          if (store.late !== undefined && method === 'reserve') await rest(noticedMs)
          return answer
        }
      }
      if (profile.hasSql) Object.assign(opened, sqlOf(store, who))
      opened['onAppend'] = (listener: () => void) => store.onAppend(listener, who)
      opened['close'] = async () => store.close(who)
      return opened as unknown as Store
    },
  })
}

/** What a store that is used directly has if it has SQL. */
function sqlOf(store: SimulatedStore, who: object): Required<Pick<Store, 'transact' | 'readSql'>> {
  const { name } = store
  const never = new Promise<never>(() => {})
  const borrowed = (of: Pick<Transaction, 'query'>, ended: Promise<never>, end: () => void): Borrowed => ({
    name,
    ended,
    query: async (text, values) => of.query(text, values),
    end,
  })
  return {
    async transact(projection, from, work) {
      const transaction = await store.begin(projection, from, who)
      const lent = borrowed(transaction, never, () => transaction.end())
      await lend(work, lent, (step) => store.save(transaction, { from, ...step }))
    },
    async readSql(work, options) {
      const limit = new ReadLimit(name, options)
      const reading = store.tables.reading()
      try {
        return await lendReading(
          work,
          borrowed(reading, limit.race(never), () => reading.close()),
        )
      } finally {
        limit.close()
      }
    },
  }
}
