/**
 * One of the processes whose calls are judged. Many callers use a few accounts. Each call is reported before it is sent
 * and after it is answered, with the time of a clock that all processes of the machine share. The process runs until it
 * is told to stop, or killed.
 */
import { z } from 'zod'
import { aggregate, domain, event, hasCode, MnemeError, reject } from '../../src/index.ts'
import { listen, say as sayAnything } from '../../src/testing/crash/told-program.ts'
import { Random } from '../../src/testing/random.ts'
import { storeAt } from '../support/crash/place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import type { Answer, Name } from '../support/linearizability/checker.ts'

/** What a teller is told. */
export type ToTeller =
  | {
      readonly tell: 'begin'
      readonly place: Place
      readonly name: string
      readonly seed: number
      readonly callers: number
      readonly accounts: readonly string[]
    }
  | { readonly tell: 'stop' }

/** What a teller says. Times are in nanoseconds. */
export type FromTeller =
  | {
      readonly say: 'called'
      readonly commandId: string
      readonly account: string
      readonly name: Name
      readonly amount: number
      readonly at: number
    }
  | { readonly say: 'answered'; readonly commandId: string; readonly answer: Answer; readonly at: number }
  | { readonly say: 'unknown'; readonly commandId: string; readonly code: string }

const say = (message: FromTeller): void => sayAnything(message)
/** Of `CLOCK_MONOTONIC`: the same for all processes. */
const now = (): number => Number(process.hrtime.bigint())

const amount = z.object({ amount: z.int() })
const Changed = event('Changed', z.object({ by: z.int() }))

/** An account that answers with its balance whatever it is asked. */
export const Account = aggregate('account', () => ({ balance: 0 }))
  .on(Changed, ({ balance }, { by }) => ({ balance: balance + by }))
  .command('deposit', amount, (_, { amount }) => Changed({ by: amount }))
  .command('withdraw', amount, ({ balance }, { amount }) =>
    amount > balance ? reject('TooLittle', { balance }) : Changed({ by: -amount }),
  )
  .command('look', amount, () => undefined)
  .command('demand', amount, ({ balance }, { amount }): undefined => {
    if (balance !== amount) throw new RangeError(`${balance}`)
  })

export const Accounts = domain({ aggregates: { account: Account } })
type RunningAccounts = Awaited<ReturnType<typeof Accounts.start>>

let stopping = false
let work: Promise<unknown> = Promise.resolve()
let running: RunningAccounts | undefined

async function call(bank: RunningAccounts, account: string, commandId: string, random: Random): Promise<void> {
  const name = random.pick(['deposit', 'withdraw', 'withdraw', 'look', 'demand'] as const)
  const amount = random.int(0, 40)
  // An id of the caller's makes a "no" ask for the id too; both ways are judged.
  const options = random.chance(0.5) ? { commandId } : {}
  say({ say: 'called', commandId, account, name, amount, at: now() })
  try {
    const outcome = await bank.account(account).try[name]({ amount }, { ...options, metadata: { called: commandId } })
    const answer: Answer = !outcome.accepted
      ? { kind: 'rejected', balance: outcome.rejection.details.balance }
      : outcome.events.length === 0
        ? { kind: 'nothing', balance: outcome.state.balance }
        : { kind: 'stored', sequence: outcome.sequence, balance: outcome.state.balance }
    say({ say: 'answered', commandId, answer, at: now() })
  } catch (error) {
    const at = now()
    if (hasCode(error, 'DECIDE_FAILED')) {
      const balance = Number((error.cause as RangeError).message)
      say({ say: 'answered', commandId, answer: { kind: 'failed', balance }, at })
    } else say({ say: 'unknown', commandId, code: error instanceof MnemeError ? error.code : String(error) })
  }
}

async function begin({ place, name, seed, callers, accounts }: Extract<ToTeller, { tell: 'begin' }>): Promise<void> {
  const bank = await Accounts.start({ store: storeAt(place), passivateAfterMs: 20, log: { warn: () => {} } })
  running = bank
  const random = new Random(seed)
  let count = 0
  const caller = async (): Promise<void> => {
    while (!stopping) await call(bank, random.pick(accounts), `${name}-${count++}`, random)
  }
  work = Promise.all(Array.from({ length: callers }, caller))
}

async function stop(): Promise<void> {
  // In the middle of what is under way: every caller is answered all the same.
  stopping = true
  await running?.stop()
  await work
  process.exit(0)
}

listen((message: ToTeller) => {
  if (message.tell === 'begin') void begin(message)
  else void stop()
})
