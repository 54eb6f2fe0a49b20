/** Several members of one cluster in one process, which talk over real connections. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { cluster } from '../../src/cluster/index.ts'
import {
  aggregate,
  CommandRejected,
  domain,
  event,
  forgotten,
  hasCode,
  memory,
  type Personal,
  personal,
} from '../../src/index.ts'
import { epochsOf, type Member, secret, settled, startMember, Vaults } from '../support/cluster/vaults.ts'
import { until } from '../support/kernel/rig.ts'
import { sized } from '../support/size.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const ids = Array.from({ length: 24 }, (_, i) => `vault ${i}`)

/** Members on one store; they stop when the test is over. */
async function startAll(count: number, store: Parameters<typeof startMember>[0]): Promise<readonly Member[]> {
  const members: Member[] = []
  for (let i = 0; i < count; i++) members.push(await startMember(store))
  await settled(members)
  return members
}

const stopAll = (members: readonly Member[]) => Promise.all(members.map((member) => member.stop()))

await onEveryStore('Members of a cluster', ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)

  testHere('decide each aggregate in one of them, whoever gets its commands', async (t) => {
    const members = await startAll(3, await place(t))
    for (let round = 0; round < 3; round++) {
      await Promise.all(members.flatMap((member) => ids.map((id) => member.vault(id).put({ amount: 1 }))))
    }
    const live = members.map((member) => member.cluster.status().liveAggregates)
    assert.equal(
      live.reduce((sum, count) => sum + count, 0),
      ids.length,
    )
    assert.ok(live.every((count) => count > 0))
    for (const id of ids) assert.equal((await members[0]!.vault(id).state()).amount, 9)
    const { members: shown, owners, commandsForwarded } = members[0]!.cluster.status()
    assert.ok(commandsForwarded > 0)
    const shards = shown.map(({ shards }) => shards['vault']!)
    assert.equal(
      shards.reduce((sum, count) => sum + count, 0),
      256,
    )
    assert.ok(shards.every((count) => count > 40))
    for (const { id, shards } of shown) {
      assert.equal(owners['vault']!.filter((owner) => owner === id).length, shards['vault'])
    }
    await stopAll(members)
  })

  testHere('give the same answers as the owner would', async (t) => {
    const members = await startAll(2, await place(t))
    const at = new Date('2026-03-01T00:00:00Z')
    // One of the two is not the owner.
    for (const [i, member] of members.entries()) {
      const vault = member.vault('v')
      const put = await vault.put({ amount: 10, at }, { metadata: { user: 'ada' }, tags: ['t'] })
      assert.deepEqual(put.state.since, new Map([['last', at]]))
      assert.ok(Object.isFrozen(put.state))
      assert.equal(put.sequence, i + 1)
      const [event] = put.events
      assert.deepEqual(event!.data, { amount: 10, at })
      assert.ok(event!.recordedAt instanceof Date)
      assert.equal(event!.metadata['user'], 'ada')
      assert.deepEqual(event!.tags, ['t'])
      const no = await vault.try.take({ amount: 1000 })
      assert.ok(!no.accepted && no.rejection.code === 'TooLittle')
      assert.equal(no.rejection.details.amount, 10 * (i + 1))
      assert.ok(no.rejection.details.asked instanceof Date)
      await assert.rejects(vault.take({ amount: 1000 }), CommandRejected)
      const nothing = await vault.take({ amount: 0 })
      assert.deepEqual([nothing.events, nothing.sequence], [[], i + 1])
      await assert.rejects(vault.fail(), (error) => {
        assert.ok(hasCode(error, 'DECIDE_FAILED'))
        assert.equal(error.facts.command, 'fail')
        assert.match(String(error.cause), /RangeError: The vault is on fire/)
        return true
      })
      await assert.rejects(vault.put({ amount: 1 }, { expectedSequence: 7 }), (error) => {
        assert.ok(hasCode(error, 'SEQUENCE_UNEXPECTED'))
        assert.equal(error.facts.sequence, i + 1)
        return true
      })
      await assert.rejects(vault.put({ amount: 'x' as never }), (error) => hasCode(error, 'COMMAND_INVALID'))
      const signal = AbortSignal.abort(new Error('Enough'))
      await assert.rejects(vault.put({ amount: 1 }, { signal }), (error) => hasCode(error, 'ABORTED'))
    }
    await stopAll(members)
  })

  testHere('handle a command with an id once, whichever of them gets it', async (t) => {
    const members = await startAll(3, await place(t))
    const command = { aggregate: 'vault', id: 'v', name: 'put', data: { amount: 5 }, commandId: 'once' } as const
    const outcomes = await Promise.all([...members, ...members].map((member) => member.dispatch(command)))
    assert.deepEqual(new Set(outcomes.map(({ sequence }) => sequence)), new Set([1]))
    await assert.rejects(members[1]!.dispatch({ ...command, data: { amount: 6 } }), (error) =>
      hasCode(error, 'COMMAND_ID_REUSED'),
    )
    await stopAll(members)
  })

  testHere('come and go without a failed call, and epochs of a stream never go down', async (t) => {
    const store = await place(t)
    const members: Member[] = [await startMember(store)]
    let isOver = false
    let sent = 0
    const send = async (id: string) => {
      while (!isOver) {
        await members[sent++ % members.length]!.vault(id).put({ amount: 1 })
      }
    }
    const sending = ids.slice(0, 8).map(send)
    for (let i = 0; i < 2; i++) members.push(await startMember(store))
    const first = members.shift()!
    await first.stop()
    members.push(await startMember(store))
    isOver = true
    await Promise.all(sending)
    await settled(members)
    let total = 0
    for (const id of ids.slice(0, 8)) {
      const epochs = await epochsOf(members[0]!, id)
      assert.deepEqual(
        epochs,
        epochs.toSorted((a, b) => a - b),
      )
      total += epochs.length
    }
    assert.equal(total, sent)
    await stopAll(members)
  })
})

