/** What callers are told is what the log says, however the owner was lost. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import type { CommandOptions } from '../../src/domain/command.ts'
import { hasCode, type MnemeError, memory } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { LocalNetwork } from '../support/cluster/local-network.ts'
import { clusterOn, type Member, settled, startMember } from '../support/cluster/vaults.ts'
import { settled as letSettle, until } from '../support/kernel/rig.ts'

/** Two members. Calls of the second one to the store can be held. */
async function two(context: TestContext) {
  const network = new LocalNetwork()
  const store = memory()
  const held = new Map<string, Promise<void>>()
  const slow = faultyStore(store, ({ method }) => held.get(method))
  let looks = 0
  const watched = faultyStore(store, ({ method }) => {
    if (method === 'streamEnds') looks++
    return undefined
  })
  const asking = await startMember(watched, { cluster: clusterOn(network, 60_000) })
  const owner = await startMember(slow, { cluster: clusterOn(network, 60_000) })
  await settled([asking, owner])
  context.after(async () => {
    held.clear()
    network.mend()
    await Promise.all([asking.stop(), owner.stop()])
  })
  /** Holds the owner's calls of a method until the returned function is called. */
  const hold = (method: string): (() => void) => {
    const gate = Promise.withResolvers<void>()
    held.set(method, gate.promise)
    return () => {
      held.delete(method)
      gate.resolve()
    }
  }
  return { network, asking, owner, hold, looks: () => looks }
}

/** A vault with 1 in it that belongs to the second member. */
async function vaultOf(asking: Member, from = 0): Promise<string> {
  for (let i = from; ; i++) {
    const before = asking.cluster.status().commandsForwarded
    await asking.vault(`vault ${i}`).put({ amount: 1 })
    if (asking.cluster.status().commandsForwarded > before) return `vault ${i}`
  }
}

/** The ids of a vault's commits. */
async function commitsOf(member: Member, id: string): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const { commitId } of member.vault(id).history()) ids.push(commitId)
  return ids
}

const told = (answer: Promise<{ readonly accepted: boolean }>): Promise<string> =>
  answer.then(
    ({ accepted }) => (accepted ? 'yes' : 'no'),
    (error) => (hasCode(error, 'SEQUENCE_UNEXPECTED') ? 'no' : `error ${error}`),
  )

for (const [what, name, amount, options] of [
  ['A no', 'take', 50, {}],
  ['An error', 'put', 50, { expectedSequence: 2 }],
] as const satisfies readonly (readonly [string, 'take' | 'put', number, CommandOptions])[]) {
  test(`${what} waits as long as an owner that refuses connections might still decide`, async (t) => {
    const { network, asking, owner, hold, looks } = await two(t)
    const id = await vaultOf(asking)
    const release = hold('append')
    // The owner stores this soon, and then decides the command that waits behind it.
    const before = owner.vault(id).put({ amount: 100 })
    const command = { aggregate: 'vault', id, name, data: { amount }, commandId: 'mine', ...options } as const
    const answer = told(asking.try.dispatch(command))
    await until('the owner has the command', () => owner.load().commandsInFlight === 2)
    const looked = looks()
    network.lose(1, 2, 'refused')
    // Without the wait, the answer would be given after this look.
    await until('it is decided again', () => looks() > looked)
    release()
    await before
    await until('the owner is done', () => owner.load().commandsInFlight === 0)
    const given = await answer
    assert.equal((await commitsOf(asking, id)).includes('mine'), given === 'yes', given)
  })
}

