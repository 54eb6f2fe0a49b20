/**
 * A bank at work in this process while its server is killed, paused or cut off. Callers send commands with ids, and
 * send them again until they are answered. The bank has to recover without help. At the end every answer is compared
 * with the log, the rows and the receipts with a fold of the log, and the events of a subscription with the whole log.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { everything, hasCode, MnemeError, type Store, type StoredEvent } from '../../../src/index.ts'
import type { Random } from '../../../src/testing/random.ts'
import { within } from './deadline.ts'
import { checkRows } from './inspection.ts'
import { Ledger } from './ledger.ts'
import { OrdealBank } from './ordeal-domain.ts'
import { storeAt } from './place.ts'
import type { BankCommand, ServerPlace } from './writer-protocol.ts'

type Bank = Awaited<ReturnType<typeof OrdealBank.start>>

export interface OrdealOptions {
  /** The way that the bank takes to its server. */
  readonly place: ServerPlace
  /** A way that nothing disturbs, if the bank's own is not one. */
  readonly direct?: ServerPlace
  readonly pace: Pace
  readonly random: Random
}

/** How fast a bank is asked to work. */
export interface Pace {
  readonly callers: number
  /** So far the callers may be ahead of the reaction, which does one thing after the other. */
  readonly backlogMax: number
}

const accounts: readonly string[] = Array.from({ length: 8 }, (_, i) => `account ${i + 1}`)
/** After so long without progress a bank has not recovered by itself. */
const recoveryMsMax = 300_000
const pauseMs = 20
const answersOfProgress = 20
/** How many warnings a failure tells. */
const warningsShown = 8

/** What may be said of a command in such times: that its outcome is unknown, or that nothing came of it. */
const truthful: ReadonlySet<string> = new Set([
  ...([
    'OUTCOME_UNKNOWN',
    'STORE_UNAVAILABLE',
    'AGGREGATE_LOAD_FAILED',
    'CONFLICT',
    'OVERLOADED',
    'NOT_STORED',
  ] as const),
])

