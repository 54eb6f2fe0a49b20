/** The program on every store that `--store` can name: a log is made there, checked, looked at and added to. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { TransferBank } from '../../../../examples/transfer/bank.ts'
import { root } from '../../../../scripts/package.ts'
import { memory } from '../../../../src/index.ts'
import { findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { dropStreams } from '../../../../test/support/servers/nats-place.ts'
import { findNats } from '../../../../test/support/servers/nats-server.ts'
import { dropSchema } from '../../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import { leftOut } from '../../../../test/support/size.ts'
import { toolsPlace } from '../../../../test/support/tools/mneme.ts'
import { exportTo } from '../../log/export-log.ts'

/** The lines of a log in which ada has opened her account, and asked for a transfer that nobody has moved yet. */
async function exported(): Promise<{ readonly text: string; readonly digest: string }> {
  const factory = memory()
  const bank = await TransferBank.start({ store: factory, projections: 'manual' })
  await bank.account('ada').open({ owner: 'ada' })
  await bank.account('ada').deposit({ amount: 100 })
  await bank.transfer('t1').request({ from: 'ada', to: 'bob', amount: 30 }, { commandId: 'the request' })
  await bank.stop()
  const store = await factory.open({ warn: () => {}, now: Date.now })
  let text = ''
  const write = async (part: string) => {
    text += part
  }
  const { digest } = await exportTo(store, write, { format: 'json' })
  await store.close()
  return { text, digest }
}

/** @param store what `--store` gets, in a folder of the test's own */
async function looksAt(t: TestContext, store: string): Promise<void> {
  const { each, folder } = await toolsPlace(t)
  const { text, digest } = await exported()
  await writeFile(join(folder, 'log.jsonl'), text)
  const at = ['--store', store]
  const known = [...at, '--domain', join(root, 'examples/transfer/bank.ts'), '--json']
  const [absent, migrated, imported, verified, last, state, dry, run, trace, rebuilt, projections, waiting, again] =
    await each([
      ['events', ...at],
      ['migrate', ...at],
      ['import', 'log.jsonl', ...at, '--json'],
      ['verify', ...known],
      ['events', '--backward', '--limit', '1', ...known],
      ['state', 'account', 'ada', ...known],
      ['run', 'account', 'ada', 'withdraw', '{"amount":500}', '--dry-run', ...known],
      ['run', 'account', 'ada', 'withdraw', '{"amount":40}', '--command-id', 'w', ...known],
      ['trace', 'the request', ...known],
      ['projections', 'rebuild', 'balances', ...known],
      ['projections', ...known],
      ['reactions', 'waiting', 'moveMoney', ...known],
      ['import', 'log.jsonl', ...at, '--json'],
    ])
  const read = (ended: typeof absent) => {
    assert.equal(ended!.code, 0, ended!.err)
    return JSON.parse(ended!.out)
  }
  // A store that is not there is not made by looking.
  assert.ok(absent!.code === 1 || absent!.code === 2, `${absent!.code} ${absent!.err}`)
  assert.match(migrated!.out, / is ready; its log has 0 events\n$/)
  assert.deepEqual([read(imported).digest, read(imported).events], [digest, 3])
  assert.equal(read(verified).digest, digest)
  assert.deepEqual([read(last).position, read(last).type], [3, 'TransferRequested'])
  assert.deepEqual(read(state).state, { status: 'open', balance: 100 })
  assert.deepEqual([dry!.code, JSON.parse(dry!.out).rejection.code], [3, 'InsufficientFunds'])
  assert.deepEqual([read(run).sequence, read(run).position], [3, 4])
  assert.deepEqual([read(trace).commands, read(trace).correlationId], [1, 'the request'])
  assert.deepEqual([read(rebuilt).position, read(projections).position], [4, 4])
  assert.deepEqual([read(waiting).position, read(waiting).why], [3, 'unhandled'])
  assert.deepEqual([read(again).kept, read(again).goesOn], [3, true])
}

describe('The program', () => {
  for (const store of ['sqlite:new.db', 'file:folder']) test(`works on ${store}`, (t) => looksAt(t, store))
})

if (leftOut === undefined) {
  await onServer('The program, on PostgreSQL', findPostgres, (server) => {
    test('works with a schema', async (t) => {
      const schema = `tools-${randomUUID().slice(0, 8)}`
      t.after(() => dropSchema(server, schema))
      await looksAt(t, `${server.url}${server.url.includes('?') ? '&' : '?'}schema=${schema}`)
    })
  })
  await onServer('The program, on MongoDB', findMongodb, (server) => {
    test('works with a prefix', async (t) => {
      const url = new URL(server.url)
      url.searchParams.set('prefix', `t${randomUUID().slice(0, 8)}_`)
      await looksAt(t, String(url))
    })
  })
  await onServer('The program, on NATS', findNats, (server) => {
    test('works with a prefix', async (t) => {
      const prefix = `tools-${randomUUID().slice(0, 8)}`
      t.after(() => dropStreams(server, prefix))
      await looksAt(t, `${server.url}?prefix=${prefix}`)
    })
  })
} else test('The program, on servers', { skip: leftOut }, () => {})
