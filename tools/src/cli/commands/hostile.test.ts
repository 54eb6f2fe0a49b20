/** The program and its enemies: odd names, characters that a terminal obeys, the greatest numbers, absent stores. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { TransferBank } from '../../../../examples/transfer/bank.ts'
import { sqlite } from '../../../../src/store/sqlite/index.ts'
import { toolsPlace } from '../../../../test/support/tools/mneme.ts'
import { cut, harmless, plain, widthOf } from '../output.ts'

/** An id that would make a terminal red, ring its bell, turn the order of letters, and clear the screen. */
const evil = 'e\u001b[31m\u0007\u202evil\u009b2J'
// biome-ignore lint/suspicious/noControlCharactersInRegex: those that must not be there
const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u

async function fill(folder: string): Promise<void> {
  const bank = await TransferBank.start({ store: sqlite(join(folder, 'bank.db')), projections: 'manual' })
  await bank.account(evil).open({ owner: evil })
  await bank.transfer('t').request({ from: evil, to: 'bob', amount: 1 }, { commandId: `c ${evil}` })
  await bank.stop()
}

test('nothing that is stored reaches a terminal as something that it obeys', async (t) => {
  const { each, folder } = await toolsPlace(t)
  await fill(folder)
  await writeFile(join(folder, 'bad.jsonl'), `{"position":1,"aggregate":"${'\u009b'}x"}\n`)
  const runs = [
    ['events'],
    ['events', '--json'],
    ['events', '--stream', evil],
    ['state', 'account', evil],
    ['state', 'account', evil, '--diff', '0'],
    ['state', evil, 'x'],
    ['run', 'account', evil, 'deposit', '{"amount":1}', '--dry-run'],
    ['run', 'account', evil, evil],
    ['trace', `c ${evil}`],
    ['trace', evil],
    ['projections', 'status', evil],
    ['reactions', 'waiting', 'moveMoney'],
    ['parked', 'list', evil, '--json'],
    ['import', 'bad.jsonl', '--store', 'sqlite:bank.db'],
    ['events', '--store', evil],
    ['export', '--out', join(evil, 'x')],
    [evil],
  ]
  for (const [i, { out, err }] of (await each(runs)).entries()) {
    assert.doesNotMatch(out + err, obeyed, runs[i]!.join(' '))
    assert.ok(out + err !== '', runs[i]!.join(' '))
  }
})

test('names of all objects are no aggregates, and a point after the end is the end', async (t) => {
  const { each, folder } = await toolsPlace(t)
  await fill(folder)
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty']
  const found = await each(names.map((name) => ['state', name, 'x', '--json']))
  for (const { code, err } of found) assert.deepEqual([code, JSON.parse(err).error.code], [2, 'AGGREGATE_UNKNOWN'])
  const last = String(Number.MAX_SAFE_INTEGER)
  const [state, dry, events] = await each([
    ['state', 'account', evil, '--sequence', last, '--json'],
    ['run', 'account', evil, 'deposit', '{"amount":1}', '--dry-run', '--sequence', last, '--json'],
    ['events', '--from', last, '--to', last, '--json'],
  ])
  assert.equal(JSON.parse(state!.out).sequence, 1, state!.err)
  assert.equal(JSON.parse(dry!.out).sequence, 2, dry!.err)
  assert.deepEqual([events!.code, events!.out, events!.err], [0, '', ''])
})

