/** Members of one process whose lines to each other, or to the store, are cut. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCode, memory } from '../../src/index.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { LocalNetwork } from '../support/cluster/local-network.ts'
import { clusterOn, epochsOf, type Member, settled, startMember } from '../support/cluster/vaults.ts'
import { settled as letSettle } from '../support/kernel/rig.ts'

const ids = Array.from({ length: 4 }, (_, i) => `vault ${i}`)

/** Sends one command for each vault from each member at once; all must be accepted. */
const sendAll = (members: readonly Member[]) =>
  Promise.all(members.flatMap((member) => ids.map((id) => member.vault(id).put({ amount: 1 }))))

/** A vault whose commands a member sends to another one. */
async function forwardedBy(member: Member): Promise<string> {
  for (let i = 0; ; i++) {
    const { commandsForwarded } = member.cluster.status()
    await member.vault(`vault ${i}`).put({ amount: 1 })
    if (member.cluster.status().commandsForwarded > commandsForwarded) return `vault ${i}`
  }
}

async function check(members: readonly Member[], rounds: number): Promise<void> {
  for (const id of ids) {
    assert.equal((await members[0]!.vault(id).state()).amount, rounds * members.length)
    const epochs = await epochsOf(members[0]!, id)
    assert.deepEqual(
      epochs,
      epochs.toSorted((a, b) => a - b),
    )
  }
}

test('Members that cannot reach each other answer all the same, each command once', async () => {
  const [network, store] = [new LocalNetwork(), memory()]
  const members: Member[] = []
  for (let i = 0; i < 3; i++) members.push(await startMember(store, { cluster: clusterOn(network) }))
  await settled(members)
  await sendAll(members)
  network.cut(1, 2)
  for (let round = 0; round < 2; round++) await sendAll(members)
  assert.ok(members[0]!.cluster.status().shardsTakenOver > 0)
  network.cut(1, 3)
  await sendAll(members)
  network.mend()
  await sendAll(members)
  await check(members, 5)
  await Promise.all(members.map((member) => member.stop()))
})

test('A caller that does not wait any more is answered before the silent owner is replaced', async () => {
  const [network, store] = [new LocalNetwork(), memory()]
  const one = await startMember(store, { cluster: clusterOn(network, 60_000) })
  const other = await startMember(store, { cluster: clusterOn(network, 60_000) })
  await settled([one, other])
  const forwarded = await forwardedBy(one)
  network.cut(1, 2)
  const caller = new AbortController()
  const answer = one.vault(forwarded).put({ amount: 1 }, { signal: caller.signal })
  await letSettle()
  caller.abort()
  // Nobody knows whether the owner has decided it, once it was sent.
  await assert.rejects(answer, (error) => hasCode(error, 'OUTCOME_UNKNOWN') || hasCode(error, 'ABORTED'))
  assert.equal(one.cluster.status().shardsTakenOver, 0)
  network.mend()
  await Promise.all([one.stop(), other.stop()])
})

test('A member that cannot reach the store is replaced, and comes back', async () => {
  const [network, store] = [new LocalNetwork(), memory()]
  let isCut = false
  const cutOff = faultyStore(store, () => (isCut ? 'before' : undefined))
  const one = await startMember(store, { cluster: clusterOn(network, 400) })
  const other = await startMember(cutOff, { cluster: clusterOn(network, 400) })
  await settled([one, other])
  await sendAll([one, other])
  isCut = true
  // Once it is removed, all of its vaults answer elsewhere.
  for await (const { members } of one.cluster.changes()) if (members.length === 1) break
  await sendAll([one])
  isCut = false
  await settled([one, other])
  await sendAll([one, other])
  for (const id of ids) {
    assert.equal((await one.vault(id).state()).amount, 5)
    const epochs = await epochsOf(one, id)
    assert.deepEqual(
      epochs,
      epochs.toSorted((a, b) => a - b),
    )
  }
  await Promise.all([one.stop(), other.stop()])
})

test('A member that has not heard of a takeover reads newer events, and still asks before it decides', async () => {
  const [network, store] = [new LocalNetwork(), memory()]
  // They look at the view each 15 seconds only.
  const one = await startMember(store, { cluster: clusterOn(network, 60_000) })
  const other = await startMember(store, { cluster: clusterOn(network, 60_000) })
  await settled([one, other])
  const commands = () =>
    Promise.all([one, other].flatMap((member) => ids.map((id) => member.vault(id).put({ amount: 1 }))))
  await commands()
  network.cut(1, 2)
  await Promise.all(ids.map((id) => other.vault(id).put({ amount: 1 })))
  for (const id of ids) await one.vault(id).read()
  await Promise.all(ids.map((id) => one.vault(id).put({ amount: 1 })))
  for (const id of ids) {
    const epochs = await epochsOf(one, id)
    assert.deepEqual(
      epochs,
      epochs.toSorted((a, b) => a - b),
    )
  }
  network.mend()
  await Promise.all([one.stop(), other.stop()])
})

test('What a caller changes after it has sent a command is not stored, even if the command is sent on', async () => {
  const [network, store] = [new LocalNetwork(), memory()]
  const one = await startMember(store, { cluster: clusterOn(network, 60_000) })
  // The first member does not hear that the second one joins.
  network.cut(1, 2)
  const other = await startMember(store, { cluster: clusterOn(network, 60_000) })
  network.mend()
  // Of so many, the second member owns some.
  for (let i = 0; i < 40; i++) {
    const id = `own ${i}`
    const [data, metadata] = [{ amount: 1 }, { user: 'ada' }]
    const sent = one.vault(id).put(data, { metadata })
    data.amount = 1000
    metadata.user = 'eve'
    const [event] = (await sent).events
    assert.deepEqual([event!.data, event!.metadata['user']], [{ amount: 1 }, 'ada'])
  }
  assert.ok(one.cluster.status().commandsForwarded > 0)
  await Promise.all([one.stop(), other.stop()])
})
