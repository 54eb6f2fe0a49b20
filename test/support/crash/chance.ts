/**
 * Chance that can be repeated: every choice of a test comes from one seed (`MNEME_SEED`, if it is set), which is
 * printed with each failure. What the
 * operating system decides (which process runs when) is not in the seed's hands.
 */
import { randomInt } from 'node:crypto'

/** Numbers that look random and follow from a seed. */
export interface Chance {
  readonly seed: number
  /** A number from 0 to below 1. */
  fraction(): number
  /** A whole number between two, both included. */
  between(least: number, most: number): number
  /** Whether something of this probability happens. */
  happens(probability: number): boolean
  pick<Value>(values: readonly Value[]): Value
}

const words = 2 ** 32

/** The generator is mulberry32: small, and even enough to choose by. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / words
  }
  const between = (least: number, most: number): number => least + Math.floor(fraction() * (most - least + 1))
  return Object.freeze({
    seed,
    fraction,
    between,
    happens: (probability: number) => fraction() < probability,
    pick: <Value>(values: readonly Value[]) => values[between(0, values.length - 1)]!,
  })
}

/** Does something by chance; where it fails, the error says by which seed it can be tried again. */
export async function withChance<Result>(run: (chance: Chance) => Promise<Result>): Promise<Result> {
  const given = process.env['MNEME_SEED']
  const chance = chanceOf(given === undefined ? randomInt(2 ** 31) : Number(given))
  try {
    return await run(chance)
  } catch (cause) {
    throw new Error(`MNEME_SEED=${chance.seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}
