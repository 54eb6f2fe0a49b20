/** The other end of `killRounds`: what a program calls that is killed. */
import type { Json } from '../../domain/json.ts'
import { Random } from '../random.ts'
import { listen, say } from './told-program.ts'

/** What a program is told when it begins. */
export interface Begin {
  readonly data: unknown
  readonly seed: number
  readonly round: number
}

/** What a program gets that is killed. */
export interface CrashTools {
  /** The `data` of `killRounds`. */
  readonly data: any
  /** 1 for the first program, 2 for the one that begins where that one died. */
  readonly round: number
  /** Random choices that follow from the seed. */
  readonly random: Random
  /**
   * Tells the test something, as JSON. When it returns, the test will hear it, even if this process is killed in the
   * next instant. So tell what is acknowledged after it was acknowledged.
   */
  tell(message: Json): void
}

/**
 * Runs a program until it is killed. `run` works without an end; if it throws or returns, the round fails.
 *
 *     await crashProgram(async ({ data, random, tell }) => {
 *       const bank = await Bank.start({ store: sqlite(data.path) })
 *       for (;;) {
 *         const { position } = await bank.account('ada').deposit({ amount: random.int(1, 9) })
 *         tell({ position })
 *       }
 *     })
 */
export async function crashProgram(run: (tools: CrashTools) => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Begin>()
  listen(resolve)
  const { data, seed, round } = await promise
  await run({ data, round, random: new Random(seed), tell: say })
  // The test still listens, so the process would not end by itself.
  process.exit(0)
}
