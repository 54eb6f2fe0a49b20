/**
 * `npm run demo:cluster`: three processes share a store and form a cluster. Money moves between accounts all the time,
 * while one process is killed, another one comes, and another one leaves. No caller gets an error, and in the end all
 * the money is there.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { detail, heading, say } from '../bank/print.ts'
import { chosenStore, storeUsage } from '../store-option.ts'
import { TransferBank } from '../transfer/bank.ts'
import type { Asked } from './node.ts'
import { DemoNodes } from './nodes.ts'
import { picture } from './picture.ts'

const transfersDefault = 60
const transfersMin = 1
const openingBalance = 100
const accounts = Array.from({ length: 24 }, (_, i) => `account ${i + 1}`)
const callers = 6
/** The rest of a caller between two transfers. */
const restMs = 80

const usage = `npm run demo:cluster -- [--transfers COUNT] [--store STORE]

--transfers takes a whole number from ${transfersMin}: how many transfers are made after each
event, ${transfersDefault} by default.

${storeUsage}Without it, the store is cluster.db.
Several processes share it, so it cannot be memory or a folder.
`

const { transfers, storeArgs } = chosenOptions()
const { factory: store, given, place, survives } = chosenStore('cluster.db', storeArgs)
const nodes = new DemoNodes(['--store', given])

/** How long callers waited that have asked since the last look, in milliseconds. */
const waits: Promise<number>[] = []
const errors: string[] = []

/** Gives a command to some node. If the node ends before it has answered, another one gets the same command. */
function send(command: Asked['command']): Promise<number> {
  const wait = waitFor(command)
  waits.push(wait)
  return wait
}

async function waitFor(command: Asked['command']): Promise<number> {
  const askedAt = performance.now()
  for (;;) {
    const answer = await nodes.random.ask(command)
    if (answer === 'the node ended') continue
    if (answer.error !== undefined) errors.push(answer.error)
    return performance.now() - askedAt
  }
}

function draw(): void {
  for (const line of picture(nodes.all)) detail(line)
}

/** Says how long callers have waited, and begins to count again. */
async function tellWaits(what: string): Promise<void> {
  const sorted = (await Promise.all(waits.splice(0))).toSorted((a, b) => a - b)
  const [usual, longest] = [sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!]
  detail(
    `${what}: ${sorted.length} answers, usually after ${usual.toFixed(0)} ms, the longest after ${longest.toFixed(0)} ms`,
  )
}

/** Callers that ask for transfers, each for one after the other with a rest between them. */
class Load {
  readonly ids: string[] = []
  readonly #run = Date.now().toString(36)
  readonly #calls: Promise<unknown>
  #isOver = false
  #answered = 0
  #onAnswer: () => void = () => {}

  constructor() {
    this.#calls = Promise.all(Array.from({ length: callers }, () => this.#call()))
  }

  /** Waits until so many more transfers are acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.#answered + count
    while (this.#answered < wanted) {
      await new Promise<void>((resolve) => {
        this.#onAnswer = resolve
      })
    }
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#calls
  }

  async #call(): Promise<void> {
    while (!this.#isOver) {
      const n = this.ids.length
      const id = `${this.#run} ${n}`
      this.ids.push(id)
      const [from, to] = [accounts[n % accounts.length]!, accounts[(n * 7 + 1) % accounts.length]!]
      const transfer = { aggregate: 'transfer', id, name: 'request', data: { from, to, amount: 1 + (n % 30) } }
      await send({ ...transfer, commandId: `request ${id}` })
      this.#answered++
      this.#onAnswer()
      await sleep(restMs)
    }
  }
}

async function demo(): Promise<void> {
  heading('Three processes on one store')
  say(`The store is ${place}. An aggregate lives in one of the processes, by its shard.`)
  await nodes.start('A', 'B', 'C')
  draw()
  await Promise.all(
    accounts.map(async (id) => {
      const account = { aggregate: 'account', id }
      await send({ ...account, name: 'open', data: { owner: id }, commandId: 'opening' })
      await send({ ...account, name: 'deposit', data: { amount: openingBalance }, commandId: 'first money' })
    }),
  )
  say(`${accounts.length} accounts are open, with ${openingBalance} each. ${callers} callers ask for transfers.`)
  say('Each gives its commands to any of the nodes.')
  waits.splice(0)
  const load = new Load()
  await load.more(transfers)
  await tellWaits('before')

  heading('kill -9 of B')
  await nodes.end('B', 'SIGKILL')
  draw()
  await load.more(transfers)
  await tellWaits('while A and C took over')

  heading('D comes')
  await nodes.start('D')
  draw()
  await load.more(transfers)
  await tellWaits('meanwhile')

  heading('A stops, and gives away what it has')
  await nodes.end('A', 'SIGTERM')
  draw()
  await load.more(transfers)
  await load.end()
  await tellWaits('meanwhile')

  await count(load.ids)
}

async function count(asked: readonly string[]): Promise<void> {
  heading('The money')
  // This process only reads.
  await using bank = await TransferBank.start({ store, projections: 'manual', pollIntervalMs: 50, log: { warn() {} } })
  await bank.reactions.progress('moveMoney', { everyMs: 50 })
  const phases = await Promise.all(asked.map(async (id) => (await bank.transfer(id).state()).phase))
  const of = (phase: string) => phases.filter((one) => one === phase).length
  const between = asked.length - of('completed') - of('failed')
  const left = between === 0 ? 'none is' : `${between} are`
  say(`${asked.length} transfers were asked for. ${errors.length} callers got an error.`)
  for (const error of errors) detail(error)
  say(`${of('completed')} transfers are completed, ${of('failed')} failed for want of money, and ${left} in between.`)
  const balances = await Promise.all(accounts.map(async (id) => (await bank.account(id).state()).balance))
  const total = balances.reduce((sum, balance) => sum + balance, 0)
  say(`Together ${total}, and ${accounts.length * openingBalance} at the beginning.`)
  await nodes.endAll()
}

function chosenOptions(): { readonly transfers: number; readonly storeArgs: readonly string[] } {
  const options = {
    store: { type: 'string' },
    transfers: { type: 'string', default: `${transfersDefault}` },
    help: { type: 'boolean', short: 'h' },
  } as const
  try {
    const { values } = parseArgs({ options })
    if (values.help) {
      process.stdout.write(usage)
      process.exit(0)
    }
    const count = Number(values.transfers)
    if (!Number.isSafeInteger(count) || count < transfersMin) {
      throw new Error(`--transfers is a whole number from ${transfersMin}, not ${values.transfers}`)
    }
    return { transfers: count, storeArgs: values.store === undefined ? [] : ['--store', values.store] }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}

if (!survives || given.startsWith('file:')) {
  process.stderr.write(`Several processes cannot share this store.\n\n${usage}`)
  process.exit(2)
}
await demo()
