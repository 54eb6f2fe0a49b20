/** A domain for clusters: vaults that hold money, and several members of one cluster that run it. */
import { z } from 'zod'
import type { StartOptions } from '../../../src/application/start-options.ts'
import type { DomainCluster } from '../../../src/cluster/cluster.ts'
import { cluster } from '../../../src/cluster/index.ts'
import { ClusterNode } from '../../../src/cluster/node.ts'
import { aggregate, domain, event, reject, type StoreFactory } from '../../../src/index.ts'
import type { LocalNetwork } from './local-network.ts'

/** The transfer that a step belongs to. */
const step = { transfer: z.string().optional() }
const Put = event(
  'Put',
  z.object({ amount: z.number(), at: z.coerce.date().optional(), note: z.string().optional(), ...step }),
)
const Taken = event('Taken', z.object({ amount: z.number(), ...step }))

/** What a vault may hold at most after it has received something. Who only puts something in is not refused. */
const receivedMax = 50

export const Vault = aggregate('vault', () => ({ amount: 0, since: new Map<string, Date>() }))
  .on(Put, ({ amount, since }, { amount: more, at }) => ({
    amount: amount + more,
    since: at === undefined ? since : new Map([...since, ['last', at]]),
  }))
  .on(Taken, ({ amount, since }, { amount: less }) => ({ amount: amount - less, since }))
  .command(
    'put',
    z.object({ amount: z.number(), at: z.date().optional(), note: z.string().optional(), ...step }),
    (_, data) => Put(data),
  )
  .command('take', z.object({ amount: z.number(), ...step }), (state, data, { now }) =>
    data.amount > state.amount
      ? reject('TooLittle', { amount: state.amount, asked: now })
      : data.amount === 0
        ? undefined
        : Taken(data),
  )
  .command('receive', z.object({ amount: z.number(), ...step }), (state, data) =>
    state.amount + data.amount > receivedMax ? reject('TooMuch', { amount: state.amount }) : Put(data),
  )
  .command('fail', z.object({}), () => {
    throw new RangeError('The vault is on fire')
  })

export const Vaults = domain({ aggregates: { vault: Vault } })
export type Member = Awaited<ReturnType<typeof Vaults.start>>

export const secret = 'a secret for members of tests'

/** Long enough for a machine that is busy with other things. */
const leaseMs = 20_000

/** Starts a member at a free port. */
export const startMember = (store: StoreFactory, options: StartOptions = {}): Promise<Member> =>
  Vaults.start({ store, log: { warn() {} }, cluster: cluster({ address: '127.0.0.1:0', secret, leaseMs }), ...options })

/** The cluster of members that talk over a network within this process. */
export const clusterOn = (network: LocalNetwork, leaseMs = 3000): DomainCluster => ({
  node: (parts) =>
    new ClusterNode({
      ...parts,
      transport: network.transport(),
      secretProof: 'none',
      leaseMs,
      routeTimeoutMs: 60_000,
    }),
})

/** Waits until all members have the same view, with all of them. */
export async function settled(members: readonly Pick<Member, 'cluster'>[], tries = 2000): Promise<void> {
  for (let i = 0; ; i++) {
    const views = members.map(({ cluster: { status } }) => status())
    const isSame = new Set(views.map(({ epoch }) => epoch)).size === 1
    if (isSame && views.every(({ members: { length } }) => length === members.length)) return
    if (i === tries) throw new Error(`The members do not agree: ${JSON.stringify(views)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The epochs of a stream's events, in order. */
export async function epochsOf(member: Member, id: string): Promise<readonly number[]> {
  const epochs: number[] = []
  for await (const { metadata } of member.vault(id).history()) epochs.push(metadata['clusterEpoch'] as number)
  return epochs
}
