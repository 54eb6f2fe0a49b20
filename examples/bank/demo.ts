/**
 * `npm run demo`: the bank on a real SQLite file, or on another store by `--store`, step by step. Each step says what
 * it shows, sends commands, and prints what came of them. Run it twice: the second run finds what the first one stored.
 */
import { CommandRejected, hasCode, type Running, type Snapshot } from '../../src/index.ts'
import { chosenStore } from '../store-option.ts'
import type { Account } from './account.ts'
import type { Balances } from './balances.ts'
import { Bank } from './bank.ts'
import { detail, heading, plain, say } from './print.ts'

type RunningBank = Running<{ account: typeof Account }, { balances: typeof Balances }>

const { factory: store, place, survives, lookInside, startOver } = chosenStore('bank.db')
const settings = { store, snapshotEvery: 3, passivateAfterMs: 200 }

async function demo(): Promise<void> {
  await using bank = await Bank.start(settings)
  const before = await count(bank)
  heading(before > 0 ? 'Welcome back' : 'A bank, event-sourced')
  say(
    before === 0
      ? `The store is ${place}. It is empty.`
      : `The store, ${place}, still holds ${before} events of Ada's account, and her balance: ${plain(await bank.account('ada').state())}`,
  )

  await commandsBecomeEvents(bank)
  await aBusinessNo(bank)
  await exactlyOnce(bank)
  await theReadSide(bank)
  await passivation(bank)
  await snapshots()
  await timeTravel(bank)

  heading('What is left')
  const next = survives ? 'Run the demo again: it goes on where this run stopped.' : 'The next run begins afresh.'
  say(`${await count(bank)} events of Ada's account in ${place}. ${next}`)
  detail(`look inside   ${lookInside}`)
  detail('try it out    npm run shell')
  detail(`start over    ${startOver}`)
}

async function commandsBecomeEvents(bank: RunningBank): Promise<void> {
  heading('1. Commands become events')
  say('A command is an intent. The aggregate decides, the event is stored durably, and only then comes the answer.')
  const ada = bank.account('ada')
  const opened = await ada.try.open({ owner: 'Ada' })
  if (opened.accepted) show('open { owner: "Ada" }', opened)
  else detail(`open { owner: "Ada" }        -> rejected: ${opened.rejection.code} (by an earlier run)`)
  show('deposit { amount: 100 }', await ada.deposit({ amount: 100 }))
  show('withdraw { amount: 30 }', await ada.withdraw({ amount: 30 }))
}

async function aBusinessNo(bank: RunningBank): Promise<void> {
  heading('2. A business "no" is a value, with types')
  say('Nothing is stored. The caller gets a code that the compiler knows, and the details to act on.')
  const outcome = await bank.account('ada').try.withdraw({ amount: 1_000_000 })
  if (!outcome.accepted && outcome.rejection.code === 'InsufficientFunds') {
    const { balance, requested } = outcome.rejection.details
    detail(`withdraw { amount: 1000000 } -> rejected: InsufficientFunds, short by ${requested - balance}`)
  }
  say('Whoever prefers exceptions calls account.withdraw, which throws:')
  try {
    await bank.account('ada').withdraw({ amount: 1_000_000 })
  } catch (error) {
    if (error instanceof CommandRejected) detail(`${error.name}: ${error.message}`)
  }
  say('And data that is no such command is refused before anything is decided:')
  await bank
    .account('ada')
    .deposit({ amount: -5 })
    .catch((error: Error) => detail(error.message))
}

async function exactlyOnce(bank: RunningBank): Promise<void> {
  heading('3. Exactly once')
  say('A client that got no answer sends its command again, with the same id. It has one effect and one answer.')
  const commandId = crypto.randomUUID()
  const command = { aggregate: 'account', id: 'ada', name: 'deposit', data: { amount: 5 }, commandId } as const
  const first = await bank.dispatch(command)
  const second = await bank.dispatch(command)
  detail(`first answer:  sequence ${first.sequence}, balance ${first.state.balance}`)
  detail(`second answer: sequence ${second.sequence}, balance ${second.state.balance}`)
}

async function theReadSide(bank: RunningBank): Promise<void> {
  heading('4. The read side')
  say('A projection folds the log into rows. `atLeast` waits until it has seen your own write.')
  const { position } = await bank.account('ada').deposit({ amount: 1 })
  detail(
    `balances.get("ada", { atLeast: ${position} }) -> ${plain(await bank.balances.get('ada', { atLeast: position }))}`,
  )
}

async function passivation(bank: RunningBank): Promise<void> {
  heading('5. Passivation and rehydration')
  say('An aggregate lives in memory while it is busy. Idle for 200 ms, it leaves; the next command brings it back.')
  detail(`in memory now: ${bank.load().liveAggregates}`)
  while (bank.load().liveAggregates > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  detail(`a moment later: ${bank.load().liveAggregates}`)
  show('deposit { amount: 10 }', await bank.account('ada').deposit({ amount: 10 }))
  detail(`in memory again: ${bank.load().liveAggregates}, rebuilt from its newest snapshot and the events behind it`)
}

async function snapshots(): Promise<void> {
  heading('6. Snapshots')
  say('Every third event the state is kept, so that a long life loads fast. It is an optimisation, never the truth.')
  const snapshot = await newestSnapshot()
  if (snapshot === undefined)
    detail('(the file store lets one process in at a time, and this one has it: no second look)')
  else detail(`snapshot at sequence ${snapshot.sequence}: ${plain(snapshot.state)}`)
}

/** A second look into the store, beside the running bank; some stores let nobody else in. */
async function newestSnapshot(): Promise<Snapshot | undefined> {
  try {
    const beside = await store.open({ warn: () => {}, now: Date.now })
    const snapshot = await beside.loadSnapshot({ aggregate: 'account', id: 'ada' })
    await beside.close()
    return snapshot
  } catch (error) {
    if (hasCode(error, 'STORE_LOCKED')) return undefined
    throw error
  }
}

async function timeTravel(bank: RunningBank): Promise<void> {
  heading('7. Time travel')
  say('The log is the truth: the state after each of the last events is a fold away.')
  const ada = bank.account('ada')
  const events = await Array.fromAsync(ada.history())
  for (const { sequence, type, data } of events.slice(-7)) {
    const { balance } = await ada.state({ sequence })
    detail(`#${String(sequence).padEnd(3)} ${type.padEnd(15)} ${plain(data).padEnd(20)} balance ${balance}`)
  }
}

/** How many events Ada's account has. */
async function count(bank: RunningBank): Promise<number> {
  return (await Array.fromAsync(bank.account('ada').history())).length
}

type Shown = Awaited<ReturnType<ReturnType<RunningBank['account']>['deposit']>>

function show(command: string, { events, state }: Shown): void {
  for (const { sequence, type, data } of events) {
    detail(`${command.padEnd(28)} -> #${sequence} ${type} ${plain(data)}`)
    detail(`${''.padEnd(28)}    state ${plain(state)}`)
  }
}

await demo()
