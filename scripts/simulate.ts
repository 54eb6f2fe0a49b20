/**
 * Simulates many runs, each with a seed of its own, and stops at the first that breaks a promise.
 *
 *     npm run simulate                                 1,000 seeds of each scenario, from a random one on
 *     npm run simulate -- --seeds 10000 --minutes 10   so many, or as many as the time allows
 *     npm run simulate -- --scenario seats --seed 17   one run again
 */
import { parseArgs } from 'node:util'
import { scenarios } from '../test/support/simulation/scenarios.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    minutes: { type: 'string', default: '60' },
    steps: { type: 'string', default: '40' },
    seed: { type: 'string' },
    scenario: { type: 'string' },
  },
})
const steps = Number(values.steps)
const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
const seeds = values.seed === undefined ? Number(values.seeds) : 1
const endsAt = performance.now() + Number(values.minutes) * 60_000
const chosen = scenarios.filter(({ name }) => values.scenario === undefined || name === values.scenario)
if (chosen.length === 0 || ![steps, first, seeds, endsAt].every(Number.isFinite)) {
  process.stderr.write(`The scenarios are ${scenarios.map(({ name }) => name).join(', ')}; all else is numbers.\n`)
  process.exit(2)
}

const startedAt = performance.now()
const faults = new Map<string, number>()
let [runs, happened, events, toldAt] = [0, 0, 0, startedAt]

for (let seed = first; seed < first + seeds && performance.now() < endsAt; seed++) {
  for (const { name, run } of chosen) {
    try {
      const report = await run(seed, steps)
      runs++
      happened += report.happened
      events += report.events
      for (const [fault, count] of Object.entries(report.faults)) faults.set(fault, (faults.get(fault) ?? 0) + count)
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
      process.stderr.write(`\nnpm run simulate -- --scenario ${name} --seed ${seed} --steps ${steps}\n`)
      process.exit(1)
    }
  }
  if (performance.now() - toldAt > 5000) tell()
}
tell()
for (const [fault, count] of [...faults].sort(([a], [b]) => (a < b ? -1 : 1))) {
  process.stdout.write(`  ${fault.padEnd(12)} ${count}\n`)
}

function tell(): void {
  toldAt = performance.now()
  const seconds = (toldAt - startedAt) / 1000
  const rate = Math.round(happened / seconds)
  process.stdout.write(
    `${runs} runs from seed ${first} on, ${events} events, ${Math.round(seconds)} s, ${rate} steps/s: all promises kept\n`,
  )
}
