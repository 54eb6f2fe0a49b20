/**
 * Keeps the domains of tenants: each is opened when it is first borrowed, once for all who ask, and stopped when it was
 * idle for long enough, or when another tenant needs its place. It is never stopped while somebody borrows it.
 * A domain that has work of its own is not stopped for being idle (`waking.ts`).
 */
import { CancelledError, OverloadError, TenantError } from '../../domain/error.ts'
import { type Environment, sleep, waitAtMost } from '../../runtime/environment.ts'
import type { Warn } from '../../runtime/warning.ts'
import { type Asked, type Entry, isIdle } from './entry.ts'
import { KeptFailures } from './kept-failures.ts'
import { type OpenDomain, type Parts, type Rest, restOf } from './rest.ts'
import { Slots } from './slots.ts'
import type { Loan } from './tenant-handle.ts'
import { Waking } from './waking.ts'

/** The number of calls that may wait until a tenant is open. Over it a call fails with `OVERLOADED`. */
const callsWaitingMax = 100_000
/** How many idle domains are asked at once whether they can be stopped. */
const looksMax = 32
/** How long a domain may take to say so. One on a slow store must not hold up the others. */
const lookMsMax = 1_000
/** The pauses between two looks for a domain that can be stopped, if another tenant waits for its place. */
const crowdedMsFirst = 5
const crowdedMsMax = 100
/** How long a domain with work of its own is not asked again. */
const workingMs = 500
/** A domain that sends a scheduled command so soon is stopped only if no other can be. */
const soonMs = 1_000
/** How long `stop` waits for a domain that is being opened. */
const openingMsMax = 30_000

export interface PoolOptions<Bank extends OpenDomain> {
  readonly open: (tenant: string) => Promise<Bank>
  readonly parts: Parts
  readonly idleMs: number
  readonly openMax: number
  readonly waitMs: number
  readonly environment: Environment
  readonly warn: Warn
  /** Whether a tenant's own work is to be done here. Absent if no other process shares it by a plan. */
  readonly isHome?: (tenant: string) => boolean
}

const unknownRest: Rest = Object.freeze({ isQuiet: false, dueAt: Number.POSITIVE_INFINITY })

export class TenantPool<Bank extends OpenDomain> {
  readonly #options: PoolOptions<Bank>
  readonly #slots: Slots
  readonly #entries = new Map<string, Entry<Bank>>()
  readonly #failures: KeptFailures
  readonly #waking: Waking<Bank>
  readonly #stopping = new AbortController()
  #callsWaiting = 0
  #makingRoom = false
  #cancelTimer: (() => void) | undefined
  #timerAt = Number.POSITIVE_INFINITY

