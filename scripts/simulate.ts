/**
 * Simulates many runs, each with a seed of its own, which also chooses the scenario, and stops at the first that breaks
 * a promise. Many runs should also meet everything that is rare: a mark that 10,000 miss is a failure. The seeds are
 * shared by as many threads as the machine runs at the same time.
 *
 *     npm run simulate                                 1,000 seeds, from a random one on
 *     npm run simulate -- --seeds 10000 --minutes 10   so many, or as many as the time allows
 *     npm run simulate -- --threads 1                  in this thread only, to use a debugger
 *     npm run simulate -- --scenario seats --seed 17   a run of this scenario; with --seeds 100 so many
 *     npm run simulate -- --write                      writes the table of marks and faults of docs/testing.md
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import type { SimulationReport } from '../src/testing/index.ts'
import {
  type Counts,
  countRuns,
  countsSeeds,
  marksSeeds,
  missedMarks,
  withCounts,
} from '../test/support/simulation/coverage.ts'
import { scenarios } from '../test/support/simulation/scenarios.ts'
import { runSeed, runSeeds, startSeeds } from './simulated-seeds.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    minutes: { type: 'string', default: '60' },
    steps: { type: 'string', default: '40' },
    threads: { type: 'string', default: String(availableParallelism()) },
    seed: { type: 'string' },
    scenario: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const { scenario, write } = values
const steps = Number(values.steps)
const random = write ? 1 : Math.floor(Math.random() * 2 ** 31)
const first = values.seed === undefined ? random : Number(values.seed)
const seeds = write ? countsSeeds : Number(values.seeds ?? (values.seed === undefined ? 1000 : 1))
const threads = Math.min(Number(values.threads), seeds)
const endsAt = performance.now() + Number(values.minutes) * 60_000
const isKnown = scenario === undefined || scenarios.some(({ name }) => name === scenario)
if (!isKnown || ![steps, first, seeds, endsAt, threads].every(Number.isFinite) || threads < 1) {
  process.stderr.write(`The scenarios are ${scenarios.map(({ name }) => name).join(', ')}; all else is numbers.\n`)
  process.exit(2)
}

const startedAt = performance.now()
const counts: Counts = { faults: new Map(), marks: new Map() }
let [runs, happened, events, toldAt] = [0, 0, 0, startedAt]

const options = { scenario, steps }
const started = threads === 1 ? [] : Array.from({ length: threads }, () => startSeeds(options))
const runners = threads === 1 ? [(seed: number) => runSeed(seed, options)] : started.map(({ run }) => run)
const failed = await runSeeds(seedsInTime(), runners, take)
await Promise.all(started.map(({ end }) => end()))
if (failed !== undefined) {
  process.stderr.write(`${failed.message}\n`)
  process.stderr.write(`\nnpm run simulate -- --scenario ${failed.scenario} --seed ${failed.seed} --steps ${steps}\n`)
  process.exit(1)
}
tell()
for (const each of [counts.faults, counts.marks]) {
  for (const [what, count] of each) process.stdout.write(`${String(count).padStart(9)}  ${what}\n`)
}
if (write) {
  const path = new URL('../docs/testing.md', import.meta.url)
  writeFileSync(path, withCounts(readFileSync(path, 'utf8'), counts))
}
const missed = missedMarks(counts)
if (missed.length > 0 && scenario === undefined && runs >= (write ? countsSeeds : marksSeeds)) {
  process.stderr.write(`These marks were never met: ${missed.join('; ')}\n`)
  process.exit(1)
}

function* seedsInTime(): Generator<number> {
  for (let seed = first; seed < first + seeds && performance.now() < endsAt; seed++) yield seed
}

function take(report: SimulationReport): void {
  runs++
  happened += report.happened
  events += report.events
  countRuns(counts, report)
  if (performance.now() - toldAt > 5000) tell()
}

function tell(): void {
  toldAt = performance.now()
  const seconds = (toldAt - startedAt) / 1000
  const rate = Math.round(happened / seconds)
  const { user, system } = process.cpuUsage()
  process.stdout.write(
    `${runs} runs from seed ${first} on, ${events} events, ${Math.round(seconds)} s (${Math.round((user + system) / 1e6)} s of processors), ${rate} steps/s: all promises kept\n`,
  )
}
