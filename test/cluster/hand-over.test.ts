/** A member that stops gives the states of its aggregates to the next owners. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shardOf } from '../../src/cluster/placement.ts'
import { memory } from '../../src/index.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { LocalNetwork } from '../support/cluster/local-network.ts'
import { clusterOn, type Member, settled, startMember } from '../support/cluster/vaults.ts'
import { until } from '../support/kernel/rig.ts'

const ids = Array.from({ length: 20 }, (_, i) => `vault ${i}`)

/** Two members; the reads of streams by the first one are counted. */
async function two() {
  const network = new LocalNetwork()
  const store = memory()
  let reads = 0
  const counted = faultyStore(store, ({ method }) => {
    if (method === 'readStream') reads++
    return undefined
  })
  const staying = await startMember(counted, { cluster: clusterOn(network, 60_000) })
  const leaving = await startMember(store, { cluster: clusterOn(network, 60_000) })
  await settled([staying, leaving])
  for (const id of ids) await leaving.vault(id).put({ amount: 1, at: new Date(5) })
  return { store, staying, leaving, reads: () => reads }
}

const putAll = (member: Member) => Promise.all(ids.map((id) => member.vault(id).put({ amount: 1 })))

test('The next owner decides on states that it was given, and reads no events', async () => {
  const { staying, leaving, reads } = await two()
  await leaving.stop()
  const before = reads()
  const outcomes = await putAll(staying)
  assert.equal(reads(), before)
  for (const { state, sequence } of outcomes) {
    assert.deepEqual([state.amount, state.since, sequence], [2, new Map([['last', new Date(5)]]), 2])
  }
  await staying.stop()
})

test('States that change after they were given are given again, before the next owner decides on them', async () => {
  const network = new LocalNetwork()
  const store = memory()
  let onLeaving: (() => Promise<unknown>) | undefined
  const watched = faultyStore(store, async ({ method }) => {
    if (method !== 'saveStep') return undefined
    const act = onLeaving
    onLeaving = undefined
    await act?.()
    return undefined
  })
  let reads = 0
  const counted = faultyStore(store, ({ method }) => {
    if (method === 'readStream') reads++
    return undefined
  })
  const leaving = await startMember(watched, { cluster: clusterOn(network, 60_000) })
  for (const id of ids) await leaving.vault(id).put({ amount: 1 })
  const staying = await startMember(counted, { cluster: clusterOn(network, 60_000) })
  await settled([leaving, staying])
  await putAll(staying)
  const before = reads
  // All states are given then, and the leaving member still decides.
  onLeaving = () => putAll(staying)
  await leaving.stop()
  for (const { state, sequence } of await putAll(staying)) assert.deepEqual([state.amount, sequence], [4, 4])
  assert.equal(reads, before)
  await staying.stop()
})

test('A member that joins is given the states of streams that it owns now, and reads no events of them', async () => {
  const network = new LocalNetwork()
  const store = memory()
  const first = await startMember(store, { cluster: clusterOn(network, 60_000) })
  for (const id of ids) await first.vault(id).put({ amount: 1 })
  let reads = 0
  const counted = faultyStore(store, ({ method }) => {
    if (method === 'readStream') reads++
    return undefined
  })
  const second = await startMember(counted, { cluster: clusterOn(network, 60_000) })
  await settled([first, second])
  const { owners, self } = second.cluster.status()
  const own = ids.filter((id) => owners['vault']![shardOf({ aggregate: 'vault', id })] === self)
  assert.ok(own.length > 0)
  await until('its states have arrived', () => second.load().liveAggregates === own.length)
  assert.equal(first.load().liveAggregates, ids.length - own.length)
  for (const id of own) {
    const { state, sequence } = await first.vault(id).put({ amount: 1 })
    assert.deepEqual([state.amount, sequence], [2, 2])
  }
  assert.equal(reads, 0)
  await Promise.all([first.stop(), second.stop()])
})

test('The next owner asks the store whether a state that it was given is the newest', async () => {
  const { store, staying, leaving } = await two()
  await leaving.stop()
  // Somebody else writes, who is not in the cluster.
  const other = await startMember(store, { cluster: undefined as never })
  await putAll(other)
  await other.stop()
  const noes = await Promise.all(ids.map((id) => staying.vault(id).try.take({ amount: 3 })))
  for (const no of noes) assert.equal(!no.accepted && no.rejection.details.amount, 2)
  for (const { sequence } of await putAll(staying)) assert.equal(sequence, 3)
  await staying.stop()
})
