/** The demos as a user runs them: on every store, twice on those that keep what was stored. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { findMongodb } from '../support/servers/mongodb-server.ts'
import { findNats } from '../support/servers/nats-server.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { inFull, onServer } from '../support/servers/server.ts'
import { leftOut, sized } from '../support/size.ts'

const run = promisify(execFile)
const examples = join(import.meta.dirname, '../../examples')
const demoTimeoutMs = 500_000

/** Runs an example in a folder of its own, which is removed when the test is over. */
async function folderFor(context: TestContext): Promise<(program: string, ...args: string[]) => Promise<string>> {
  const cwd = await mkdtemp(join(tmpdir(), 'mneme-demo-'))
  context.after(() => rm(cwd, { recursive: true, force: true }))
  return async (program, ...args) => {
    const options = { cwd, timeout: demoTimeoutMs }
    return (await run(process.execPath, [join(examples, program), ...args], options)).stdout
  }
}

/** How the demo of the transfers is run on a store: how many it makes, and how much money it has to leave as it was. */
interface Transfers {
  readonly count?: number
  readonly total: number
  /** Each starts six processes: the quick run shows it on one store. */
  readonly skip?: string | undefined
}

/** As many as the demo makes when it is told nothing. */
const transfersDefault = 500

const programs = ['bank/demo.ts', 'bank/shell.ts', 'shop/around/main.ts', 'transfer/demo.ts', 'cluster/demo.ts']
for (const program of programs.slice(0, sized(programs.length, 1))) {
  test(`${program} says what it takes, and does nothing else`, async (context) => {
    const demo = await folderFor(context)
    for (const flag of ['--help', '-h'].slice(0, sized(2, 1))) {
      const said = await demo(program, flag)
      assert.match(said, /--store takes one of/)
      assert.doesNotMatch(said, /bank is open|event-sourced|Together|Three processes/)
    }
  })
}

/** What the demos have to show on a store; the second one only where it can be shown. */
function demosOn(store: string, survives: boolean, transfers?: Transfers): void {
  test('the bank', async (context) => {
    const demo = await folderFor(context)
    const first = await demo('bank/demo.ts', '--store', store)
    assert.match(first, /rejected: InsufficientFunds, short by 999930/)
    assert.match(first, /#6 +MoneyDeposited +\{ amount: 10 \} +balance 86/)
    if (!survives) return
    assert.match(await demo('bank/demo.ts', '--store', store), /still holds 6 events[\s\S]*balance 172/)
  })

  if (transfers === undefined) return
  const { count = sized(transfersDefault, 25), total, skip = false } = transfers
  const options = count === transfersDefault ? [] : ['--transfers', `${count}`]
  test('the transfers, killed on the way', { skip }, async (context) => {
    const demo = await folderFor(context)
    const said = await demo('transfer/demo.ts', '--store', store, ...options)
    assert.match(said, /, and none is in between/)
    assert.match(said, new RegExp(`^Together ${total}, as at the beginning`, 'm'))
  })
}

describe('The demos on memory', () => demosOn('memory', false))
describe('The demos on bank.db', () => demosOn('bank.db', true, { total: 300, skip: leftOut }))
describe('The demos on file:bank', { skip: leftOut ?? false }, () =>
  demosOn('file:bank', true, { total: 300, skip: leftOut }),
)

// Here both demos share a store, and with it Ada's account.
await onServer('The demos on PostgreSQL', inFull(findPostgres), ({ url }) => demosOn(url, true, { total: 472 }))
// Hundreds of transfers take minutes on a stand-in that scans where MongoDB seeks.
const few = 25
await onServer('The demos on MongoDB', findMongodb, ({ url }) => demosOn(url, true, { count: few, total: 472 }))
await onServer('The demos on NATS', findNats, ({ url }) => demosOn(url, true, { total: 472, skip: leftOut }))

test('the cluster draws its shards, and neither a kill nor a stop shows to a caller', {
  skip: leftOut,
}, async (context) => {
  const demo = await folderFor(context)
  const said = await demo('cluster/demo.ts', '--transfers', `${sized(50, 5)}`)
  assert.match(said, /^ {2}[ABC]{64}$[\s\S]*^ {2}A \d+ {3}B \d+ {3}C \d+ {3}shards of 256$/m)
  assert.match(said, /kill -9 of B[\s\S]*^ {2}[AC]{64}$[\s\S]*D comes[\s\S]*^ {2}[ACD]{64}$[\s\S]*^ {2}[CD]{64}$/m)
  assert.match(said, /while A and C took over: \d+ answers, usually after \d+ ms, the longest after \d+ ms/)
  assert.match(said, /^\d+ transfers were asked for\. 0 callers got an error\.$/m)
  assert.match(said, /, and none is in between\.\nTogether 2400, and 2400 at the beginning\.$/m)
  for (const store of ['memory', 'file:bank']) {
    await assert.rejects(demo('cluster/demo.ts', '--store', store), { code: 2 })
  }
})

test('the demo of the transfers says what it can be told', async (context) => {
  const demo = await folderFor(context)
  assert.match(
    await demo('transfer/demo.ts', '--help'),
    /--transfers takes[\s\S]*500 by default[\s\S]*--store takes one of/,
  )
  for (const wrong of [
    ['--kills', '3'],
    ['--transfers', 'many'],
    ['--transfers', '4'],
  ].slice(0, sized(3, 1))) {
    await assert.rejects(demo('transfer/demo.ts', ...wrong), { code: 2 })
  }
})

test('the shop takes no store that two processes cannot share, and only counts', async (context) => {
  const demo = await folderFor(context)
  for (const wrong of [
    ['--store', 'memory'],
    ['--store', 'file:shop'],
    ['--store', 'oracle'],
    ['--sessions', 'many'],
  ].slice(0, sized(4, 1))) {
    await assert.rejects(demo('shop/around/main.ts', ...wrong), { code: 2 })
  }
})

test('a store that there is not is explained', async (context) => {
  const demo = await folderFor(context)
  await assert.rejects(demo('bank/demo.ts', '--store', 'oracle'), (error: { code?: number; stderr?: string }) => {
    assert.equal(error.code, 2)
    assert.match(error.stderr!, /--store takes one of[\s\S]*postgres:\/\//)
    return true
  })
})