test('with --json, every error is one line of JSON', async (t) => {
  const { each, folder } = await toolsPlace(t)
  await fill(folder)
  const runs: [code: string, args: string[]][] = [
    ['USAGE', ['evnets']],
    ['USAGE', ['events', '--unknown']],
    ['USAGE', ['events', '--limit', '-1']],
    ['USAGE', ['events', '--tail', '--backward']],
    ['USAGE', ['state', 'account']],
    ['USAGE', ['projections', 'melt']],
    ['USAGE', ['run', 'account', 'ada', 'deposit', '{"amount":1', '--dry-run']],
    ['FOLLOWER_UNKNOWN', ['projections', 'status', 'constructor']],
    ['STORE_ABSENT', ['verify', '--store', 'sqlite:none.db']],
    ['CONFIG_INVALID', ['verify', '--config', 'none.ts']],
    ['ID_INVALID', ['state', 'account', '']],
    ['ENOENT', ['export', '--out', 'none/log.jsonl']],
    ['EISDIR', ['import', '.', '--store', 'sqlite:bank.db']],
    ['OPTION_INVALID', ['events', '--store', 'sqlite:.']],
  ]
  const ends = await each(runs.map(([, args]) => [...args, '--json']))
  for (const [i, { out, err, code }] of ends.entries()) {
    const [expected, args] = runs[i]!
    const { error } = JSON.parse(err) as { readonly error: { readonly code: string; readonly message: string } }
    assert.deepEqual([error.code, err.split('\n').length, out], [expected, 2, ''], args.join(' '))
    assert.equal(code, /^(ID_|E[A-Z]+$)/.test(expected) ? 1 : 2, args.join(' '))
  }
  const [about, nobody, verified] = await each([
    ['state', '--', 'account', '--json'],
    ['state', 'account', 'nobody', '--json'],
    ['verify', '--store', 'bank.db', '--json'],
  ])
  assert.match(about!.out, /^account\/--json #0/)
  for (const { err } of [nobody!, verified!]) assert.deepEqual(Object.keys(JSON.parse(err)), ['note'])
})

test('looking makes no store: not in an empty file, a folder, nor beside the tables of another program', async (t) => {
  const { each, folder } = await toolsPlace(t)
  await fill(folder)
  await writeFile(join(folder, 'empty.db'), '')
  const before = await readFile(join(folder, 'bank.db'))
  const stores = ['sqlite:empty.db', 'sqlite:bank.db?prefix=other_', 'file:.']
  const ends = await each(stores.map((store) => ['events', '--json', '--store', store]))
  const [vain] = await each([['import', 'none.jsonl', '--json', '--store', 'sqlite:new.db']])
  assert.deepEqual([vain!.code, JSON.parse(vain!.err).error.code], [2, 'USAGE'])
  for (const { code, err } of ends) {
    assert.deepEqual([code, JSON.parse(err).error.code], [2, 'STORE_NOT_MIGRATED'])
    assert.match(err, /mneme migrate/)
  }
  assert.deepEqual(await readFile(join(folder, 'bank.db')), before)
  assert.equal((await readFile(join(folder, 'empty.db'))).length, 0)
  // Reading in a SQLite file makes the files beside it for a moment, or until the next one opens it.
  const made = (await readdir(folder)).filter((name) => !/-(wal|shm)$/.test(name))
  assert.deepEqual(made.sort(), ['bank.db', 'empty.db', 'mneme.config.ts'])
})

test('lines are cut by the columns that they take', () => {
  assert.equal(widthOf('日本語 é'.normalize('NFD')), 8)
  assert.equal(cut('日本語日本語', 8), '日本...')
  assert.equal(cut('👩👩👩👩', 7), '👩👩...')
  assert.equal(cut('abc', 3), 'abc')
  assert.equal(harmless('a\nb\tc\r'), 'a\nb\tc\\u000d')
  assert.equal(plain('a b'), '"a b"')
})

test('an interrupt ends the wait for a standard input that never ends', async (t) => {
  const { start, folder } = await toolsPlace(t)
  await fill(folder)
  for (const args of [
    ['run', 'account', 'ada', 'open', '-'],
    ['import', '-', '--store', 'sqlite:copy.db'],
  ]) {
    // The runtime tells when it begins to read. The program listens to interrupts by then.
    const child = start(args, { NODE_DEBUG: 'stream' })
    t.after(() => child.kill('SIGKILL'))
    const closed = once(child, 'close')
    let told = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      told += chunk
    })
    await new Promise<void>((resolve) => {
      child.stderr!.on('data', (chunk: Buffer) => /do read/.test(String(chunk)) && resolve())
    })
    child.kill('SIGINT')
    assert.equal((await closed)[0], 130)
    assert.equal(/the same command goes on there\.\n/.test(told), args[0] === 'import')
  }
})
