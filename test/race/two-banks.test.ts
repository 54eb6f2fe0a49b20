/**
 * Domains in several processes use one SQLite file and send many commands to the same few accounts. Each command is
 * decided on the newest events, whichever process wrote them, and has one effect. Every answer is compared with the
 * log.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import type { Random } from '../../src/testing/random.ts'
import { checkWarning, inspect } from '../support/crash/inspection.ts'
import { Ledger } from '../support/crash/ledger.ts'
import { storeAt } from '../support/crash/place.ts'
import type { FromWriter, Place, ToWriter } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { sized } from '../support/size.ts'

const timeoutMs = 600_000
const writerProgram = new URL('../support/crash/bank-writer.ts', import.meta.url)
const answersMin = sized(10_000, 2_000)
const accounts = ['ada', 'bob', 'eve']

/** Banks at work on one file, and what was heard of them. */
interface Banks {
  readonly programs: readonly ChildProgram[]
  readonly ledger: Ledger
  readonly answersOf: readonly number[]
  readonly retries: () => number
  tellAll(message: ToWriter): void
}

/**
 * Starts banks in processes of their own.
 *
 * @param onAnswer is told after each answer
 */
function startBanks(
  context: TestContext,
  place: Place,
  { count, random }: { readonly count: number; readonly random: Random },
  onAnswer: (banks: Banks) => void,
): Banks {
  const ledger = new Ledger()
  const answersOf = Array.from({ length: count }, () => 0)
  let retries = 0
  const hear = (bank: number, said: FromWriter): void => {
    ledger.hear(said)
    if (said.say === 'warned') checkWarning(said.message)
    if (said.say === 'retried') retries++
    if (said.say !== 'acknowledged' && said.say !== 'rejected') return
    answersOf[bank]!++
    onAnswer(banks)
  }
  const programs = answersOf.map(
    (_, bank) => new ChildProgram(writerProgram, (line) => hear(bank, JSON.parse(line)), timeoutMs),
  )
  const tellAll = (message: ToWriter) => {
    for (const program of programs) program.send(message)
  }
  const banks: Banks = { programs, ledger, answersOf, retries: () => retries, tellAll }
  for (const [bank, program] of programs.entries()) {
    const common = { tell: 'begin', place, callers: 40, accounts, repeat: [], lethalCall: undefined } as const
    program.send({ ...common, name: `bank ${bank}`, seed: random.int(0, 2 ** 31) } satisfies ToWriter)
  }
  context.after(async () => {
    for (const program of programs) program.kill()
    await Promise.allSettled(programs.map(({ ended }) => ended))
  })
  return banks
}

async function freshPlace(context: TestContext): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-race-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  return { store: 'sqlite', path: join(directory, 'bank.db') }
}

test('two banks on one SQLite file lose no update: the sum is right and each answer was true', {
  timeout: timeoutMs + 10_000,
}, async (context) => {
  const place = await freshPlace(context)
  await withSeed(async (random) => {
    let stopped = false
    const banks = startBanks(context, place, { count: 2, random }, ({ ledger, answersOf, tellAll }) => {
      if (stopped || ledger.answers < answersMin || answersOf.some((answers) => answers < answersMin / 10)) return
      stopped = true
      tellAll({ tell: 'stop' })
    })
    await Promise.all(banks.programs.map((program) => program.endedWell()))
    await inspect(storeAt(place), banks.ledger)
    context.diagnostic(`${banks.answersOf} answers, ${banks.retries()} commands sent again after CONFLICT`)
  })
})

test('a bank that is killed takes nothing from the others on its SQLite file, and leaves nothing half done', {
  timeout: timeoutMs + 10_000,
}, async (context) => {
  const place = await freshPlace(context)
  await withSeed(async (random) => {
    let killed = 0
    let stopped = false
    const banks = startBanks(context, place, { count: 3, random }, ({ answersOf, programs, tellAll }) => {
      if (killed < 2 && answersOf[killed]! >= answersMin / 20) programs[killed++]!.kill()
      if (stopped || answersOf[2]! < answersMin * 0.3 || killed < 2) return
      stopped = true
      tellAll({ tell: 'stop' })
    })
    await Promise.all(banks.programs.slice(0, 2).map(({ ended }) => ended))
    await banks.programs[2]!.endedWell()
    await inspect(storeAt(place), banks.ledger)
  })
})