test('A command whose answer was lost is not decided again by the next owner', async (t) => {
  const { network, asking, owner, hold } = await two(t)
  const id = await vaultOf(asking)
  const other = await vaultOf(asking, 1000)
  let release = hold('append')
  // Decided again, it would be refused.
  const answer = asking.vault(id).take({ amount: 1 })
  await until('the owner has the command', () => owner.load().commandsInFlight === 1)
  network.cut(1, 2)
  release()
  await until('it is stored', () => owner.load().commandsInFlight === 0)
  network.lose(1, 2, 'failed')
  // The owner leaves, and this keeps it from ending.
  release = hold('append')
  const busy = owner.vault(other).put({ amount: 1 })
  const stopped = owner.stop()
  await until('the owner leaves', () => owner.cluster.status().members.some(({ isLeaving }) => isLeaving))
  network.mend()
  assert.deepEqual([(await answer).sequence, (await answer).state.amount], [2, 0])
  assert.equal((await commitsOf(asking, id)).length, 2)
  release()
  await busy
  await stopped
})

test('A command whose caller has aborted it is not decided by its owner any more', async (t) => {
  const { asking, owner, hold } = await two(t)
  const id = await vaultOf(asking)
  const release = hold('append')
  const before = owner.vault(id).put({ amount: 100 })
  await until('the owner is busy', () => owner.load().commandsInFlight === 1)
  const caller = new AbortController()
  const options = { commandId: 'mine', signal: caller.signal }
  const answer = asking
    .vault(id)
    .put({ amount: 1 }, options)
    .catch((error: MnemeError) => error)
  await until('the owner has the command', () => owner.load().commandsInFlight === 2)
  const reason = new Error('enough')
  caller.abort(reason)
  const error = await answer
  await until('the owner has dropped it', () => owner.load().commandsInFlight === 1)
  release()
  await before
  assert.equal((await commitsOf(asking, id)).includes('mine'), false)
  // On a machine that stands still, the caller is told that it may have been decided.
  assert.ok(hasCode(error, 'ABORTED') || hasCode(error, 'OUTCOME_UNKNOWN'))
  assert.equal(error.cause, hasCode(error, 'ABORTED') ? reason : error.cause)
})

test('All members can stop at the same time, and every command that was sent before is decided', async () => {
  const network = new LocalNetwork()
  // Commands wait for the store while the members stop.
  const store = faultyStore(memory(), ({ method }) => (method === 'append' ? letSettle() : undefined))
  const members: Member[] = []
  for (let i = 0; i < 3; i++) members.push(await startMember(store, { cluster: clusterOn(network, 60_000) }))
  await settled(members)
  const ids = Array.from({ length: 30 }, (_, i) => `vault ${i}`)
  const sent = [1, 2, 3].flatMap(() =>
    members.flatMap((member) =>
      ids.map((id) =>
        told(
          member
            .vault(id)
            .put({ amount: 1 })
            .then(() => ({ accepted: true })),
        ),
      ),
    ),
  )
  const isStopped = Promise.all(members.map((member) => member.stop()))
  for (const member of members) await assert.rejects(member.vault('late').put({ amount: 1 }), { code: 'STOPPED' })
  assert.deepEqual(new Set(await Promise.all(sent)), new Set(['yes']))
  await isStopped
})

test('No row is left of a member that has ended', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-cluster-'))
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const path = join(directory, 'log.db')
  const network = new LocalNetwork()
  let isCut = false
  const cutOff = faultyStore(sqlite(path), ({ method }) => (isCut && method !== 'close' ? 'before' : undefined))
  const members = [
    await startMember(sqlite(path), { cluster: clusterOn(network, 400) }),
    await startMember(sqlite(path), { cluster: clusterOn(network, 400) }),
    await startMember(cutOff, { cluster: clusterOn(network, 400) }),
  ]
  await settled(members)
  const database = new DatabaseSync(path, { readOnly: true })
  const leases = () => database.prepare('SELECT name, owner FROM leases').all().length
  // One that could not renew its lease in time is removed, and enters again.
  await until('all have a lease', () => leases() === 3)
  isCut = true
  await until('it is removed', () => members[0]!.cluster.status().members.length === 2)
  await until('only the leases of the others are left', () => leases() === 2)
  await members[2]!.stop()
  await Promise.all([members[0]!.stop(), members[1]!.stop()])
  assert.equal(leases(), 0)
  database.close()
})