/** What the bank may warn of. */
const expectedWarnings =
  /\[(APPEND_REPEATED|AGGREGATE_NOT_LOADED|PROJECTION_DELAYED|SNAPSHOT_FAILED|SNAPSHOT_SKIPPED|SNAPSHOT_IGNORED|NOT_LISTENING|DURABILITY_WEAKENED),/

/**
 * Lets a bank work while `torment` runs, then ends its work and looks at everything.
 *
 * @param torment disturbs the bank, and waits for `recovered` where it should have gone on
 */
export async function ordeal(
  context: TestContext,
  options: OrdealOptions,
  torment: (ordeal: Ordeal) => Promise<void>,
): Promise<void> {
  const warned: string[] = []
  const bank = await OrdealBank.start({
    store: storeAt(options.place),
    snapshotEvery: 10,
    passivateAfterMs: 200,
    pollIntervalMs: 200,
    leaseMs: 2_000,
    log: { warn: (message) => warned.push(message) },
  })
  const ordeal = new Ordeal(bank, warned, options)
  try {
    await ordeal.run(torment)
    for (const message of warned) assert.ok(expectedWarnings.test(message), `nothing explains this: ${message}`)
    const facts = [...ordeal.failures].map(([code, count]) => `${count} ${code}`)
    context.diagnostic(
      `${ordeal.ledger.answers} answers, failed: ${facts.join(', ') || 'none'}; ${warned.length} warnings`,
    )
  } catch (cause) {
    const [status] = await Promise.allSettled([bank.reactions.status('writeReceipts')])
    const last = warned.slice(-warningsShown).join('\n')
    const facts = JSON.stringify([ordeal.ledger.answers, [...ordeal.failures], status])
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${facts}\n${last}`, { cause })
  } finally {
    await bank.stop()
  }
}

export class Ordeal {
  readonly bank: Bank
  readonly ledger: Ledger = new Ledger()
  /** How often a command failed, by the code of the error. */
  readonly failures = new Map<string, number>()
  /** What the bank has warned of. */
  readonly warned: readonly string[]
  readonly #options: OrdealOptions
  readonly #followed: number[] = []
  #count = 0
  #isOver = false
  /** The last position that somebody was told. */
  #newest = 0
  /** The last position that the reaction is known to have handled. */
  #handled = 0
  #catchingUp: Promise<void> | undefined

  constructor(bank: Bank, warned: readonly string[], options: OrdealOptions) {
    this.bank = bank
    this.warned = warned
    this.#options = options
  }

  async run(torment: (ordeal: Ordeal) => Promise<void>): Promise<void> {
    const ending = new AbortController()
    const following = this.#follow(ending.signal)
    const working = Promise.all([
      ...accounts.map((id) => this.#send(this.#command(id, 'open', { owner: `owner of ${id}` }))),
      ...Array.from({ length: this.#options.pace.callers }, () => this.#call()),
    ])
    try {
      await Promise.race([
        torment(this),
        working.then(() => Promise.reject(new Error('the callers have ended'))),
        following,
      ])
      this.#isOver = true
      await within(recoveryMsMax, working, () => `${this.ledger.unanswered().length} commands have no answer`)
      await this.#lookAtAll(following)
    } finally {
      this.#isOver = true
      ending.abort()
      await following.catch(() => {})
    }
  }

  /** Waits until something is so, which should be soon. @param what it is, for the error */
  async until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + recoveryMsMax
    while (!(await isSo())) {
      assert.ok(performance.now() < deadline, `waited ${recoveryMsMax} ms for ${what}`)
      await setTimeout(pauseMs)
    }
  }

  /** Waits until so many more commands were answered. */
  answered(more: number): Promise<void> {
    const enough = this.ledger.answers + more
    return this.until(() => this.ledger.answers >= enough, `${more} more answers`)
  }

  /** Waits until more commands were answered, and projection, reaction and subscription have handled them. */
  async recovered(): Promise<void> {
    await this.answered(answersOfProgress)
    const position = this.#newest
    await this.#rowsReached(position)
    await this.#reactionReached(position)
    await this.until(() => this.#followed.length >= position, `the subscription to reach position ${position}`)
  }

  async #call(): Promise<void> {
    const { random, pace } = this.#options
    while (!this.#isOver) {
      if (this.#newest > this.#handled + pace.backlogMax) await this.#caughtUp()
      const name = random.chance(0.3) ? 'withdraw' : 'deposit'
      await this.#send(this.#command(random.pick(accounts), name, { amount: random.int(1, 100) }))
    }
  }

  /** Lets the reaction catch up, once for all callers. */
  async #caughtUp(): Promise<void> {
    this.#catchingUp ??= this.#reactionReached(this.#newest - this.#options.pace.backlogMax / 2).finally(() => {
      this.#catchingUp = undefined
    })
    await this.#catchingUp
  }

  #command(id: string, name: string, data: object): BankCommand {
    return { aggregate: 'account', id, name, data, commandId: `command ${++this.#count}` } as BankCommand
  }

  /** Sends a command until it is answered. What it fails with has to be typed, true, and worth another try. */
  async #send(command: BankCommand): Promise<void> {
    const { commandId } = command
    this.ledger.hear({ say: 'announced', command })
    for (;;) {
      try {
        const outcome = await this.bank.try.dispatch(command)
        if (!outcome.accepted) return this.ledger.hear({ say: 'rejected', commandId })
        const { sequence, position, state } = outcome
        this.#newest = Math.max(this.#newest, position)
        return this.ledger.hear({ say: 'acknowledged', commandId, sequence, position, balance: state.balance })
      } catch (error) {
        if (!(error instanceof MnemeError) || !error.retryable || !truthful.has(error.code)) throw error
        this.failures.set(error.code, (this.failures.get(error.code) ?? 0) + 1)
        await setTimeout(pauseMs)
      }
    }
  }

  /**
   * Follows the log. A subscription tells its reader when the store fails; the reader goes on behind what it has had.
   */
  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const { position } of this.bank.events({ from: this.#followed.length + 1, signal })) {
          assert.equal(
            position,
            this.#followed.length + 1,
            'the subscription leaves nothing out and gives nothing twice',
          )
          this.#followed.push(position)
        }
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof MnemeError) || error.code !== 'STORE_UNAVAILABLE') throw error
        await setTimeout(pauseMs)
      }
    }
  }

  /** While servers choose a new leader, which takes long on a busy machine, a read fails. */
  async #rowsReached(position: number): Promise<void> {
    await this.until(async () => {
      try {
        await this.bank.balances.get(accounts[0]!, { atLeast: position, timeoutMs: recoveryMsMax })
        return true
      } catch (error) {
        if (hasCode(error, 'STORE_UNAVAILABLE')) return false
        throw error
      }
    }, `the rows to reach position ${position}`)
  }

  async #reactionReached(position: number): Promise<void> {
    await this.until(async () => {
      const status = await this.bank.reactions.status('writeReceipts').catch(() => undefined)
      if (status?.failure !== undefined) throw status.failure
      this.#handled = Math.max(this.#handled, status?.position ?? 0)
      return this.#handled >= position
    }, `the reaction to reach position ${position}`)
  }

  // -- the look at what came of it ---------------------------------------------------------------------

  async #lookAtAll(following: Promise<void>): Promise<void> {
    const { place, direct = place } = this.#options
    assert.deepEqual(this.ledger.unanswered(), [], 'every command is answered in the end')
    const store = await storeAt(direct).open({ warn: () => {}, now: Date.now })
    try {
      await this.#reactionReached(await store.head())
      const events = (await store.readAll(everything, { limit: Number.POSITIVE_INFINITY })).events
      const balances = this.ledger.check(events)
      for (const [id, { balance }] of balances) {
        assert.deepEqual(await this.bank.account(id).state(), { status: 'open', balance }, `the state of ${id}`)
      }
      await this.#lookAtRows(store, events)
      lookAtReceipts(events)
      const all = this.until(() => this.#followed.length >= events.length, 'the subscription to come to the end')
      await Promise.race([all, following])
      assert.equal(this.#followed.length, events.length)
    } finally {
      await store.close()
    }
  }

  async #lookAtRows(store: Store, events: readonly StoredEvent[]): Promise<void> {
    await this.#rowsReached(events.length)
    await checkRows(
      this.bank,
      store,
      events.filter(({ stream }) => stream.aggregate === 'account'),
    )
  }
}

/** There is one receipt for each withdrawal, issued or refused, and no other. */
function lookAtReceipts(events: readonly StoredEvent[]): void {
  const wanted = events.filter(({ type }) => type === 'MoneyWithdrawn').map(({ position }) => position)
  const receipts = events.filter(({ stream }) => stream.aggregate === 'receipts')
  const found = receipts.map(({ data }) => (data as { readonly position: number }).position)
  assert.deepEqual(
    found.sort((a, b) => a - b),
    wanted,
    'there is one receipt for each withdrawal',
  )
  assert.ok(receipts.some(({ type }) => type === 'ReceiptRefused') || receipts.length < 30, 'some were refused')
}
