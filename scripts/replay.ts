/**
 * Replays many random runs of the specifications on the library, in rounds of which each has a seed of its own, and
 * stops at the first state that differs.
 *
 *     npm run replay                                 10,000 runs, from a random seed on
 *     npm run replay -- --traces 3000 --seed 42      so many, from that seed on
 */
import { spawnSync } from 'node:child_process'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { specifications } from '../test/support/specifications/specifications.ts'

const { values } = parseArgs({
  options: {
    traces: { type: 'string', default: '10000' },
    seed: { type: 'string' },
  },
})
/** So many of each specification in a round: more would need much memory, and longer than a test may take. */
const each = 100
const wanted = Number(values.traces)
const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : Number(values.seed)
if (![wanted, first].every(Number.isFinite)) {
  process.stderr.write('The traces and the seed are numbers.\n')
  process.exit(2)
}
const startedAt = performance.now()
const files = specifications.map(({ path }) => `test/specifications/${basename(path, '.qnt')}.test.ts`)
let replayed = 0
for (let seed = first; replayed < wanted; seed++) {
  const env = { ...process.env, MNEME_TRACES: String(each), MNEME_SEED: String(seed) }
  const args = ['scripts/test.ts', ...files]
  const { status, stdout } = spawnSync(process.execPath, args, { env, encoding: 'utf8', maxBuffer: 100_000_000 })
  if (status !== 0) {
    process.stderr.write(`${stdout}\nMNEME_TRACES=${each} MNEME_SEED=${seed} npm test -- test/specifications\n`)
    process.exit(1)
  }
  replayed += each * files.length
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  process.stdout.write(`${replayed} runs replayed from seed ${first} on, ${seconds} s: all states are the same\n`)
}
