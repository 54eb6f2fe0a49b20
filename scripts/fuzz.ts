/**
 * Fuzzes with fresh seeds until the time is over, one target after the other, and stops at the first failure.
 *
 *     npm run fuzz                                   one minute
 *     npm run fuzz -- --minutes 30                   longer
 *     npm run fuzz -- --seed 42                      from a seed on
 *     npm run fuzz -- --target cursors --seed 42     one run again
 */
import { parseArgs } from 'node:util'
import { fuzzOnce } from '../test/support/fuzz/fuzz-target.ts'
import { withTargets } from '../test/support/fuzz/targets.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    target: { type: 'string' },
  },
})
const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
const minutes = Number(values.minutes)
const isOneRun = values.target !== undefined && values.seed !== undefined

await withTargets(async (all) => {
  const targets = all.filter(({ name }) => values.target === undefined || name === values.target)
  if (targets.length === 0 || ![first, minutes].every(Number.isFinite)) {
    process.stderr.write(`The targets are ${all.map(({ name }) => name).join(', ')}; all else is numbers.\n`)
    process.exitCode = 2
    return
  }
  process.stdout.write(`From seed ${first} on.\n`)
  const startedAt = performance.now()
  const counts = new Map(targets.map(({ name }) => [name, { answered: 0, refused: 0 }]))
  try {
    for (let seed = first; ; seed++) {
      for (const target of targets) counts.get(target.name)![await fuzzOnce(target, seed)]++
      if (isOneRun || performance.now() - startedAt > minutes * 60_000) break
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    if (isOneRun && error instanceof Error) process.stderr.write(`${(error.cause as Error).stack}\n`)
    process.exitCode = 1
  }
  for (const [name, { answered, refused }] of counts) {
    process.stdout.write(`${name}: ${answered} answered, ${refused} refused\n`)
  }
})
