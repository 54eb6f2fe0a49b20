/**
 * The program that is killed: a bank under full load. Many callers send commands to a few accounts, as fast as they are
 * answered. Each command is announced before it is sent, and reported when it is answered. The program runs until it is
 * told to stop.
 */
import { Bank } from '../../../examples/bank/bank.ts'
import { MnemeError } from '../../../src/index.ts'
import { listen, say as sayAnything } from '../../../src/testing/crash/told-program.ts'
import { Random } from '../../../src/testing/random.ts'
import { LethalDisk } from './lethal-disk.ts'
import { storeAt } from './place.ts'
import type { BankCommand, FromWriter, LethalCall, ToWriter } from './writer-protocol.ts'

type RunningBank = Awaited<ReturnType<typeof Bank.start>>
type Beginning = Extract<ToWriter, { readonly tell: 'begin' }>

const say = (message: FromWriter): void => sayAnything(message)
const lethal = new LethalDisk((file, length) => say({ say: 'durable', file, length }))
let stopping = false
let stop: (() => Promise<void>) | undefined

function arm(lethalCall: LethalCall | undefined, moment: LethalCall['after']): void {
  if (lethalCall?.after === moment) lethal.arm(lethalCall)
}

async function begin({ place, lethalCall, name, seed, callers, accounts, repeat }: Beginning): Promise<void> {
  say({ say: 'opening' })
  arm(lethalCall, 'opening')
  const bank = await Bank.start({
    store: storeAt(place, lethal.disk),
    snapshotEvery: 5,
    passivateAfterMs: 50,
    // Whoever follows a killed one waits for its lease.
    leaseMs: 300,
    log: { warn: (message) => say({ say: 'warned', message }) },
  })
  stop = async () => {
    stopping = true
    say({ say: 'stopping' })
    arm(lethalCall, 'stopping')
    await bank.stop()
  }
  const random = new Random(seed)
  let count = 0
  const next = (): BankCommand => commandOf(random, accounts, `${name}-${count++}`)
  const first = [...repeat, ...accounts.map((id) => opening(id, `${name}-${count++}`))]
  await Promise.all([...first.map((command) => send(bank, command)), ...Array.from({ length: callers }, caller)])

  async function caller(): Promise<void> {
    while (!stopping) await send(bank, next())
  }
}

const opening = (id: string, commandId: string): BankCommand =>
  ({ aggregate: 'account', id, name: 'open', data: { owner: `owner of ${id}` }, commandId }) as const

function commandOf(random: Random, accounts: readonly string[], commandId: string): BankCommand {
  const id = random.pick(accounts)
  const name = random.chance(0.3) ? 'withdraw' : 'deposit'
  return { aggregate: 'account', id, name, data: { amount: random.int(1, 100) }, commandId }
}

async function send(bank: RunningBank, command: BankCommand): Promise<void> {
  const { commandId } = command
  say({ say: 'announced', command })
  for (;;) {
    try {
      return report(commandId, await bank.try.dispatch(command))
    } catch (error) {
      if (!(error instanceof MnemeError) || !(stopping || error.code === 'CONFLICT')) throw error
      const { code } = error
      say({ say: stopping ? 'unanswered' : 'retried', commandId, code })
      if (stopping) return
    }
  }
}

function report(commandId: string, outcome: Awaited<ReturnType<RunningBank['try']['dispatch']>>): void {
  if (outcome.accepted) {
    const { sequence, position, state } = outcome
    say({ say: 'acknowledged', commandId, sequence, position, balance: state.balance })
  } else say({ say: 'rejected', commandId })
}

listen((message: ToWriter) => {
  if (message.tell === 'begin') void begin(message)
  else void stop?.().then(() => process.exit(0))
})
say({ say: 'ready' })
