/** Members on a store that takes long to answer questions about leases. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Membership } from '../../src/cluster/membership.ts'
import { memory } from '../../src/index.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { LocalNetwork } from '../support/cluster/local-network.ts'
import { clusterOn, settled, startMember } from '../support/cluster/vaults.ts'
import { until } from '../support/kernel/rig.ts'

test('A member renews its own lease while it waits for the answer about the lease of another one', async () => {
  const network = new LocalNetwork()
  const store = memory()
  const gate = Promise.withResolvers<void>()
  const own = () => `cluster member ${first.cluster.status().self}`
  let renewals = 0
  let isWaiting = false
  const slow = faultyStore(store, ({ method, args }) => {
    if (method !== 'acquireLease' || args[2] !== 1) {
      if (isWaiting && args[0] === own()) renewals++
      return undefined
    }
    isWaiting = true
    return gate.promise
  })
  const first = await startMember(slow, { cluster: clusterOn(network, 400) })
  const second = await startMember(store, { cluster: clusterOn(network, 400) })
  await settled([first, second])
  await until('it renews its lease', () => renewals >= 3)
  gate.resolve()
  await Promise.all([first.stop(), second.stop()])
})

test('Commands that ask at the same time whether a member has ended share one question to the store', async () => {
  const environment = manualEnvironment()
  let questions = 0
  const counted = faultyStore(memory(), ({ method }) => {
    if (method === 'acquireLease') questions++
    return undefined
  })
  const store = await counted.open({ now: environment.now, warn() {} })
  const transport = new LocalNetwork().transport()
  const membership = new Membership({ store, environment, warn() {}, transport, secretProof: 'none', leaseMs: 1000 })
  const ask = () => membership.hasEnded({ id: 'other' })
  assert.deepEqual([await Promise.all([ask(), ask(), ask()]), questions], [[true, true, true], 1])
  assert.deepEqual([await ask(), questions], [true, 2])
})
