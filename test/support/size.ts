/**
 * How much the tests do. `CI=true` or `MNEME_TESTS=full` runs them in full: every round, every server. Else they do
 * what shows most faults in a few minutes: fewer rounds of what is random, fewer moments at which something fails,
 * smaller volumes, shorter leases, heavy tests on some of the stores, and of the servers only PostgreSQL. What is left
 * out is the same in every run; tests and servers among it are reported as skipped. A run of named files
 * (`npm test -- mongodb`) has all tests and servers, in the quick sizes.
 */

const asked = process.env['MNEME_TESTS']

/** Whether this run is in full. */
const isFull: boolean = process.env['CI'] === 'true' || asked === 'full'

/** Why a test or a server is left out: the reason that `skip` takes. Nothing if everything runs. */
export const leftOut: string | undefined =
  isFull || asked === 'named' ? undefined : 'left to the full run (CI=true or MNEME_TESTS=full)'

/** How often something is done, or how long it takes: in full, or in the quick run. */
export const sized = (full: number, quick: number): number => (isFull ? full : quick)
