/**
 * The caller's side of the writer's thread. While one group of requests is being committed, all others gather. When its
 * replies come, they are sent as the next group. Groups therefore grow under load, and a single request waits for
 * nothing. Appends, projection steps, snapshots and leases take turns in the order in which they were asked for. A
 * transaction with the caller's statements has a turn alone.
 *
 * If the thread dies, or closes the database because of an error, the outcome of the group that it was working on is
 * unknown. Those calls reject with `STORE_UNAVAILABLE`. For requests that were still waiting the database is opened
 * again. The thread keeps the process alive only while calls are in progress.
 */
import { InputError, type MnemeError, OverloadError, StoreError } from '../../../domain/error.ts'
import { soon } from '../../../runtime/timers.ts'
import type { CutLog } from '../database/cut-log.ts'
import { errorOf, notStored, storeNamed } from '../database/failure.ts'
import type { Identities } from '../database/files-in-place.ts'
import { merged, repliesToEach } from '../database/merged-appends.ts'
import type { CallName, Calls, FromWriter, Reply, Request, ToWriter } from '../database/protocol.ts'
import type { Settings } from '../options.ts'
import { TransactionClient, type TransactionTask } from '../transact/transaction-client.ts'
import { connect, type Held, type Line } from './threads.ts'

/** The bounds of a group: the number of requests, and the characters at which no further request joins. */
const groupRequestsMax = 2_000
const groupSizeMax = 8_000_000
/** The number of requests that may wait. Over it a call rejects with `OVERLOADED`. */
const waitingMax = 100_000

interface Call {
  readonly request: Request
  readonly size: number
  readonly resolve: (answer: any) => void
  readonly reject: (error: unknown) => void
}

/** What the thread tells besides its answers. */
export interface Notices {
  readonly cut: (cut: CutLog) => void
  readonly slow: (held: Held) => void
}

export class Writer {
  readonly #settings: Settings
  readonly #notices: Notices
  #waiting: (Call | TransactionClient)[] = []
  #inFlight: readonly Call[] = []
  /** What was sent for them. */
  #sent: readonly Request[] = []
  /** The transaction that has the thread for itself. */
  #open: TransactionClient | undefined
  #line: Line | undefined
  #identities: Identities | undefined
  #scheduled = false
  #onOpened: ((failure: MnemeError | undefined) => void) | undefined
  #onIdle: (() => void) | undefined

  constructor(settings: Settings, notices: Notices) {
    this.#settings = settings
    this.#notices = notices
  }

  /**
   * Starts the thread, which makes or checks the database. @returns the identities of its files. @throws StoreError,
   * DefinitionError
   */
  async open(): Promise<Identities> {
    const failure = await new Promise<MnemeError | undefined>((resolve) => {
      this.#onOpened = resolve
      this.#start().hold(true)
    })
    if (failure !== undefined) throw failure
    return this.#identities!
  }

  /**
   * Makes a request, as part of the next transaction.
   *
   * @param size the approximate number of its characters
   * @throws StoreError; OverloadError `OVERLOADED`
   */
  call<Name extends CallName>(
    name: Name,
    request: Calls[Name]['request'],
    size: number,
  ): Promise<Calls[Name]['answer']> {
    const { promise, resolve, reject } = Promise.withResolvers<Calls[Name]['answer']>()
    const call = { request: { call: name, ...request } as unknown as Request, size, resolve, reject }
    return this.#enqueue(call) ?? promise
  }

  /**
   * Runs a transaction with the caller's statements. When it has its turn, it has the thread for itself until it is
   * over.
   *
   * @throws ConflictError `CHECKPOINT_CONFLICT`; StoreError; OverloadError `OVERLOADED`; the error of the work
   */
  transact(task: TransactionTask): Promise<void> {
    const transaction = new TransactionClient(this.#settings, task)
    return this.#enqueue(transaction) ?? transaction.outcome
  }

  #enqueue(turn: Call | TransactionClient): Promise<never> | undefined {
    if (this.#waiting.length >= waitingMax) {
      return Promise.reject(new OverloadError('OVERLOADED', { queue: 'waitingMax', sizeMax: waitingMax }))
    }
    this.#waiting.push(turn)
    this.#schedule()
    return undefined
  }

