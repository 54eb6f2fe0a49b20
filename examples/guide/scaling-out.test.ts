/** The code of docs/guide/scaling-out.md, run as a test. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { tenants } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { Bank } from '../bank/bank.ts'

test('accounts are divided among several logs', async (context) => {
  const data = await mkdtemp(join(tmpdir(), 'mneme-guide-scaling-out-'))
  context.after(() => rm(data, { recursive: true, force: true }))
  // #region logs
  const logs = 1024 // for ever: another number would look for accounts in other logs

  await using banks = tenants(Bank, { start: (name) => ({ store: sqlite(`${data}/${name}.db`) }), openMax: 256 })

  const logOf = (id: string) => createHash('sha256').update(id).digest().readUInt32BE() % logs
  const account = (id: string) => banks.get(`log ${logOf(id)}`).account(id)

  await account('ada').open({ owner: 'Ada' })
  await account('ada').deposit({ amount: 100 }, { commandId: 'payment 17' })
  // #endregion
  await account('bob').open({ owner: 'Bob' })
  assert.notEqual(logOf('ada'), logOf('bob'))
  assert.equal((await account('ada').state()).balance, 100)
  assert.equal((await account('bob').state()).balance, 0)
})
