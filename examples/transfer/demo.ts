/**
 * `npm run demo:transfer`: money moves between accounts by a reaction, in a process that is killed again and again in
 * the middle of it. What was begun is brought to its end by the next one, and the total never changes.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { detail, heading, say } from '../bank/print.ts'
import { chosenStore } from '../store-option.ts'
import { TransferBank } from './bank.ts'
import { chosenOptions } from './options.ts'

const owners = ['ada', 'bob', 'cy']
const openingBalance = 100
const kills = 5
const { run, transfers, storeArgs } = chosenOptions()
const { factory: store, given, place, survives } = chosenStore('transfers.db', storeArgs)
const options = { store, leaseMs: 300, pollIntervalMs: 20, log: { warn: () => {} } }

/** The process that is killed: opens the accounts, then asks for transfers without end. */
async function work(run: string): Promise<void> {
  const bank = await TransferBank.start(options)
  for (const id of owners) {
    await bank.account(id).try.open({ owner: id }, { commandId: 'opening' })
    await bank.account(id).deposit({ amount: openingBalance }, { commandId: 'first money' })
  }
  for (let n = 1; ; n++) {
    const [from, to] = [owners[n % 3]!, n % 7 === 0 ? 'nobody' : owners[(n + 1) % 3]!]
    const id = `${run}-${n}`
    await bank.transfer(id).request({ from, to, amount: 1 + (n % 30) })
    process.stdout.write(`${id}\n`)
  }
}

/** Lets a process work until it has asked for some transfers, then kills it. */
function kill(run: string, enough: number): Promise<readonly string[]> {
  const args = [fileURLToPath(import.meta.url), run, '--store', given]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (said.split('\n').length > enough) child.kill('SIGKILL')
  })
  return new Promise((resolve) => child.once('close', () => resolve(said.split('\n').slice(0, -1))))
}

async function demo(): Promise<void> {
  heading('Money that survives kill -9')
  if (!survives) {
    say('This one needs a store that is still there when a process is killed: not memory.')
    process.exitCode = 2
    return
  }
  say(`Three accounts with 100 each, in ${place}.`)
  say('A process moves money between them, and is killed in the middle of it, five times.')
  const today = Date.now().toString(36)
  const asked: string[] = []
  for (let n = 1; n <= kills; n++) {
    // Each works for longer than the one before: 3, 4, 5, 6 and 7 parts of 25.
    const ids = await kill(`${today}.${n}`, Math.ceil((transfers * (2 + n)) / 25))
    asked.push(...ids)
    detail(`kill ${n}: the process had asked for ${ids.length} transfers`)
  }

  heading('The next process brings to an end what was begun')
  await using bank = await TransferBank.start(options)
  for await (const { position, head } of bank.reactions.progress('moveMoney', { everyMs: 100 })) {
    detail(`events that the reaction has not handled yet: ${Math.max(0, head - position)}`)
  }

  heading('What became of it')
  const phases = await Promise.all(asked.map(async (id) => (await bank.transfer(id).state()).phase))
  const count = (phase: string) => phases.filter((one) => one === phase).length
  say(
    `Of ${asked.length} transfers that were acknowledged, ${count('completed')} are completed and ${count('failed')} have failed`,
  )
  const between = asked.length - count('completed') - count('failed')
  const left = between === 0 ? 'none is' : `${between} are`
  say(`(too little money, or nobody there to take it: then it went back), and ${left} in between.`)
  let total = 0
  for (const id of owners) {
    const { balance } = await bank.account(id).state()
    total += balance
    detail(`${id.padEnd(4)} ${String(balance).padStart(4)}`)
  }
  say(`Together ${total}, as at the beginning. Each step of each transfer happened exactly once.`)
}

await (run === undefined ? demo() : work(run))
