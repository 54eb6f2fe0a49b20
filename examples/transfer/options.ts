/** The options of the transfer demo, and what it says to `--help`. */
import { parseArgs } from 'node:util'
import { storeUsage } from '../store-option.ts'

const transfersDefault = 500
/** One for each process that is killed. */
const transfersMin = 5

const usage = `npm run demo:transfer -- [--transfers COUNT] [--store STORE]

--transfers takes a whole number from ${transfersMin}: how many transfers are asked for before the last kill, ${transfersDefault} by default.
Fewer are enough on a store that is slow or far away.

${storeUsage}`

/** What the command line asks for. */
export interface ChosenOptions {
  /** The name of this process's work, if it is one of those that are killed. */
  readonly run: string | undefined
  readonly transfers: number
  /** The part of the command line that says where events are kept. */
  readonly storeArgs: readonly string[]
}

/** What the command line asks for. Ends the process where that is an explanation. */
export function chosenOptions(): ChosenOptions {
  const options = {
    store: { type: 'string' },
    transfers: { type: 'string', default: `${transfersDefault}` },
    help: { type: 'boolean', short: 'h' },
  } as const
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true })
    if (values.help) {
      process.stdout.write(usage)
      process.exit(0)
    }
    const transfers = Number(values.transfers)
    if (!Number.isSafeInteger(transfers) || transfers < transfersMin) {
      throw new Error(`--transfers is a whole number from ${transfersMin}, not ${values.transfers}`)
    }
    const storeArgs = values.store === undefined ? [] : ['--store', values.store]
    return { run: positionals[0], transfers, storeArgs }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${usage}`)
    process.exit(2)
  }
}