  constructor(options: PoolOptions<Bank>) {
    this.#options = options
    this.#slots = new Slots(options.environment, options.openMax)
    this.#waking = new Waking({
      ...options,
      borrow: (tenant) => this.borrow(tenant),
      restOf: (bank) => this.#restOf(bank),
      stopping: this.#stopping.signal,
      lookIn: (delayMs) => this.#setTimer(delayMs),
    })
    this.#failures = new KeptFailures(options.environment)
  }

  /** How many domains are open, how many of them are borrowed, and how many calls wait. */
  load(): { readonly open: number; readonly inUse: number; readonly waiting: number; readonly scheduled: number } {
    const open = [...this.#entries.values()].filter(({ phase }) => phase === 'open')
    return {
      open: open.length,
      inUse: open.filter(({ holds }) => holds > 0).length,
      waiting: this.#callsWaiting,
      scheduled: this.#waking.scheduled,
    }
  }

  /** Borrows the domain of a tenant. Until it is given back, the pool does not stop it. @throws MnemeError */
  async borrow(tenant: string): Promise<Loan<Bank>> {
    for (;;) {
      this.#checkRunning(tenant)
      const entry = this.#entries.get(tenant)
      if (entry?.phase === 'stopping') await this.#counted(entry.stopped!)
      else return this.#lend(entry ?? this.#open(tenant))
    }
  }

  async #lend(entry: Entry<Bank>): Promise<Loan<Bank>> {
    entry.holds++
    entry.loans++
    let isHeld = true
    const release = () => {
      if (!isHeld) return
      isHeld = false
      entry.holds--
      entry.usedAt = this.#options.environment.elapsed()
      if (entry.holds === 0) this.#onIdle()
    }
    try {
      const bank = entry.bank ?? (await this.#counted(entry.opened))
      this.#checkRunning(entry.tenant)
      return { bank, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** @throws CancelledError `STOPPED` */
  #checkRunning(tenant: string): void {
    if (this.#stopping.signal.aborted) throw new CancelledError('STOPPED', { what: `A call to ${called(tenant)}` })
  }

  /** Waits with a bound on the number of those who wait. */
  async #counted<Result>(wait: Promise<Result>): Promise<Result> {
    if (this.#callsWaiting >= callsWaitingMax) {
      throw new OverloadError('OVERLOADED', { queue: 'callsWaitingMax', sizeMax: callsWaitingMax })
    }
    this.#callsWaiting++
    try {
      return await wait
    } finally {
      this.#callsWaiting--
    }
  }

  // -- opening -------------------------------------------------------------------------------------------

  #open(tenant: string): Entry<Bank> {
    const { environment } = this.#options
    const entry: Entry<Bank> = {
      tenant,
      phase: 'opening',
      holds: 0,
      loans: 0,
      usedAt: environment.elapsed(),
      restsAt: 0,
      stoppingAt: 0,
      opened: this.#opened(tenant),
      bank: undefined,
      stopped: undefined,
    }
    this.#entries.set(tenant, entry)
    entry.opened.then(
      (bank) => {
        entry.bank = bank
        entry.phase = 'open'
        // A running domain sends its scheduled commands itself.
        this.#waking.forget(tenant)
        if (this.#stopping.signal.aborted) void this.#stopOne(entry, unknownRest)
        else if (entry.holds === 0) this.#onIdle()
      },
      () => this.#entries.delete(tenant),
    )
    return entry
  }

  /** @throws TenantError `TENANTS_BUSY`, `TENANT_NOT_OPENED`; CancelledError `STOPPED` */
  async #opened(tenant: string): Promise<Bank> {
    this.#failures.check(tenant)
    const { openMax, waitMs } = this.#options
    const taking = this.#slots.take(waitMs, this.#stopping.signal)
    if (this.#slots.waiting > 0) void this.#makeRoom()
    if (!(await taking)) {
      this.#checkRunning(tenant)
      throw new TenantError('TENANTS_BUSY', { tenant, openMax, waitMs })
    }
    try {
      return await this.#options.open(tenant)
    } catch (cause) {
      this.#slots.release()
      const error = new TenantError('TENANT_NOT_OPENED', { tenant }, cause)
      if (!error.retryable) this.#failures.keep(tenant, error)
      throw error
    }
  }

  // -- stopping ------------------------------------------------------------------------------------------

  /** A domain was given back. */
  #onIdle(): void {
    if (this.#stopping.signal.aborted) return
    if (this.#slots.waiting > 0) void this.#makeRoom()
    this.#setTimer(this.#options.idleMs)
  }

  /** Stops idle domains while others wait for a place. It waits for none of them to end: one may be slow. */
  async #makeRoom(): Promise<void> {
    if (this.#makingRoom) return
    this.#makingRoom = true
    const { environment } = this.#options
    const { signal } = this.#stopping
    for (let pauseMs = crowdedMsFirst; this.#slots.waiting > 0 && !signal.aborted; ) {
      const isFreed = ({ phase, stoppingAt }: Entry<Bank>) =>
        phase === 'stopping' && environment.elapsed() - stoppingAt < lookMsMax
      const freed = [...this.#entries.values()].filter(isFreed)
      const missing = this.#slots.waiting - freed.length
      const stopped = missing > 0 ? await this.#stopSome(missing) : []
      pauseMs = stopped.length > 0 ? crowdedMsFirst : Math.min(pauseMs * 2, crowdedMsMax)
      const over = new AbortController()
      const pause = sleep(environment, pauseMs, AbortSignal.any([signal, over.signal]), { background: true })
      await Promise.race([pause, ...freed.map((entry) => entry.stopped), ...stopped])
      over.abort()
    }
    this.#makingRoom = false
  }

  /**
   * Stops those that were used least recently and have no work of their own. If all have some, then those that nobody
   * has called for so long that their work may be interrupted: work that never ends must not keep a place for ever.
   */
  async #stopSome(count: number): Promise<readonly Promise<void>[]> {
    const asked = await this.#askIdle(crowdedMsMax)
    const now = this.#options.environment.now()
    const isQuiet = ({ isQuiet, dueAt }: Rest) => isQuiet && dueAt - now > soonMs
    const idle = asked.filter(({ entry, isCurrent }) => isIdle(entry) && isCurrent())
    const quiet = idle.filter(({ rest }) => isQuiet(rest))
    const forgotten = idle.filter(({ entry }) => this.#isOverdue(entry))
    const chosen = quiet.length > 0 ? quiet : forgotten
    return chosen.slice(0, count).map(({ entry, rest }) => this.#stopOne(entry, rest))
  }

  /** Stops those that were idle for long enough and have nothing to do soon. */
  async #sweep(): Promise<void> {
    const { environment, idleMs } = this.#options
    for (const { entry, rest, isCurrent } of await this.#askIdle(
      workingMs,
      (each) => this.#isOverdue(each) && each.restsAt <= environment.elapsed(),
    )) {
      const isSoon = rest.dueAt - environment.now() <= idleMs
      const isStill = isIdle(entry) && isCurrent() && this.#isOverdue(entry)
      if (rest.isQuiet && !isSoon && isStill) void this.#stopOne(entry, rest)
    }
    const idle = [...this.#entries.values()].filter(isIdle)
    const next = Math.min(...idle.map(({ usedAt, restsAt }) => Math.max(usedAt + idleMs, restsAt)))
    this.#setTimer(next - environment.elapsed())
  }

  #isOverdue({ usedAt }: Entry<Bank>): boolean {
    return this.#options.environment.elapsed() - usedAt >= this.#options.idleMs
  }

  /** Asks idle domains what they still have to do. Those that were at work a moment ago come last. */
  async #askIdle(
    againMs: number,
    isMeant: (entry: Entry<Bank>) => boolean = () => true,
  ): Promise<readonly Asked<Bank>[]> {
    const { environment } = this.#options
    const now = environment.elapsed()
    const idle = [...this.#entries.values()].filter((each) => isIdle(each) && isMeant(each))
    const isAtWork = ({ restsAt }: Entry<Bank>) => Number(restsAt > now)
    const first = idle.sort((a, b) => isAtWork(a) - isAtWork(b) || a.usedAt - b.usedAt).slice(0, looksMax)
    return Promise.all(
      first.map(async (entry) => {
        const { loans } = entry
        const rest = await this.#restOf(entry.bank!)
        entry.restsAt = environment.elapsed() + (rest.isQuiet ? 0 : againMs)
        return { entry, rest, isCurrent: () => entry.loans === loans }
      }),
    )
  }

  /** A store that cannot be asked is no reason to keep the domain; one that is slow may be at work. */
  async #restOf(bank: Bank): Promise<Rest> {
    const { environment, parts } = this.#options
    const asking = restOf(bank, parts).catch(() => ({ ...unknownRest, isQuiet: true, isUnknown: true }))
    await waitAtMost(environment, lookMsMax, asking)
    return Promise.race([asking, Promise.resolve(unknownRest)])
  }

  /** Stops a domain that nobody borrows. Those who ask for it meanwhile wait, and then it is opened again. */
  #stopOne(entry: Entry<Bank>, rest: Rest): Promise<void> {
    const { environment, warn } = this.#options
    const { tenant } = entry
    entry.phase = 'stopping'
    entry.stoppingAt = environment.elapsed()
    this.#waking.note(tenant, rest)
    entry.stopped = (async () => {
      try {
        await entry.bank!.stop()
      } catch (cause) {
        warn({ code: 'TENANT_NOT_STOPPED', message: `${capital(called(tenant))} could not be stopped`, cause })
      }
      this.#entries.delete(tenant)
      this.#slots.release()
    })()
    return entry.stopped
  }

  /** Refuses new calls, ends those that wait, and stops all domains. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#cancelTimer?.()
    await Promise.all(
      [...this.#entries.values()].map(async (entry) => {
        // One that does not come to an end is stopped when it is open.
        if (entry.phase === 'opening') await waitAtMost(this.#options.environment, openingMsMax, entry.opened)
        if (entry.phase === 'open') void this.#stopOne(entry, unknownRest)
        await entry.stopped
      }),
    )
  }

  /** Opens a tenant, and lets its domain do what it has to do now. @throws as `borrow`, but not `TENANTS_BUSY` */
  wake(tenant: string): Promise<void> {
    return this.#waking.wake(tenant)
  }

  /** Wakes a tenant in the background, and tries again if that fails. */
  wakeSoon(tenant: string): void {
    this.#waking.soon(tenant)
  }

  /** How many tenants are woken at the same time. The other places are for callers. */
  get wakesMax(): number {
    return this.#waking.wakesMax
  }

  // -- one timer -----------------------------------------------------------------------------------------

  #setTimer(wantedMs: number): void {
    const { environment } = this.#options
    const delayMs = this.#waking.shortened(Math.max(1, wantedMs))
    const at = environment.elapsed() + delayMs
    if (at >= this.#timerAt || this.#stopping.signal.aborted) return
    this.#cancelTimer?.()
    this.#timerAt = at
    this.#cancelTimer = environment.after(delayMs, () => this.#onTimer(), { background: true })
  }

  #onTimer(): void {
    this.#cancelTimer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#waking.wakeDue()
    void this.#sweep()
  }
}

const called = (tenant: string): string => `the tenant ${JSON.stringify(tenant)}`
const capital = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`
