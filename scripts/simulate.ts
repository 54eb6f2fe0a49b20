/**
 * Simulates many runs, each with a seed of its own, and stops at the first that breaks a promise. So many runs should
 * also meet everything that is rare: a mark that they miss is a failure.
 *
 *     npm run simulate                                 1,000 seeds of each scenario, from a random one on
 *     npm run simulate -- --seeds 10000 --minutes 10   so many, or as many as the time allows
 *     npm run simulate -- --scenario seats --seed 17   one run again
 *     npm run simulate -- --write                      writes the table of marks and faults of docs/testing.md
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Counts, countRuns, countsSeeds, missedMarks, withCounts } from '../test/support/simulation/coverage.ts'
import { scenarios } from '../test/support/simulation/scenarios.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    minutes: { type: 'string', default: '60' },
    steps: { type: 'string', default: '40' },
    seed: { type: 'string' },
    scenario: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
const steps = Number(values.steps)
const random = values.write ? 1 : Math.floor(Math.random() * 2 ** 31)
const first = values.seed === undefined ? random : Number(values.seed)
const seeds = values.write ? countsSeeds : values.seed === undefined ? Number(values.seeds) : 1
const endsAt = performance.now() + Number(values.minutes) * 60_000
const chosen = scenarios.filter(({ name }) => values.scenario === undefined || name === values.scenario)
if (chosen.length === 0 || ![steps, first, seeds, endsAt].every(Number.isFinite)) {
  process.stderr.write(`The scenarios are ${scenarios.map(({ name }) => name).join(', ')}; all else is numbers.\n`)
  process.exit(2)
}

const startedAt = performance.now()
const counts: Counts = { faults: new Map(), marks: new Map() }
let [runs, happened, events, toldAt] = [0, 0, 0, startedAt]

for (let seed = first; seed < first + seeds && performance.now() < endsAt; seed++) {
  for (const { name, run, oneOf } of chosen) {
    if (seed % oneOf !== 0 && seeds > 1) continue
    try {
      const report = await run(seed, steps)
      runs++
      happened += report.happened
      events += report.events
      countRuns(counts, report)
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
      process.stderr.write(`\nnpm run simulate -- --scenario ${name} --seed ${seed} --steps ${steps}\n`)
      process.exit(1)
    }
  }
  if (performance.now() - toldAt > 5000) tell()
}
tell()
for (const each of [counts.faults, counts.marks]) {
  for (const [what, count] of each) process.stdout.write(`${String(count).padStart(9)}  ${what}\n`)
}
if (values.write) {
  const path = new URL('../docs/testing.md', import.meta.url)
  writeFileSync(path, withCounts(readFileSync(path, 'utf8'), counts))
}
const missed = missedMarks(counts)
if (missed.length > 0 && chosen.length === scenarios.length && seeds >= countsSeeds && runs >= countsSeeds) {
  process.stderr.write(`These marks were never met: ${missed.join('; ')}\n`)
  process.exit(1)
}

function tell(): void {
  toldAt = performance.now()
  const seconds = (toldAt - startedAt) / 1000
  const rate = Math.round(happened / seconds)
  process.stdout.write(
    `${runs} runs from seed ${first} on, ${events} events, ${Math.round(seconds)} s, ${rate} steps/s: all promises kept\n`,
  )
}
