/** A program that looks for the first seed at which a run breaks a promise, and prints what it found. */
import { SimulationFailed } from '../../src/testing/index.ts'
import { scenarios } from '../support/simulation/scenarios.ts'

const [from, to] = process.argv.slice(2).map(Number) as [number, number]

async function search(): Promise<object> {
  for (let seed = from; seed <= to; seed++) {
    for (const { name, run } of scenarios) {
      try {
        await run(seed, 40, false)
      } catch (error) {
        const broken = error instanceof SimulationFailed ? error.broken : `threw ${error}`
        return { seed, scenario: name, broken }
      }
    }
  }
  return {}
}

process.stdout.write(`${JSON.stringify(await search())}\n`)
