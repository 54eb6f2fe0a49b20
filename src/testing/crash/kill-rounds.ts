/**
 * Kills a program of yours again and again, with SIGKILL, at random moments, and lets you check after each kill what it
 * has left. The program begins each time where the last one died. What it told before its end was heard, so you can
 * compare what it acknowledged with what is there.
 *
 * The seed decides when a program is killed and the random numbers that it gets. It does not decide how the operating
 * system schedules processes, so a failure may need some rounds to come again.
 */
import { randomInt } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { checkKeys, checkOption, checkWhole } from '../../domain/options.ts'
import { Random } from '../random.ts'
import { ChildProgram } from './child-program.ts'
import type { Begin } from './crash-program.ts'

/** What is done, and how it is checked. */
export interface KillRoundsOptions {
  /** The program: a file that Node runs, as a URL or a path. It calls `crashProgram`. */
  readonly program: URL | string
  /** What the program gets as `data`, such as the path of its store. It is sent as JSON. */
  readonly data?: unknown
  /** The number of kills, 20 by default. */
  readonly rounds?: number
  /** Decides when it is killed, and the random numbers of the program. A random one by default; a failure names it. */
  readonly seed?: number
  /** Gets what the program tells, in order. What it throws ends the round, and fails it. */
  readonly onTold?: (message: any) => void
  /** Called after each kill, when the process is gone. It throws if something is not as it must be. */
  readonly check: (round: KilledRound) => Promise<void> | void
  /** The most that a program tells before it is killed, 100 by default. */
  readonly toldMax?: number
  /** The longest time until a program is killed that has told nothing, in milliseconds: 1,000 by default. */
  readonly beginMsMax?: number
  /** After this time a program counts as hanging, in milliseconds: 60,000 by default. */
  readonly timeoutMs?: number
}

/** A kill. */
export interface KilledRound {
  /** 1 for the first kill. */
  readonly round: number
  /** How often the program told something in this round. */
  readonly told: number
  /** When it was killed, in words. */
  readonly killed: string
}

/** What all rounds came to. */
export interface KillReport {
  readonly seed: number
  readonly rounds: number
  /** How often programs told something, in all rounds. */
  readonly told: number
}

/** A round failed: the check threw, or the program ended before it was killed. */
export class KillRoundFailed extends Error {
  override readonly name = 'KillRoundFailed'
  readonly seed: number
  readonly round: number

  constructor(seed: number, { round, told, killed }: KilledRound, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const told_ = `it had told ${told} ${told === 1 ? 'message' : 'messages'}`
    super(`Round ${round} with seed ${seed} failed (killed ${killed}; ${told_}): ${why}`, { cause })
    this.seed = seed
    this.round = round
  }
}

/** When a program is killed: after it has told something so often and a moment more, or so long after it began. */
interface KillPlan {
  readonly after: 'told' | 'begun'
  readonly told: number
  readonly delayMs: number
  readonly words: string
}

/** The share of rounds in which a program is killed while it begins. */
const beginShare = 0.25
const pauseMsMax = 10

/** @param mustTell whether it is not to be killed before it has told something */
function planOf(random: Random, toldMax: number, beginMsMax: number, mustTell: boolean): KillPlan {
  const [isEarly, isAtOnce] = [random.chance(beginShare), random.chance(0.5)]
  const told = random.int(1, random.chance(0.3) ? Math.min(toldMax, 5) : toldMax)
  const share = random.next()
  if (isEarly && !mustTell) {
    const delayMs = share * beginMsMax
    return { after: 'begun', told, delayMs, words: `${delayMs.toFixed(1)} ms after it began` }
  }
  const delayMs = isAtOnce ? 0 : share * pauseMsMax
  return { after: 'told', told, delayMs, words: `${delayMs.toFixed(1)} ms after message ${told}` }
}

/**
 * Runs a program, kills it, and calls `check`, again and again. If no program has told anything before the last round,
 * the last one is killed after it has. So a test can rely on something that was acknowledged.
 *
 *     await killRounds({
 *       program: new URL('./crash-program.ts', import.meta.url),
 *       data: { path },
 *       onTold: ({ id }) => acknowledged.add(id),
 *       check: async () => assert.ok(await allAreStored(path, acknowledged)),
 *     })
 *
 * @throws KillRoundFailed with the seed and the round; DefinitionError `OPTION_INVALID`
 */
export async function killRounds(options: KillRoundsOptions): Promise<KillReport> {
  checkOptions(options)
  const { rounds = 20, seed = randomInt(2 ** 31), check } = options
  const random = new Random(seed)
  let told = 0
  for (let number = 1; number <= rounds; number++) {
    const mustTell = number === rounds && told === 0
    const plan = planOf(random, options.toldMax ?? 100, options.beginMsMax ?? 1000, mustTell)
    const begin: Begin = { data: options.data ?? null, seed: random.int(0, 2 ** 31 - 1), round: number }
    const count = { told: 0 }
    const round = (): KilledRound => ({ round: number, told: count.told, killed: plan.words })
    try {
      await killOne(options, plan, begin, count)
      await check(round())
    } catch (cause) {
      throw new KillRoundFailed(seed, round(), cause)
    }
    told += count.told
  }
  return { seed, rounds, told }
}

function checkOptions(options: KillRoundsOptions): void {
  const known = ['program', 'data', 'rounds', 'seed', 'onTold', 'check', 'toldMax', 'beginMsMax', 'timeoutMs']
  checkKeys('killRounds(options)', options, known)
  const { program, rounds, seed, onTold, check, toldMax, beginMsMax, timeoutMs } = options
  const isProgram = (found: unknown) => typeof found === 'string' || found instanceof URL
  checkOption('program', program ?? null, isProgram, 'a URL or a path of a file')
  for (const [name, found] of Object.entries({ rounds, toldMax, beginMsMax, timeoutMs })) checkWhole(name, found, 1)
  checkWhole('seed', seed, 0)
  const isFunction = (found: unknown) => typeof found === 'function'
  checkOption('check', check ?? null, isFunction, 'a function')
  checkOption('onTold', onTold, isFunction, 'a function')
}

/** @throws Error for something that the program has printed in another way */
function messageIn(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    const reason = 'its standard output is for what it tells, so print to standard error'
    throw new Error(`the program has printed ${JSON.stringify(line.slice(0, 80).toWellFormed())}; ${reason}`, { cause })
  }
}

/** One program, from its beginning until it is gone. */
async function killOne(
  { program, onTold, timeoutMs = 60_000 }: KillRoundsOptions,
  { after, told, delayMs }: KillPlan,
  begin: Begin,
  count: { told: number },
): Promise<void> {
  const url = typeof program === 'string' ? pathToFileURL(program) : program
  const child = new ChildProgram(url, hear, timeoutMs)
  let timer: ReturnType<typeof setTimeout> | undefined
  const kill = () => {
    if (delayMs === 0) child.kill()
    else timer ??= setTimeout(() => child.kill(), delayMs)
  }
  function hear(line: string): void {
    count.told++
    const message = messageIn(line)
    onTold?.(message)
    // One that is to be killed at its beginning may be quick.
    if (after === 'told' ? count.told === told : count.told >= told) kill()
  }
  child.send(begin)
  if (after === 'begun') kill()
  try {
    const { code, signal, complaints } = await child.ended
    if (signal === 'SIGKILL') return
    throw new Error(`the program ended with ${signal ?? `code ${code}`} before it was killed: ${complaints}`)
  } finally {
    clearTimeout(timer)
  }
}
