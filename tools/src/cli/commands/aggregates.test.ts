/** `mneme state`, `mneme run` and `mneme trace`, as a user runs them, on a log in which a transfer has happened. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { TransferBank } from '../../../../examples/transfer/bank.ts'
import { sqlite } from '../../../../src/store/sqlite/index.ts'
import type { Ended } from '../../../../test/support/tools/kept-program.ts'
import { toolsPlace } from '../../../../test/support/tools/mneme.ts'

/** A bank in which ada has given 30 of her 100 to bob. */
async function fill(folder: string): Promise<void> {
  const bank = await TransferBank.start({ store: sqlite(join(folder, 'bank.db')), projections: 'manual' })
  for (const id of ['ada', 'bob']) await bank.account(id).open({ owner: id })
  await bank.account('ada').deposit({ amount: 100 })
  await bank.transfer('t1').request({ from: 'ada', to: 'bob', amount: 30 }, { commandId: 'the request' })
  for (let handled = -1, position = 0; handled !== position; ) {
    handled = position
    position = (await bank.reactions.runOnce('moveMoney')).position
  }
  await bank.stop()
}

const done = ({ code, err }: Ended) => assert.deepEqual([code, err], [0, ''])

describe('mneme state', () => {
  test('shows the state at any sequence or time, and what has changed', async (t) => {
    const { each, folder } = await toolsPlace(t)
    await fill(folder)
    const [now, then, last, since, early, nobody, both, unknown] = await each([
      ['state', 'account', 'ada'],
      ['state', 'account', 'ada', '--sequence', '2', '--json'],
      ['state', 'account', 'ada', '--diff'],
      ['state', 'account', 'ada', '--diff', '1', '--json'],
      ['state', 'account', 'ada', '--at', '2020-01-01T00:00Z', '--json'],
      ['state', 'account', 'nobody', '--diff'],
      ['state', 'account', 'ada', '--at', '2020-01-01', '--sequence', '1'],
      ['state', 'acount', 'ada'],
    ])
    done(now!)
    assert.equal(now!.out, 'account/ada #3 (position 5)\n{\n  "status": "open",\n  "balance": 70\n}\n')
    const place = { aggregate: 'account', id: 'ada' }
    const stateThen = { ...place, sequence: 2, position: 3, state: { status: 'open', balance: 100 } }
    assert.deepEqual(JSON.parse(then!.out), stateThen)
    assert.equal(last!.out, 'account/ada #3 (position 5), since #2\n  balance: 100 -> 70\n')
    const changes = [{ path: ['balance'], before: 0, after: 70 }]
    assert.deepEqual(JSON.parse(since!.out), { ...place, sequence: 3, position: 5, since: 1, changes, more: 0 })
    assert.deepEqual(JSON.parse(early!.out).state, { status: 'none', balance: 0 })
    assert.deepEqual(JSON.parse(early!.err), { note: 'account/ada has no event there; this is its initial state.' })
    assert.match(nobody!.out, /^account\/nobody #0 .*since #0\n {2}nothing has changed\n$/)
    assert.deepEqual([both!.code, unknown!.code], [2, 2])
    assert.match(unknown!.err, /The domain has no aggregate "acount"/)
  })

  test('needs the code of the domain', async (t) => {
    const { mneme, folder } = await toolsPlace(t)
    await fill(folder)
    const { code, err } = await mneme(['state', 'account', 'ada', '--store', 'bank.db'])
    assert.equal(code, 2)
    assert.match(err, /^mneme: This needs the code of the domain.*--domain MODULE/)
  })
})

describe('mneme run', () => {
  test('sends a command once, and tries it without storing anything', async (t) => {
    const { each, mneme, folder } = await toolsPlace(t)
    await fill(folder)
    const withdraw = ['run', 'account', 'ada', 'withdraw', '{"amount":60}']
    const id = ['--command-id', 'w1', '--metadata', '{"user":"eve"}']
    const runs = await each([
      [...withdraw, '--dry-run'],
      [...withdraw, '--dry-run', '--sequence', '1', '--json'],
      [...withdraw, ...id],
      [...withdraw, ...id, '--json'],
      withdraw,
      ['run', 'account', 'ada', 'withdraw', '{"amount":60'],
      ['run', 'account', 'ada', 'withdraw', '{"amount":"x"}', '--json'],
      ['run', 'account', 'ada', 'withdraw', '{"amount":1}', '--expected-sequence', '3'],
      [...withdraw, '--sequence', '1'],
      ['run', 'account', 'ada', 'fly'],
      ['events', '--stream', 'account/ada', '--from', '4', '--json'],
    ])
    const [tried, early, first, again, rejected, malformed, invalid, moved, alone, unknown, stored] = runs
    done(tried!)
    const happened = '  MoneyWithdrawn  {"amount":60}\n  state: {"status":"open","balance":10}\n'
    assert.equal(tried!.out, `would be accepted: account/ada #4\n${happened}`)
    const details = { balance: 0, requested: 60 }
    const rejection = { code: 'InsufficientFunds', details }
    assert.deepEqual([early!.code, JSON.parse(early!.out)], [3, { accepted: false, dryRun: true, rejection }])
    done(first!)
    assert.equal(first!.out, `accepted: account/ada #4\n${happened}`)
    assert.equal(JSON.parse(again!.out).sequence, 4)
    assert.equal(rejected!.code, 3)
    assert.equal(rejected!.out, 'rejected: InsufficientFunds {"balance":10,"requested":60}\n')
    assert.deepEqual([malformed!.code, alone!.code], [2, 2])
    assert.match(malformed!.err, /^mneme: The data of the command is not JSON: /)
    assert.deepEqual([invalid!.code, JSON.parse(invalid!.err).error.code], [1, 'COMMAND_INVALID'])
    assert.deepEqual([moved!.code, unknown!.code], [1, 1])
    const { commitId, metadata } = JSON.parse(stored!.out)
    assert.deepEqual([commitId, metadata], ['w1', { user: 'eve' }])
    const piped = await mneme(['run', 'account', 'ada', 'withdraw', '-'], { input: '{"amount":1}' })
    assert.match(piped.out, /^accepted: account\/ada #5\n/)
  })
})

describe('mneme trace', () => {
  test('shows the tree of commands, from any of them', async (t) => {
    const { each, folder } = await toolsPlace(t)
    await fill(folder)
    const [tree, json, looked, bounded, unknown, cut, since, later, both, none] = await each([
      ['trace', 'the request'],
      ['trace', '~move money:6:credited', '--json'],
      ['trace', 'the request', '--stream', 'transfer/t1', '--json'],
      ['trace', 'the request', '--from', '4', '--to', '6', '--json'],
      ['trace', 'nothing', '--json'],
      ['trace', 'the request', '--limit', '2'],
      ['trace', 'the request', '--since', '2020-01-01', '--json'],
      ['trace', 'the request', '--since', '2999-01-01', '--json'],
      ['trace', 'the request', '--since', '2020-01-01', '--from', '1'],
      ['trace', 'the request', '--limit', '0'],
    ])
    done(tree!)
    assert.equal(
      tree!.out,
      `correlation "the request": 5 commands
transfer/t1 #1  TransferRequested  position 4, command "the request"
├─ account/ada #3  MoneyWithdrawn  position 5, command "~move money:4:withdraw"
└─ transfer/t1 #2  TransferDebited  position 6, command "~move money:4:debited"
   ├─ account/bob #2  MoneyDeposited  position 7, command "~move money:6:deposit"
   └─ transfer/t1 #3  TransferCompleted  position 8, command "~move money:6:credited"
`,
    )
    const { correlationId, roots } = JSON.parse(json!.out)
    assert.deepEqual([correlationId, roots[0].events[0].data.amount], ['the request', 30])
    assert.equal(roots[0].effects[1].effects[1].commandId, '~move money:6:credited')
    assert.deepEqual([looked!.out, JSON.parse(bounded!.out).commands], [json!.out, 2])
    for (const { code, err } of [unknown!, later!])
      assert.deepEqual([code, JSON.parse(err).error.code], [1, 'NOT_FOUND'])
    assert.match(cut!.out, /^correlation "the request": 2 commands\n.*\n└─ .*\n\.\.\. and more: the tree was cut\n$/)
    assert.equal(since!.out, json!.out)
    assert.deepEqual([both!.code, none!.code], [2, 2])
  })
})