  get #isBusy(): boolean {
    return this.#inFlight.length > 0 || this.#open !== undefined
  }

  /** Waits for requests in progress. */
  async settled(): Promise<void> {
    if (this.#waiting.length === 0 && !this.#isBusy) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }

  /** Closes the connection, and ends the thread if no other store uses it. Call it when all requests are settled. */
  async close(): Promise<void> {
    const line = this.#line
    if (line === undefined) return
    line.hold(true)
    line.post('close')
    await line.ended
  }

  /** Calls of the same turn are sent together. */
  #schedule(): void {
    if (this.#scheduled || this.#isBusy) return
    this.#scheduled = true
    soon(() => {
      this.#scheduled = false
      this.#send()
    })
  }

  #send(): void {
    if (this.#isBusy) return
    if (this.#waiting.length === 0) {
      this.#line?.hold(false)
      this.#onIdle?.()
      return
    }
    const line = this.#line ?? this.#start()
    line.hold(true)
    const { post } = line
    const [first] = this.#waiting
    if (first instanceof TransactionClient) this.#hand(first, post)
    else this.#sendGroup(this.#take(), post)
  }

  /** A request that cannot be sent to another thread, such as one with a symbol, fails only its own call. */
  #sendGroup(group: readonly Call[], post: (message: ToWriter) => void): void {
    this.#inFlight = group
    try {
      this.#sent = merged(group.map(({ request }) => request))
      post(this.#sent)
    } catch {
      this.#inFlight = []
      const sayable = group.filter((call) => {
        const reason = unsayable(call.request)
        if (reason === undefined) return true
        call.reject(new InputError('DATA_NOT_JSON', { what: 'A request', path: '', found: reason }))
        return false
      })
      this.#waiting = [...sayable, ...this.#waiting]
      this.#send()
    }
  }

  /** Gives the thread to a transaction until it is over. */
  #hand(transaction: TransactionClient, post: (message: ToWriter) => void): void {
    this.#waiting = this.#waiting.slice(1)
    this.#open = transaction
    transaction.begin(post, () => {
      if (this.#open !== transaction) return
      this.#open = undefined
      this.#send()
    })
  }

  /** The calls up to the next transaction, at most one group. */
  #take(): readonly Call[] {
    const group: Call[] = []
    let size = 0
    for (const turn of this.#waiting) {
      if (turn instanceof TransactionClient || group.length === groupRequestsMax) break
      size += turn.size
      if (group.length > 0 && size > groupSizeMax) break
      group.push(turn)
    }
    this.#waiting = this.#waiting.slice(group.length)
    return group
  }

  #start(): Line {
    let opened = false
    let failed: MnemeError | undefined
    const hear = (message: Exclude<FromWriter, { readonly closed: unknown }>) => {
      if ('cut' in message) this.#notices.cut(message.cut)
      else if ('replies' in message) this.#settle(message.replies)
      else if ('answered' in message) this.#open?.take(message.answered)
      else if (!('kind' in message.opened)) {
        opened = true
        this.#identities = message.opened
        this.#tellOpened(undefined)
      } else failed = errorOf(this.#settings.path, 'opening it', message.opened)
    }
    const end = (cause: unknown) => {
      if (this.#line === line) this.#line = undefined
      if (opened) this.#lose(unavailable(this.#settings.path, 'writing: its thread ended', cause), this.#inFlight)
      else this.#fail(failed ?? unavailable(this.#settings.path, 'opening it', cause))
    }
    const { slow } = this.#notices
    const line = connect({ settings: this.#settings, identities: this.#identities }, { hear, end, slow })
    this.#line = line
    return line
  }

  #settle(replies: readonly Reply[]): void {
    const group = this.#inFlight
    const each = repliesToEach(this.#sent, replies, group.length)
    this.#inFlight = []
    this.#sent = []
    group.forEach(({ request, resolve, reject }, i) => {
      const reply = each[i]!
      if ('answer' in reply) resolve(reply.answer)
      else reject(this.#error(request, reply))
    })
    this.#send()
  }

  #error({ call }: Request, { failure, isUndone }: Extract<Reply, { readonly failure: unknown }>): MnemeError {
    const error = errorOf(this.#settings.path, doing[call], failure)
    return call === 'append' && isUndone ? notStored(error) : error
  }

  #tellOpened(failure: MnemeError | undefined): void {
    this.#onOpened?.(failure)
    this.#onOpened = undefined
    if (!this.#isBusy) this.#line?.hold(false)
  }

  /** The database cannot be opened. All calls fail, and nothing of theirs was written. */
  #fail(error: MnemeError): void {
    this.#tellOpened(error)
    const waiting = this.#waiting
    this.#waiting = []
    const turns = [...this.#inFlight, ...waiting]
    this.#inFlight = []
    for (const turn of turns) {
      turn.reject('request' in turn && turn.request.call === 'append' ? notStored(error) : error)
    }
    this.#lose(error, [])
  }

  #lose(error: MnemeError, turns: readonly (Call | TransactionClient)[]): void {
    const open = this.#open
    this.#inFlight = []
    this.#open = undefined
    for (const turn of turns) turn.reject(error)
    open?.reject(error)
    this.#send()
  }
}

const doing: { readonly [Name in CallName]: string } = {
  append: 'appending',
  reserve: 'reserving streams',
  saveStep: 'saving a step of a projection',
  resetProjection: 'resetting a projection',
  saveSnapshot: 'saving a snapshot',
  acquireLease: 'acquiring a lease',
  releaseLease: 'releasing a lease',
}

/** Why a request cannot be sent to another thread, or undefined if it can. */
function unsayable(request: Request): string | undefined {
  try {
    structuredClone(request)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function unavailable(path: string, doing: string, cause: unknown): StoreError {
  return new StoreError('STORE_UNAVAILABLE', { store: storeNamed(path), doing }, cause)
}
