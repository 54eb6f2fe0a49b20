/**
 * `--store`, which every example takes: where it keeps its events. A server's URL may have a password, so it is never
 * shown as it is.
 */
import { parseArgs } from 'node:util'
import { memory, type StoreFactory } from '../src/index.ts'
import { file } from '../src/store/file/index.ts'
import { mongodb } from '../src/store/mongodb/index.ts'
import { nats } from '../src/store/nats/index.ts'
import { postgres } from '../src/store/postgres/index.ts'
import { sqlite } from '../src/store/sqlite/index.ts'

export interface ChosenStore {
  readonly factory: StoreFactory
  /** What was given, to hand on to another process. */
  readonly given: string
  /** What and where it is, for people. */
  readonly place: string
  /** Whether it is there after the process has ended. */
  readonly survives: boolean
  /** How to look into it, and how to be rid of it. */
  readonly lookInside: string
  readonly startOver: string
}

/** What `--store` takes, for people. */
export const storeUsage = `--store takes one of
  memory                          forgets when the process ends
  bank.db                         a SQLite file, by its ending .db
  file:folder                     a folder of readable lines
  postgres://user@host/database   PostgreSQL (npm install pg)
  mongodb://host/database         MongoDB (npm install mongodb)
  nats://host                     NATS JetStream (npm install @nats-io/transport-node)
`

/**
 * The store that the command line names, or else the fallback. Ends the process with an explanation if it names none
 * that there is, or asks for help.
 *
 * @param args what is left of the command line, for a program with options of its own
 */
export function chosenStore(fallback: string, args: readonly string[] = process.argv.slice(2)): ChosenStore {
  try {
    const options = {
      store: { type: 'string', default: fallback },
      help: { type: 'boolean', short: 'h' },
    } as const
    const { values } = parseArgs({ args: [...args], options, allowPositionals: true })
    if (values.help) {
      process.stdout.write(`Options: [--store STORE]\n\n${storeUsage}Without it, the store is ${fallback}.\n`)
      process.exit(0)
    }
    const chosen = storeAt(values.store)
    if (chosen !== undefined) return chosen
    process.stderr.write(storeUsage)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${storeUsage}`)
  }
  process.exit(2)
}

function storeAt(given: string): ChosenStore | undefined {
  const base = { given, survives: true }
  if (given === 'memory') {
    const nothing = 'not at all: it is gone with the process'
    return {
      ...{ factory: memory(), given, place: 'memory', survives: false },
      ...{ lookInside: nothing, startOver: 'nothing to do' },
    }
  }
  if (given.startsWith('file:')) {
    const folder = given.slice('file:'.length)
    const lookInside = `any text tool: ${folder}/*.log`
    return { ...base, factory: file(folder), place: `the folder ${folder}`, lookInside, startOver: `delete ${folder}` }
  }
  if (/^postgres(ql)?:/.test(given)) {
    const lookInside = 'psql: SELECT position, type, data FROM mneme.event_log'
    const place = `PostgreSQL at ${hostOf(given)}, schema mneme`
    return { ...base, factory: postgres(given), place, lookInside, startOver: 'DROP SCHEMA mneme CASCADE' }
  }
  if (/^mongodb(\+srv)?:/.test(given)) {
    const lookInside = 'mongosh: db.mneme_commits.find()'
    const place = `MongoDB at ${hostOf(given)}`
    return { ...base, factory: mongodb(given), place, lookInside, startOver: 'drop the collections mneme_*' }
  }
  if (/^(nats|tls):/.test(given)) {
    const lookInside = 'the nats command: nats stream view mneme_log'
    const startOver = 'nats stream rm mneme_log, nats stream rm mneme_state'
    return { ...base, factory: nats(given), place: `NATS at ${hostOf(given)}`, lookInside, startOver }
  }
  if (!given.endsWith('.db')) return undefined
  const lookInside = 'any SQLite tool: SELECT position, type, data FROM event_log'
  const startOver = `delete ${given} and the files beside it`
  return { ...base, factory: sqlite(given), place: `the file ${given}`, lookInside, startOver }
}

/** The host and the database of a URL, without user and password. */
const hostOf = (url: string): string => url.replace(/^[a-z+]+:\/\/(?:[^/@]*@)?([^?]*).*$/, '$1')
