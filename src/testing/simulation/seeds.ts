/** The seeds of simulations in a test: some from 1 on, or one that the environment names, to repeat a run. */
import { checkWhole, refuseOption } from '../../domain/options.ts'

/** The variable of the environment that names the only seed. */
export const seedVariable = 'MNEME_SEED'

/**
 * The seeds from 1 to `count`, or from `from` on. With `MNEME_SEED=17` in the environment, 17 is the only one. So a run
 * that has failed can be repeated without a change of the test.
 *
 *     for (const seed of seeds(100)) await simulate({ domain: Bank, seed, command })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function seeds(count: number, from = 1): readonly number[] {
  checkWhole('count', count ?? null, 1)
  checkWhole('from', from, 0)
  const only = process.env[seedVariable]
  if (only === undefined || only === '') return Array.from({ length: count }, (_, i) => from + i)
  if (!/^\d{1,15}$/.test(only)) refuseOption(seedVariable, 'a whole number from 0', only)
  return [Number(only)]
}
