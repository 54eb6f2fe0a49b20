/** Prints the hashes of some simulated runs. They are the same on every version of Node. */
import { scenarios } from '../support/simulation/scenarios.ts'

const hashes: Record<string, number> = {}
for (const { name, run } of scenarios) {
  for (let seed = 1; seed <= 10; seed++) hashes[`${name} ${seed}`] = (await run(seed, 40)).hash
}
process.stdout.write(JSON.stringify(hashes))
