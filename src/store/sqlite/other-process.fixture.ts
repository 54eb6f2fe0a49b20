/**
 * A program that tests run in other processes: one job on a SQLite store, with JSON as input and output. Not part of
 * the library.
 */
import { setImmediate } from 'node:timers/promises'
import { MnemeError } from '../../domain/error.ts'
import type { StreamId } from '../../domain/stream.ts'
import { commit } from '../commit.ts'
import { everything } from '../range.ts'
import type { Store } from '../store.ts'
import { sqlite } from './index.ts'

/** The job of a process. */
export type Job =
  | { readonly do: 'open and close' }
  | { readonly do: 'open and leave' }
  | { readonly do: 'append'; readonly name: string; readonly streams: number; readonly commits: number }
  | { readonly do: 'increment'; readonly name: string; readonly streams: number; readonly commits: number }
  | { readonly do: 'watch'; readonly until: number }
  | { readonly do: 'append for ever'; readonly name: string }

/** The result: the number of events that were written or seen, or the code of the error. */
export interface Outcome {
  readonly count?: number
  readonly code?: string
}

export const counter = (i: number): StreamId => ({ aggregate: 'counter', id: `counter ${i}` })

const offered = { recordedAt: 0, events: [{ type: 'Counted', data: { by: 1 } }] }

/** Appends two commits at a time, whatever is stored. */
async function append(store: Store, name: string, streams: number, commits: number): Promise<number> {
  for (let i = 0; i < commits; i += 2) {
    const pair = [i, i + 1].map((n) =>
      commit({ ...offered, stream: counter(n % streams), expected: 'any', id: `${name}-${n}` }),
    )
    const results = await store.append(pair)
    if (results.some(({ status }) => status !== 'stored')) throw new Error(JSON.stringify(results))
  }
  return commits
}

/** Reads the end of a stream and appends exactly after it, again and again until it succeeds. */
async function increment(store: Store, name: string, streams: number, commits: number): Promise<number> {
  for (let n = 0; n < commits; n++) {
    const stream = counter(n % streams)
    for (let status = ''; status !== 'stored'; ) {
      const last = (await store.readStream(stream, everything, { direction: 'backward', limit: 1 }))[0]
      const next = commit({ ...offered, stream, expected: last?.sequence ?? 0, id: `${name}-${n}` })
      status = (await store.append([next]))[0]!.status
    }
  }
  return commits
}

/** Follows the log, and fails if a position is missing. */
async function watch(store: Store, until: number): Promise<number> {
  let position = 0
  while (position < until) {
    const { events } = await store.readAll({ from: position + 1, to: Number.POSITIVE_INFINITY })
    for (const event of events) {
      if (event.position !== position + 1) throw new Error(`position ${event.position} came behind ${position}`)
      position = event.position
    }
    await setImmediate()
  }
  return position
}

/**
 * Appends commits of three events from eight callers until it is killed, and prints the id of each when it is stored.
 */
async function appendForEver(store: Store, name: string): Promise<number> {
  const caller = async (own: number) => {
    for (let n = 0; ; n++) {
      const id = `${name}-${own}-${n}`
      const events = [1, 2, 3].map((by) => ({ type: 'Counted', data: { by } }))
      await store.append([commit({ stream: counter(own), expected: 'any', id, recordedAt: 0, events })])
      process.stdout.write(`${id}\n`)
    }
  }
  return (await Promise.all(Array.from({ length: 8 }, (_, own) => caller(own)))).length
}

async function run(path: string, job: Job): Promise<Outcome> {
  const store = await sqlite(path).open({ warn: () => {}, now: () => 0 })
  if (job.do === 'open and leave') return { count: await append(store, 'left', 1, 2) }
  try {
    switch (job.do) {
      case 'append':
        return { count: await append(store, job.name, job.streams, job.commits) }
      case 'increment':
        return { count: await increment(store, job.name, job.streams, job.commits) }
      case 'watch':
        return { count: await watch(store, job.until) }
      case 'append for ever':
        return { count: await appendForEver(store, job.name) }
      default:
        return { count: await store.head() }
    }
  } finally {
    await store.close()
  }
}

if (process.argv[1] === import.meta.filename) {
  const [path, job] = process.argv.slice(2) as [string, string]
  let outcome: Outcome
  try {
    outcome = await run(path, JSON.parse(job) as Job)
  } catch (error) {
    outcome = { code: error instanceof MnemeError ? error.code : String(error) }
  }
  process.stdout.write(JSON.stringify(outcome))
}
