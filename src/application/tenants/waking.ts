/**
 * Opens tenants that nobody calls: a domain also works by itself, for it handles events and sends scheduled commands.
 * One that is stopped leaves a note of when its next command is due, and is opened again at that time. The notes are in
 * memory: after a restart, `wake` finds what is due.
 */
import { hasCode } from '../../domain/error.ts'
import { backOffMs, type Environment, sleep } from '../../runtime/environment.ts'
import type { Warn } from '../../runtime/warning.ts'
import { DueNotes, type DueTenant } from './due-notes.ts'
import type { Rest } from './rest.ts'
import type { Loan } from './tenant-handle.ts'

/** The pause before a domain whose work was interrupted is opened again, and before a failed wake is repeated. */
const resumeMs = 1_000
const resumeMsMax = 60_000
/** The pauses between two looks whether a woken domain has done its work. */
const doneMsFirst = 10
const doneMsMax = 500
/** How much later a process that is not the tenant's home looks whether its work was done there. */
const elsewhereMs = 5_000

interface WakingOptions<Bank> {
  readonly environment: Environment
  readonly warn: Warn
  readonly idleMs: number
  readonly openMax: number
  readonly borrow: (tenant: string) => Promise<Loan<Bank>>
  readonly restOf: (bank: Bank) => Promise<Rest>
  readonly stopping: AbortSignal
  /** Asks for `wakeDue` to be called after some time. */
  readonly lookIn: (delayMs: number) => void
  readonly isHome?: (tenant: string) => boolean
}

export class Waking<Bank> {
  readonly #options: WakingOptions<Bank>
  readonly #notes: DueNotes
  /** Wakes in progress, and tenants that wait to be woken. */
  #wakes = 0
  readonly #due: DueTenant[] = []

  constructor(options: WakingOptions<Bank>) {
    this.#options = options
    this.#notes = new DueNotes(options.environment)
  }

  /** How many tenants have a note. */
  get scheduled(): number {
    return this.#notes.size
  }

  /** How many tenants are woken at the same time. The other places are for callers. */
  get wakesMax(): number {
    return Math.max(1, Math.floor(this.#options.openMax / 2))
  }

  /** A delay that ends in time to read the clock again. */
  shortened(delayMs: number): number {
    return this.#notes.shortened(delayMs)
  }

  /** A running domain sends its scheduled commands itself. */
  forget(tenant: string): void {
    this.#notes.delete(tenant)
  }

  /**
   * Notes when a domain that is stopped has to be opened again. What was interrupted continues soon. If nobody knows
   * what there is to do, somebody looks later.
   */
  note(tenant: string, { isQuiet, dueAt, isUnknown }: Rest): void {
    const { environment, isHome } = this.#options
    const laterMs = isHome === undefined || isHome(tenant) ? 0 : elsewhereMs
    const againMs = isUnknown ? resumeMsMax : isQuiet ? Number.POSITIVE_INFINITY : resumeMs
    this.#set(tenant, Math.min(dueAt, environment.now() + againMs) + laterMs)
  }

  /** Wakes a tenant in the background. */
  soon(tenant: string): void {
    this.#set(tenant, this.#options.environment.now())
  }

  #set(tenant: string, dueAt: number): void {
    const { environment, stopping, lookIn } = this.#options
    if (!Number.isFinite(dueAt) || stopping.aborted) return
    this.#notes.set(tenant, dueAt)
    lookIn(dueAt - environment.now())
  }

  /**
   * Opens a tenant, however long it takes until there is a place, and lets its domain do what it has to do now.
   *
   * @param background whether the process may end meanwhile
   * @throws as `borrow`, but not `TENANTS_BUSY`
   */
  async wake(tenant: string, background = false): Promise<void> {
    const { environment, idleMs, stopping, restOf } = this.#options
    const { bank, release } = await this.#borrowAtLast(tenant)
    try {
      const end = environment.elapsed() + idleMs
      for (let waitMs = doneMsFirst; !stopping.aborted; waitMs = Math.min(waitMs * 2, doneMsMax)) {
        const { isQuiet, dueAt, isUnknown } = await restOf(bank)
        const isDone = isQuiet && !isUnknown && dueAt > environment.now()
        // Work that takes longer continues in the open domain.
        if (isDone || environment.elapsed() >= end) return
        await sleep(environment, waitMs, stopping, { background })
      }
    } finally {
      release()
    }
  }

  async #borrowAtLast(tenant: string): Promise<Loan<Bank>> {
    for (;;) {
      try {
        return await this.#options.borrow(tenant)
      } catch (error) {
        if (!hasCode(error, 'TENANTS_BUSY')) throw error
      }
    }
  }

  /** Wakes the tenants whose time has come. */
  wakeDue(): void {
    this.#due.push(...this.#notes.takeDue())
    while (this.#wakes < this.wakesMax && this.#due.length > 0 && !this.#options.stopping.aborted) {
      this.#wakes++
      void this.#wakeAgain(this.#due.shift()!)
    }
    this.#options.lookIn(this.#notes.restMs)
  }

  async #wakeAgain({ tenant, failures }: DueTenant): Promise<void> {
    const { environment, warn } = this.#options
    try {
      await this.wake(tenant, true)
    } catch (cause) {
      if (!hasCode(cause, 'STOPPED')) {
        const pauseMs = backOffMs(environment, failures, resumeMs, resumeMsMax)
        const message = `The tenant ${JSON.stringify(tenant)} has work that is due, and could not be opened; it is tried again`
        if (failures === 0) warn({ code: 'TENANT_NOT_WOKEN', message, cause })
        this.#notes.set(tenant, environment.now() + pauseMs, failures + 1)
      }
    }
    this.#wakes--
    this.wakeDue()
  }
}
