/** Two copies of the package in one process, as two dependencies may bring them, know each other's things. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { z } from 'zod'
import * as own from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'

const root = join(import.meta.dirname, '../..')
const cache = join(root, '.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'two-copies-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const outfile = join(folder, 'mneme.mjs')
await build({
  entryPoints: [join(root, 'src/index.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
})
const other = (await import(pathToFileURL(outfile).href)) as typeof own

/** A bank whose parts come from two copies: events and rejections from one, the rest from the other. */
function bankOf(parts: typeof own, rest: typeof own) {
  const Deposited = parts.event('Deposited', z.object({ amount: z.int() })).tagged(({ amount }) => [`amount:${amount}`])
  const Account = rest
    .aggregate('account', () => ({ balance: 0 }))
    .on(Deposited, ({ balance }, { amount }) => ({ balance: balance + amount }))
    .command('deposit', z.object({ amount: z.int() }), ({ balance }, { amount }) =>
      balance + amount > 100 ? parts.reject('Full', { balance }) : Deposited({ amount }),
    )
  return { Deposited, bank: rest.domain({ aggregates: { account: Account } }) }
}

describe('Two copies of the package', () => {
  test('are two', () => {
    assert.notEqual(other.Rejection, own.Rejection)
    assert.notEqual(other.MnemeError, own.MnemeError)
  })

  for (const [what, parts, rest] of [
    ['events and rejections of the other one', other, own],
    ['events and rejections of its own, and all else of the other', own, other],
  ] as const) {
    test(`run a domain with ${what}`, async () => {
      const { Deposited, bank } = bankOf(parts, rest)
      await using running = await bank.start({ store: parts.memory() })
      const { events } = await running.account('a').deposit({ amount: 90 })
      assert.ok(Deposited.is(events[0]!))
      assert.deepEqual(events[0].tags, ['amount:90'])
      const outcome = await running.account('a').try.deposit({ amount: 20 })
      assert.ok(!outcome.accepted)
      assert.equal(outcome.rejection.code, 'Full')
      const rejected = await running
        .account('a')
        .deposit({ amount: 20 })
        .catch((error: unknown) => error)
      assert.ok(rejected instanceof parts.CommandRejected && rejected instanceof rest.CommandRejected)
    })
  }

  test('know each other’s errors, class by class', () => {
    const errors = [
      [new other.InputError('ID_INVALID', { what: 'x', id: '', reason: 'y' }), own.InputError, 'ID_INVALID'],
      [new other.StoreError('STORE_CLOSED', { store: 'x' }), own.StoreError, 'STORE_CLOSED'],
      [new other.ConflictError('CONFLICT', { stream, tries: 1, sequence: 1 }), own.ConflictError, 'CONFLICT'],
    ] as const
    for (const [error, Class, code] of errors) {
      assert.ok(error instanceof own.MnemeError && error instanceof Class)
      assert.ok(own.hasCode(error, code))
      assert.ok(!(error instanceof own.EventError) && !(error instanceof own.CommandRejected))
    }
    for (const nothing of [undefined, null, 'x', {}, new Error('x')]) assert.ok(!(nothing instanceof own.MnemeError))
  })

  test('know a class that is derived from one of them by itself', () => {
    class Special extends own.StoreError {}
    assert.ok(new Special('STORE_CLOSED', { store: 'x' }) instanceof other.StoreError)
    assert.ok(new Special('STORE_CLOSED', { store: 'x' }) instanceof Special)
    assert.ok(!(new other.StoreError('STORE_CLOSED', { store: 'x' }) instanceof Special))
  })

  for (const [where, factory] of [
    ['memory', () => own.memory()],
    ['a database', () => sqlite(join(folder, 'bank.db'))],
  ] as const) {
    test(`take each other’s commits in ${where}, and refuse what is none`, async () => {
      const store = await factory().open({ now: () => 0, warn: () => {} })
      const events = [{ type: 'X', data: {} }]
      const commit = other.commit({ stream, expected: 'none', id: 'c-1', recordedAt: 0, events })
      assert.equal((await store.append([commit as own.Commit]))[0]!.status, 'stored')
      await assert.rejects(store.append([{ ...commit } as own.Commit]), { code: 'OPTION_INVALID' })
      await store.close()
    })
  }
})

const stream = { aggregate: 'account', id: 'ada' }