test('Personal values of a command that another member decided can be read, until they are forgotten', async () => {
  const form = z.object({ customer: z.string(), email: z.string() })
  const fields = { subject: ({ customer }: z.infer<typeof form>) => customer, fields: ['email'] } as const
  const Registered = event('Registered', form).personal(fields)
  const Customer = aggregate('customer', () => ({ email: undefined as Personal<string> | undefined }))
    .on(Registered, (_, { email }) => ({ email }))
    .command('register', personal(form, fields), (_, data) => Registered(data))
  const Customers = domain({ aggregates: { customer: Customer } })
  const store = memory()
  const start = () => Customers.start({ store, cluster: cluster({ address: '127.0.0.1:0', secret }) })
  const members = [await start(), await start()]
  // Of so many, each member owns some.
  for (const id of ids) {
    for (const member of members) {
      const { state, events } = await member.customer(id).register({ customer: id, email: `${id}@mail` })
      assert.deepEqual([state.email!.value, events[0]!.data.email.value], [`${id}@mail`, `${id}@mail`])
    }
  }
  for (const member of members) assert.ok(member.cluster.status().commandsForwarded > 0)
  await members[0]!.forget(ids[0]!)
  for (const member of members) assert.equal((await member.customer(ids[0]!).state()).email!.value, forgotten)
  await Promise.all(members.map((member) => member.stop()))
})

test('Many large commands to one member are answered, and nobody is taken for lost', async () => {
  const members = await startAll(2, memory())
  const [one, other] = members as [Member, Member]
  await until('they hear each other', () =>
    members.every(({ cluster }) => cluster.status().members.every(({ isHeard }) => isHeard)),
  )
  const { epoch } = one.cluster.status()
  // The first member does not own all of them.
  const large = { amount: 1, note: 'x'.repeat(200_000) }
  const sent = Array.from({ length: sized(400, 150) }, (_, i) => one.vault(ids[i % ids.length]!).put(large))
  const outcomes = await Promise.all(sent)
  assert.equal(
    outcomes.reduce((sum, { state }) => Math.max(sum, state.amount), 0),
    Math.ceil(sent.length / ids.length),
  )
  assert.ok(one.cluster.status().commandsForwarded > 0)
  assert.equal(other.cluster.status().epoch, epoch)
  await stopAll(members)
})

