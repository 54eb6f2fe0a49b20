/**
 * Fuzzing: many runs with odd input, each decided by its seed. A run breaks off if something throws an error without a
 * code, or gives an answer that cannot be true. Everything else is a refusal or an answer. `npm run fuzz` runs targets
 * for as long as you want, and tests run a part of them: fixed seeds and fresh ones.
 */
import { randomInt } from 'node:crypto'
import { Random } from '../../../src/testing/random.ts'

/** Whether the library has refused the input, or part of it, or has answered. */
export type Outcome = 'refused' | 'answered'

export interface FuzzTarget {
  readonly name: string
  /** @throws what breaks a promise */
  run(random: Random): Promise<Outcome> | Outcome
}

/** How often each outcome came. */
export type Outcomes = Readonly<Record<Outcome, number>>

/** Runs a target with some seeds. @throws the first failure, with the seed that repeats it */
export async function fuzz(target: FuzzTarget, seeds: Iterable<number>): Promise<Outcomes> {
  const outcomes = { refused: 0, answered: 0 }
  for (const seed of seeds) outcomes[await fuzzOnce(target, seed)]++
  return outcomes
}

export async function fuzzOnce(target: FuzzTarget, seed: number): Promise<Outcome> {
  try {
    return await target.run(new Random(seed))
  } catch (cause) {
    const again = `npm run fuzz -- --target ${JSON.stringify(target.name)} --seed ${seed}`
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`The fuzzing of ${target.name} has found something: ${why}\n\n    ${again}\n`, { cause })
  }
}

/** So many seeds from 1 on, and as many that nobody has tried. `MNEME_SEED` sets the first of those. */
export function seedsOf(count: number): readonly number[] {
  const fresh = Number(process.env['MNEME_SEED'] ?? randomInt(2 ** 31))
  return Array.from({ length: 2 * count }, (_, i) => (i < count ? i + 1 : fresh + i - count))
}
