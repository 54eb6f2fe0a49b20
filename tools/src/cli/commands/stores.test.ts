/** The program on every store that `--store` can name: a log is made there, checked, looked at and added to. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
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
import type { Ended } from '../../../../test/support/tools/kept-program.ts'
import { type Place, toolsPlace } from '../../../../test/support/tools/mneme.ts'
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

/** What a run that has done its work printed. */
const read = (ended: Ended | undefined) => {
  assert.equal(ended!.code, 0, ended!.err)
  return JSON.parse(ended!.out)
}

/** @param store what `--store` gets, in a folder of the test's own */
async function looksAt(t: TestContext, store: string): Promise<void> {
  const place = await toolsPlace(t)
  const { each, folder } = place
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
  // A store that is not there is not made by looking.
  assert.equal(absent!.code, 2, absent!.err)
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
  await knowsLess(each, at)
  await endsEarly(place, store)
  const [compared] = await each([['projections', 'compare', 'balances', ...known]])
  assert.equal(read(compared).differing, 0, 'what was interrupted is not in the way')
}

/** An interrupt ends what reads a log, also in the middle of a read. */
async function endsEarly({ start, folder }: Place, store: string): Promise<void> {
  // A configuration names its store from its own folder.
  const HELD_STORE = store.replace(/^(sqlite|file):/, `$1:${folder}/`)
  const config = ['--config', join(root, 'test/support/tools/held-config.ts')]
  for (const args of [
    ['projections', 'compare', 'balances'],
    ['trace', 'nobody has this id'],
  ]) {
    const child = start([...args, ...config], { HELD_STORE })
    const closed = once(child, 'close')
    const held = new Promise<void>((resolve) => {
      child.stderr!.on('data', (chunk: Buffer) => /^held$/m.test(String(chunk)) && resolve())
    })
    await Promise.race([held, closed])
    child.kill('SIGINT')
    assert.deepEqual(await closed, [130, null], args.join(' '))
  }
}

/** Code that knows less of the log than those who wrote it says so, and does nothing. */
async function knowsLess(each: Place['each'], at: readonly string[]): Promise<void> {
  const former = [...at, '--domain', join(root, 'test/support/tools/former-bank.ts'), '--json']
  const [events, early, now, sent, status, compared, parked, all, checked] = await each([
    ['events', ...former],
    ['state', 'account', 'ada', '--sequence', '1', ...former],
    ['state', 'account', 'ada', ...former],
    ['run', 'account', 'ada', 'open', '{"owner":"x"}', ...former],
    ['projections', ...former],
    ['projections', 'compare', 'balances', ...former],
    ['parked', 'list', 'balances', ...former],
    ['parked', ...former],
    ['verify', ...former],
  ])
  const errorOf = (ended: Ended | undefined) => JSON.parse(ended!.err.trim().split('\n').at(-1)!)
  const codeOf = (ended: Ended | undefined) => [ended!.code, errorOf(ended).error.code]
  assert.equal(events!.out.trim().split('\n').length, 4)
  assert.deepEqual(read(early).state, { owner: 'ada' })
  assert.deepEqual(codeOf(now), [1, 'EVENT_UNDECLARED'])
  assert.deepEqual(codeOf(sent), [1, 'AGGREGATE_LOAD_FAILED'])
  const { failure, ...balances } = read(status)
  assert.deepEqual(balances, { kind: 'projection', name: 'balances', head: 4 }, 'where it is cannot be said')
  assert.equal(failure.code, 'PROJECTION_CHANGED')
  for (const refused of [compared, parked]) assert.deepEqual(codeOf(refused), [1, 'PROJECTION_CHANGED'])
  // The other one is looked at all the same.
  assert.deepEqual([all!.code, all!.out, Object.keys(errorOf(all))], [1, '', ['note']])
  const found = checked!.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).finding?.what)
  assert.deepEqual([checked!.code, found], [1, ['unreadable', 'unreadable', undefined]])
  assert.match(errorOf(checked).note, /not checked: the domain does not have transfer\.$/)
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
