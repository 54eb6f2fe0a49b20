/**
 * The rounds of a crash test: a writer begins where the last one died, is killed, and the bank is inspected. Now and
 * then several writers die one after the other before anybody looks, and now and then everything starts afresh. The
 * next writer's process is started early, so that a round need not wait for it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { ChildProgram } from '../../../src/testing/crash/child-program.ts'
import type { Random } from '../../../src/testing/random.ts'
import { withSeed } from '../seed.ts'
import { within } from './deadline.ts'
import { checkWarning, inspect } from './inspection.ts'
import { answersUntilStop, type KillPlan, killPlanOf } from './kill-plan.ts'
import { Ledger } from './ledger.ts'
import { storeAt } from './place.ts'
import { losePower, segmentLengths } from './power-loss.ts'
import type { FromWriter, Place, ToWriter } from './writer-protocol.ts'

/** What a crash test is made of. */
export interface CrashOptions {
  /** How many writers are killed, unless `MNEME_CRASH_ROUNDS` says otherwise. */
  readonly rounds: number
  /** Where a fresh bank is kept; one in files, at this path. */
  readonly placeAt: (path: string, random: Random) => Place
  /** How many callers a writer has: 20 to 80 by default. */
  readonly callers?: { readonly least: number; readonly most: number }
  /** How many accounts a bank has: 24 by default. Each costs a few questions in every round. */
  readonly accounts?: number
  /** `killPlanOf` by default. */
  readonly planOf?: (random: Random, place: Place) => KillPlan
  /** Whether the power fails with each kill. Needs a file store. */
  readonly powerFails?: boolean
  /** Whether what was acknowledged may be lost. */
  readonly mayLose?: boolean
}

/** A bank in the making: the rounds that share a log. */
interface Bank {
  readonly place: Place
  readonly ledger: Ledger
  /** Up to where the segments of a file store are durable. */
  durable: Map<string, number>
  roundsLeft: number
}

const writerProgram = new URL('./bank-writer.ts', import.meta.url)
const writerTimeoutMs = 300_000
const lookTimeoutMs = 300_000
const roundsBetweenReports = 25
const callersDefault = { least: 20, most: 80 }
const accountsDefault = 24

/** A writer's process, of which nothing is known until it is given to a round. */
class Writer {
  hear: (said: FromWriter) => void = () => {}
  readonly program: ChildProgram = new ChildProgram(
    writerProgram,
    (line) => this.hear(JSON.parse(line)),
    writerTimeoutMs,
  )

  tell(message: ToWriter): void {
    this.program.send(message)
  }
}

/** Runs all rounds. What fails says the seed and what was done in the round. */
export async function runRounds(context: TestContext, title: string, options: CrashOptions): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-crash-'))
  let next: Writer | undefined
  context.after(async () => {
    next?.program.kill()
    await next?.program.ended.catch(() => undefined)
    await rm(directory, { recursive: true, force: true })
  })
  await withSeed(async (random) => {
    const rounds = Number(process.env['MNEME_CRASH_ROUNDS'] ?? options.rounds)
    let bank: Bank | undefined
    let answers = 0
    for (let round = 1; round <= rounds; round++) {
      if (bank === undefined || bank.roundsLeft === 0) bank = await begin(directory, round, options, random)
      const writer = next ?? new Writer()
      next = round < rounds ? new Writer() : undefined
      answers += await runRound(bank, writer, round, options, random)
      if (round % roundsBetweenReports !== 0) continue
      process.stdout.write(`${title}: ${round} of ${rounds} rounds, ${answers} answers heard\n`)
    }
  })
}

/** One kill, and the look at what it left. Returns how many answers were heard. */
async function runRound(
  bank: Bank,
  writer: Writer,
  round: number,
  options: CrashOptions,
  random: Random,
): Promise<number> {
  const { place, ledger } = bank
  const plan = (options.planOf ?? killPlanOf)(random, place)
  const heardBefore = ledger.answers
  bank.roundsLeft--
  try {
    const { least, most } = options.callers ?? callersDefault
    const accounts = Array.from({ length: options.accounts ?? accountsDefault }, (_, i) => `account ${i + 1}`)
    await killOne(writer, bank, plan, { name: `${round}`, callers: random.int(least, most), accounts }, random)
    const answers = ledger.answers - heardBefore
    if (options.powerFails && place.store === 'file') losePower(place.path, bank.durable, random)
    if (options.powerFails || bank.roundsLeft === 0 || random.chance(0.7)) await look(bank, options)
    return answers
  } catch (cause) {
    const facts = { ...place, ...plan, answersHeard: ledger.answers - heardBefore }
    const reason = cause instanceof Error ? cause.message : cause
    throw new Error(`round ${round} failed (${JSON.stringify(facts)}): ${reason}`, { cause })
  }
}

async function begin(directory: string, round: number, options: CrashOptions, random: Random): Promise<Bank> {
  const path = join(directory, `bank-${round}`)
  return {
    place: options.placeAt(path, random),
    ledger: new Ledger(),
    durable: new Map(),
    roundsLeft: random.int(1, 12),
  }
}

async function look(bank: Bank, { mayLose = false }: CrashOptions): Promise<void> {
  const { place, ledger } = bank
  const looking = inspect(storeAt(place), ledger, (head) => {
    if (mayLose) ledger.allowLossBehind(head)
  })
  await within(lookTimeoutMs, looking, () => 'the look at the bank after the kill had not come to an end')
  // It was closed well.
  if (place.store === 'file') bank.durable = new Map(segmentLengths(place.path))
}

/** One writer from its beginning to its end, which comes as planned. */
async function killOne(
  writer: Writer,
  { place, ledger, durable }: Bank,
  plan: KillPlan,
  {
    name,
    callers,
    accounts,
  }: { readonly name: string; readonly callers: number; readonly accounts: readonly string[] },
  random: Random,
): Promise<void> {
  const { program } = writer
  const heardBefore = ledger.answers
  const stopAt = answersUntilStop(plan)
  let toldToStop = false
  const killAfter = (delayMs: number) => setTimeout(() => program.kill(), delayMs)
  writer.hear = (said) => {
    ledger.hear(said)
    const answers = ledger.answers - heardBefore
    if (said.say === 'durable') durable.set(said.file, said.length)
    if (said.say === 'warned') checkWarning(said.message)
    if (said.say === 'opening' && plan.kill === 'opening') killAfter(plan.delayMs)
    if (said.say === 'stopping' && plan.kill === 'stopping') killAfter(plan.delayMs)
    if (plan.kill === 'under load' && answers >= plan.answers) program.kill()
    if (answers >= stopAt && !toldToStop) {
      toldToStop = true
      writer.tell({ tell: 'stop' })
    }
  }
  const lethalCall = plan.kill === 'at a call' ? plan.lethalCall : undefined
  const seed = random.int(0, 2 ** 31)
  const repeat = ledger.unanswered()
  writer.tell({ tell: 'begin', place, name, seed, callers, accounts, repeat, lethalCall })
  const { code, signal, complaints } = await program.ended
  const endedByItself = code === 0 && (toldToStop || plan.kill === 'stopping')
  if (signal !== 'SIGKILL' && !endedByItself) {
    throw new Error(`the writer ended with ${signal ?? `code ${code}`} before it was killed: ${complaints}`)
  }
}
