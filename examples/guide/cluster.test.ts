/** The code of docs/guide/cluster.md, run as tests. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cluster } from '../../src/cluster/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { Bank } from '../bank/bank.ts'

const secret = 'a secret that all members have'

test('two members share a store', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-guide-cluster-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'bank.db')
  // #region start
  const bank = await Bank.start({
    store: sqlite(path),
    cluster: cluster({ address: '127.0.0.1:0', secret }),
  })
  // #endregion
  context.after(() => bank.stop())
  const other = await Bank.start({ store: sqlite(path), cluster: cluster({ address: '127.0.0.1:0', secret }) })
  context.after(() => other.stop())
  await bank.account('ada').open({ owner: 'Ada' })
  await other.account('ada').deposit({ amount: 5 })
  assert.equal((await bank.account('ada').state()).balance, 5)
  const paid: string[] = []
  const nextDay = async () => ['2026-11-29', '2026-11-30'][paid.length]
  // #region singleton
  const interest = bank.cluster.singleton('interest', async (signal) => {
    while (!signal.aborted) {
      const day = await nextDay()
      if (day === undefined) return // it is called again after a second
      await bank.account('ada').deposit({ amount: 1 }, { commandId: `interest ${day}` })
      paid.push(day)
    }
  })
  // #endregion
  while (paid.length < 2) await new Promise((resolve) => setImmediate(resolve))
  await interest.stop()
  assert.equal((await bank.account('ada').state()).balance, 7)
  const log: unknown[] = []
  const console = { log: (...words: readonly unknown[]) => log.push(words) }
  // #region status
  const { members, commandsForwarded, longestPauseMs } = bank.cluster.status()
  for (const { address, shards } of members) console.log(address, shards['account'])

  for await (const { epoch, members } of bank.cluster.changes()) {
    console.log(`epoch ${epoch}: ${members.length} members`)
    if (members.length === 2) break
  }
  // #endregion
  assert.ok(commandsForwarded + other.cluster.status().commandsForwarded > 0)
  assert.ok(longestPauseMs >= 0)
  assert.deepEqual(log.at(-1), ['epoch 2: 2 members'])
  await bank.stop()
  await other.stop()
})