test('Commands that wait for another member count as in flight', async () => {
  const store = memory()
  const members = [await startMember(store, { limits: { commandsInFlightMax: 10 } }), await startMember(store)]
  await settled(members)
  const [one] = members as [Member, Member]
  const forwarded = () => one.cluster.status().commandsForwarded
  const ofTheOther: string[] = []
  for (const id of ids) {
    const before = forwarded()
    await one.vault(id).put({ amount: 1 })
    if (forwarded() > before) ofTheOther.push(id)
  }
  assert.notEqual(ofTheOther.length, 0)
  const sent = ids.flatMap((_, i) => {
    const vault = one.vault(ofTheOther[i % ofTheOther.length]!)
    return [vault.put({ amount: 1 }), vault.put({ amount: 1 })]
  })
  assert.equal(one.load().commandsInFlight, 10)
  const codes = await Promise.all(
    sent.map((each) =>
      each.then(
        () => 'ok',
        ({ code }) => code as string,
      ),
    ),
  )
  assert.deepEqual(codes, [...Array(10).fill('ok'), ...Array(ids.length * 2 - 10).fill('OVERLOADED')])
  assert.equal(one.load().commandsInFlight, 0)
  assert.equal(forwarded(), ofTheOther.length + 10)
  await stopAll(members)
})

test('A member without the secret is refused, and the cluster goes on', async () => {
  const store = memory()
  await using one = await startMember(store)
  const other = () => cluster({ address: '127.0.0.1:0', secret: 'another secret, quite long' })
  const startStranger = () => Vaults.start({ store, log: { warn() {} }, cluster: other() })
  await assert.rejects(startStranger(), (error) => hasCode(error, 'SECRET_DIFFERS'))
  await one.vault('v').put({ amount: 1 })
  await one.stop()
  await using stranger = await startStranger()
  assert.equal((await stranger.vault('v').put({ amount: 1 })).sequence, 2)
})

test('Of two first members with different secrets, one is refused, even if they start at the same time', async () => {
  const store = memory()
  const starts = ['the secret of one', 'the secret of another'].map((own) =>
    Vaults.start({ store, log: { warn() {} }, cluster: cluster({ address: '127.0.0.1:0', secret: own }) }),
  )
  const results = await Promise.allSettled(starts)
  const refused = results.filter((result) => result.status === 'rejected')
  assert.ok(refused.length === 1 && hasCode(refused[0]!.reason, 'SECRET_DIFFERS'))
  for (const result of results) if (result.status === 'fulfilled') await result.value.stop()
})

test('Two members cannot listen at one address', async () => {
  const store = memory()
  await using one = await startMember(store)
  const { address } = one.cluster.status().members[0]!
  const same = cluster({ address, secret })
  await assert.rejects(Vaults.start({ store, cluster: same }), (error) => hasCode(error, 'ADDRESS_UNAVAILABLE'))
})

test('A wrong option is named, and the secret is not shown', () => {
  const start = (options: object) => cluster({ address: '127.0.0.1:0', secret, ...options })
  for (const [options, expected] of [
    [{ address: 'nowhere' }, /option address/],
    [{ address: '0.0.0.0:7400' }, /option advertise/],
    [{ address: '0:7400' }, /option advertise/],
    [{ address: '[::0]:7400' }, /option advertise/],
    [{ address: '[0:0:0:0:0:0:0:0]:0' }, /option advertise/],
    [{ address: '[::ffff:0.0.0.0]:0' }, /option advertise/],
    [{ address: '0.0.0.0:7400', advertise: '0.0.0.0:7400' }, /option advertise/],
    [{ address: '[::]:7400', advertise: '[0::0]:7400' }, /option advertise/],
    [{ address: '::1:7400' }, /option address/],
    [{ address: '[::1::2]:7400' }, /option address/],
    [{ address: '[zz]:7400' }, /option address/],
    [{ secret: 'short' }, /option secret must be a text of 16 characters or more/],
    [{ leaseMs: 1 }, /option leaseMs/],
    [{ adress: 'x' }, /did you mean address/],
  ] as const) {
    assert.throws(
      () => start(options),
      (error) => hasCode(error, 'OPTION_INVALID') && expected.test(error.message) && !error.message.includes('short'),
    )
  }
})

test('Alone, a process is the only member', async () => {
  await using bank = await Vaults.start({ store: memory() })
  const { self, members, owners, epoch, commandsForwarded } = bank.cluster.status()
  assert.deepEqual(owners, { vault: Array.from({ length: 256 }, () => self) })
  assert.deepEqual([members.length, members[0]!.shards, epoch, commandsForwarded], [1, { vault: 256 }, 0, 0])
})
