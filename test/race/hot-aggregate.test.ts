/**
 * Several processes that write to the same aggregates as fast as they can: each of them gets its turn again and again,
 * no caller sees `CONFLICT`, and no update is lost. How fast they are says nothing here; how the work is shared does.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Bank } from '../../examples/bank/bank.ts'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import { storeAt } from '../support/crash/place.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { onServer } from '../support/servers/server.ts'
import { leftOut, sized } from '../support/size.ts'
import type { FromHotBank, ToHotBank } from './hot-bank.ts'

const program = new URL('./hot-bank.ts', import.meta.url)
const timeoutMs = 1_000_000
const processes = 3

/** How much each process has to do at the least, and all of them together at the most until then. */
interface Course {
  readonly callers: number
  readonly accounts: readonly string[]
  readonly answersMin: number
  readonly answersMax: number
}

const oneAccount: Course = { callers: 20, accounts: ['ada'], answersMin: sized(200, 80), answersMax: 6_000 }
const fewAccounts: Course = {
  callers: 20,
  accounts: ['ada', 'bob', 'eve', 'kim'],
  answersMin: sized(200, 80),
  answersMax: 6_000,
}

async function race(context: TestContext, place: Place, course: Course): Promise<void> {
  const { callers, accounts, answersMin, answersMax } = course
  const before = await Bank.start({ store: storeAt(place), projections: 'manual' })
  for (const id of accounts) await before.account(id).open({ owner: id })
  await before.stop()
  const answersOf = Array.from({ length: processes }, () => 0)
  const over: Extract<FromHotBank, { readonly say: 'over' }>[] = []
  const failures: string[] = []
  let openedCount = 0
  let isStopped = false
  const tellAll = (message: ToHotBank) => {
    for (const bank of banks) bank.send(message)
  }
  const hear = (bank: number, said: FromHotBank): void => {
    if (said.say === 'opened' && ++openedCount === processes) tellAll({ tell: 'begin', callers, accounts })
    if (said.say === 'failed') failures.push(said.code)
    if (said.say === 'over') over.push(said)
    if (said.say === 'answered') answersOf[bank]! += said.count
    const isDone = answersOf.every((answers) => answers >= answersMin) || sum(answersOf) >= answersMax
    if (isStopped || !isDone) return
    isStopped = true
    tellAll({ tell: 'stop' })
  }
  const banks = answersOf.map((_, bank) => new ChildProgram(program, (line) => hear(bank, JSON.parse(line)), timeoutMs))
  context.after(async () => {
    for (const bank of banks) bank.kill()
    await Promise.allSettled(banks.map(({ ended }) => ended))
  })
  for (const bank of banks) bank.send({ tell: 'open', place } satisfies ToHotBank)
  await Promise.all(banks.map((bank) => bank.endedWell()))
  const longestMs = Math.max(...over.map((each) => each.longestMs))
  context.diagnostic(`shares ${answersOf}, the longest wait ${Math.round(longestMs)} ms`)
  assert.deepEqual(failures, [])
  assert.ok(Math.min(...answersOf) >= answersMin, `each has its share: ${answersOf}`)
  await using bank = await Bank.start({ store: storeAt(place), projections: 'manual' })
  const balances = await Promise.all(accounts.map(async (id) => (await bank.account(id).state()).balance))
  assert.equal(sum(balances), sum(over.map(({ answers }) => answers)))
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** The quick run has each course on one store. */
for (const [what, course, quickOn] of [
  ['one account', oneAccount, 'SQLite'],
  ['a few accounts', fewAccounts, 'PostgreSQL'],
] as const) {
  const title = `${processes} processes that write to ${what} all get their turn, and no caller sees a conflict`
  const optionsOn = (store: string) => ({ timeout: timeoutMs, skip: store === quickOn ? undefined : leftOut })
  test(`SQLite: ${title}`, optionsOn('SQLite'), async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-hot-'))
    context.after(() => rm(directory, { recursive: true, force: true }))
    await race(context, { store: 'sqlite', path: join(directory, 'bank.db') }, course)
  })
  for (const { store, name, find } of serverKinds) {
    await onServer(name, find, (server) => {
      test(`${name}: ${title}`, optionsOn(name), async (context) => {
        await race(context, serverPlace(context, server, store), course)
      })
    })
  }
}
