/**
 * Chance that can be repeated: every choice of a test comes from one seed (`MNEME_SEED`, if it is set), which is
 * printed with each failure. What the operating system decides (which process runs when) is not in the seed's hands.
 */
import { randomInt } from 'node:crypto'
import { Random } from '../../src/testing/random.ts'

/** Does something by chance. If it fails, the error says by which seed it can be tried again. */
export async function withSeed<Result>(run: (random: Random, seed: number) => Promise<Result>): Promise<Result> {
  const given = process.env['MNEME_SEED']
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given)
  try {
    return await run(new Random(seed), seed)
  } catch (cause) {
    throw new Error(`MNEME_SEED=${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}
