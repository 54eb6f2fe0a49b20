/** A SQLite file that another program has locked: a command that could not be stored is told so, and nothing else. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { Bank } from '../../examples/bank/bank.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'

test('a command to a file that another program has locked is not stored for certain, and can be sent again', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-locked-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'log.db')
  const bank = await Bank.start({ store: sqlite(path, { lockWaitMs: 0 }), log: { warn: () => {} } })
  context.after(() => bank.stop())
  const other = new DatabaseSync(path, { timeout: 5_000 })
  context.after(() => other.close())
  await bank.account('ada').open({ owner: 'Ada' })
  other.exec('BEGIN IMMEDIATE')
  await assert.rejects(bank.account('ada').deposit({ amount: 5 }), { code: 'NOT_STORED' })
  other.exec('ROLLBACK')
  await bank.account('ada').deposit({ amount: 7 })
  assert.equal((await bank.account('ada').state()).balance, 7)
})
