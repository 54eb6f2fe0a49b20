/**
 * Money moved by a reaction, under fire: the process is killed again and again in the middle of it. Afterwards the
 * total is what it was, every transfer that was acknowledged has come to its end, each step of it happened once, and
 * each bell rang once.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { beforeAskingAgain } from '../../src/testing/ask-again.ts'
import { killRounds } from '../../src/testing/index.ts'
import { within } from '../support/crash/deadline.ts'
import { accounts, openingBalance, startBank, type TransferPlace } from '../support/crash/transfer-domain.ts'
import { sized } from '../support/size.ts'
import { until } from '../support/until.ts'

const rounds = Number(process.env['MNEME_CRASH_ROUNDS'] ?? sized(12, 3))
/** Kills between two looks: the next process begins where the last one died. */
const killsBetweenLooks = 5
const childTimeoutMs = 300_000

type Bank = Awaited<ReturnType<typeof startBank>>

/** Waits until nothing is left to do for the reactions. */
async function settle(bank: Bank): Promise<void> {
  for (let times = 0; ; times++) {
    const some = await Promise.all([bank.reactions.status('moveMoney'), bank.reactions.status('ringLater')])
    for (const { failure } of some) if (failure !== undefined) throw failure
    if (some.every(({ lag, state }) => lag.events === 0 && state === 'running')) return
    await beforeAskingAgain(times)
  }
}

async function look(place: TransferPlace, asked: ReadonlySet<string>): Promise<void> {
  const bank = await startBank(place)
  try {
    await within(
      childTimeoutMs,
      settle(bank),
      async () => `not settled: ${JSON.stringify(await bank.reactions.status('moveMoney'))}`,
    )
    const balances = await Promise.all(accounts.map(async (id) => (await bank.account(id).state()).balance))
    const total = balances.reduce((sum, balance) => sum + balance, 0)
    assert.equal(total, accounts.length * openingBalance, 'the total of money is what it was')
    for (const id of asked) {
      const { phase } = await bank.transfer(id).state()
      assert.ok(phase === 'completed' || phase === 'failed', `${id} has come to its end, not to ${phase}`)
    }
    await within(childTimeoutMs, everyBellRang(bank, asked), async () => 'a bell has not rung')
    const { position } = await bank.account('a').deposit({ amount: 1 }, { commandId: `probe ${asked.size}` })
    assert.equal(
      (await bank.balances.get('a', { atLeast: position }))?.balance,
      (await bank.account('a').state()).balance,
    )
    await bank.account('a').withdraw({ amount: 1 }, { commandId: `undo ${asked.size}` })
  } finally {
    await bank.stop()
  }
}

async function everyBellRang(bank: Bank, asked: ReadonlySet<string>): Promise<void> {
  for (const id of asked) {
    await until(async () => (await bank.bell(id).state()).rung > 0)
    assert.equal((await bank.bell(id).state()).rung, 1, `the bell of ${id} rang once`)
  }
}

for (const store of ['file', 'sqlite'] as const) {
  test(`money moved on ${store} survives ${rounds} kills`, { timeout: 1_100_000 }, async (context: TestContext) => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-transfer-'))
    context.after(() => rm(directory, { recursive: true, force: true }))
    const place: TransferPlace = { store, path: join(directory, store === 'file' ? 'bank' : 'bank.db') }
    const unseen = new Set<string>()
    const { told } = await killRounds({
      program: new URL('./transfer-runner.ts', import.meta.url),
      data: place,
      rounds,
      ...(process.env['MNEME_SEED'] !== undefined && { seed: Number(process.env['MNEME_SEED']) }),
      toldMax: sized(120, 30),
      timeoutMs: childTimeoutMs,
      onTold: ({ id }: { readonly id: string }) => unseen.add(id),
      async check({ round }) {
        if (round % 25 === 0) context.diagnostic(`${round} of ${rounds} kills`)
        if (round % killsBetweenLooks !== 0 && round !== rounds) return
        await look(place, unseen)
        unseen.clear()
      },
    })
    assert.ok(told > 0, 'transfers were asked for')
  })
}
