/**
 * A projection's runner is killed in the middle of its work, again and again: another process takes over within the
 * lease's time, loses nothing and doubles nothing. Whatever the killed one held in the store, no more than its lease
 * keeps the next one waiting.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Bank } from '../../examples/bank/bank.ts'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import type { Random } from '../../src/testing/random.ts'
import { storeAt } from '../support/crash/place.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'
import { until } from '../support/until.ts'

const leaseMs = 600
/**
 * Beyond the lease: the time of a slow machine to start, read and write. A transaction left open would hold for a
 * minute.
 */
const patienceMs = 30_000
const rounds = sized(5, 1)
const timeoutMs = 300_000
const program = new URL('./projection-runner.ts', import.meta.url)

/** A process that leads and has handled something since; how much, is chance. */
async function leader(context: TestContext, place: Place, random: Random): Promise<ChildProgram> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const enough = random.int(10, 40)
  let handled = 0
  const child = new ChildProgram(
    program,
    (line) => {
      const { state } = JSON.parse(line) as { readonly state: string }
      if (state === 'running' && ++handled === enough) resolve()
    },
    timeoutMs,
  )
  child.ended.catch(reject)
  context.after(() => child.kill())
  child.send({ place, leaseMs })
  await promise
  return child
}

async function killLeaders(context: TestContext, place: Place, random: Random): Promise<void> {
  let takeovers = 0
  for (let round = 1; round <= rounds || takeovers === 0; round++) {
    const child = await leader(context, place, random)
    const options = { leaseMs, pollIntervalMs: 20, log: { warn: () => {} } }
    const bank = await Bank.start({ store: storeAt(place), ...options })
    try {
      await bank.account('ada').try.open({ owner: 'Ada' })
      await until(async () => (await bank.projections.lookup('balances'))?.state !== 'preparing')
      // On a slow machine the other one may have been silent for longer than its lease; then it does not lead any more,
      // and another round is needed.
      if ((await bank.projections.lookup('balances'))?.state === 'standby') takeovers++
      child.kill()
      await child.ended
      const { position } = await bank.account('ada').deposit({ amount: 1 })
      const row = await bank.balances.get('ada', { atLeast: position, timeoutMs: leaseMs + patienceMs })
      assert.equal(row?.balance, round)
      assert.equal((await bank.projections.lookup('balances'))?.state, 'running')
      const { balance } = await bank.account('child').state()
      assert.equal((await bank.balances.get('child'))?.balance, balance)
    } finally {
      await bank.stop()
    }
  }
}

const title = (where: string): string => `another process takes over in time from a runner that is killed, on ${where}`

test(title('SQLite'), { timeout: 2 * timeoutMs }, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-takeover-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const place: Place = { store: 'sqlite', path: join(directory, 'bank.db') }
  await withSeed((random) => killLeaders(context, place, random))
})

for (const { store, name, find } of serverKinds) {
  await onServer(name, find, (server) => {
    test(title(name), { timeout: 2 * timeoutMs }, (context) =>
      withSeed((random) => killLeaders(context, serverPlace(context, server, store), random)),
    )
  })
}
