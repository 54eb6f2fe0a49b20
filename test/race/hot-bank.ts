/**
 * The program of one process among several that all write to the same few accounts, by many callers, until it is told
 * to stop.
 */
import { Bank } from '../../examples/bank/bank.ts'
import { MnemeError } from '../../src/index.ts'
import { listen, say as sayAnything } from '../../src/testing/crash/told-program.ts'
import { storeAt } from '../support/crash/place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'

/** What a hot bank is told: first where, then that all have opened it. */
export type ToHotBank =
  | { readonly tell: 'open'; readonly place: Place }
  | { readonly tell: 'begin'; readonly callers: number; readonly accounts: readonly string[] }
  | { readonly tell: 'stop' }

/** What a hot bank says. */
export type FromHotBank =
  | { readonly say: 'opened' }
  | { readonly say: 'answered'; readonly count: number }
  | { readonly say: 'failed'; readonly code: string }
  | { readonly say: 'over'; readonly answers: number; readonly longestMs: number }

const say = (message: FromHotBank): void => sayAnything(message)
/** Answers between two messages. */
const answersPerMessage = 10

type RunningBank = Awaited<ReturnType<typeof Bank.start>>
const opened = Promise.withResolvers<RunningBank>()
let stopping = false
let work: Promise<unknown> = Promise.resolve()
let answers = 0
let longestMs = 0

async function call(bank: RunningBank, account: string): Promise<void> {
  while (!stopping) {
    const startedAt = performance.now()
    try {
      await bank.account(account).deposit({ amount: 1 })
      answers++
      if (answers % answersPerMessage === 0) say({ say: 'answered', count: answersPerMessage })
    } catch (error) {
      say({ say: 'failed', code: error instanceof MnemeError ? error.code : String(error) })
    }
    longestMs = Math.max(longestMs, performance.now() - startedAt)
  }
}

async function tell(message: ToHotBank): Promise<void> {
  if (message.tell === 'open') {
    const bank = await Bank.start({ store: storeAt(message.place), projections: 'manual', log: { warn: () => {} } })
    opened.resolve(bank)
    say({ say: 'opened' })
  } else if (message.tell === 'begin') {
    const { callers, accounts } = message
    const bank = await opened.promise
    work = Promise.all(Array.from({ length: callers }, (_, i) => call(bank, accounts[i % accounts.length]!)))
  } else {
    stopping = true
    await work
    await (await opened.promise).stop()
    say({ say: 'over', answers, longestMs })
    process.exit(0)
  }
}

listen((message: ToHotBank) => void tell(message))
