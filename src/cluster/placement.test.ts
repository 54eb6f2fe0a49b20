import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Placement, shardCount, shardOf } from './placement.ts'
import type { Knowledge, Member } from './view.ts'

const streams = Array.from({ length: 2000 }, (_, i) => ({ aggregate: 'a', id: `s${i}` }))
const member = (
  id: string,
  knows: Readonly<Record<string, Knowledge>> = { a: { commands: ['x'], events: { E: 1 } } },
) => ({ id, address: `${id}:1`, joinedAt: 0, isLeaving: false, knows }) satisfies Member
const ownersIn = (members: readonly Member[], takenOver = {}): readonly (string | undefined)[] => {
  const placement = new Placement({ members, takenOver })
  return streams.map((stream) => placement.ownerOf(stream)?.id)
}
const share = (owners: readonly (string | undefined)[], id: string) =>
  owners.filter((owner) => owner === id).length / owners.length

describe('The placement of streams', () => {
  test('gives each member a fair share, the same in whatever order members are listed', () => {
    const members = ['m1', 'm2', 'm3'].map((id) => member(id))
    const owners = ownersIn(members)
    for (const { id } of members) assert.ok(share(owners, id) > 0.2, `${id} has ${share(owners, id)}`)
    assert.deepEqual(ownersIn(members.toReversed()), owners)
  })

  test('moves only the streams of a member that comes or goes', () => {
    const members = ['m1', 'm2', 'm3'].map((id) => member(id))
    const [before, after] = [ownersIn(members), ownersIn(members.slice(1))]
    for (const [i, owner] of before.entries()) if (owner !== 'm1') assert.equal(after[i], owner)
    assert.ok(!after.includes('m1'))
  })

  test('leaves nothing to a member that is leaving', () => {
    const owners = ownersIn([{ ...member('m1'), isLeaving: true }, member('m2')])
    assert.deepEqual(new Set(owners), new Set(['m2']))
    assert.deepEqual(new Set(ownersIn([{ ...member('m1'), isLeaving: true }])), new Set([undefined]))
  })

  test('keeps a shard where it was taken over, as long as the taker is there', () => {
    const members = ['m1', 'm2'].map((id) => member(id))
    const shard = shardOf(streams[0]!)
    const usual = ownersIn(members)[0]
    const other = usual === 'm1' ? 'm2' : 'm1'
    assert.equal(ownersIn(members, { [shard]: other })[0], other)
    assert.equal(ownersIn(members, { [shard]: 'gone' })[0], usual)
  })

  test('lets a member that leaves keep what it has taken over, and nothing else', () => {
    const shard = shardOf(streams[0]!)
    const leaving = { ...member('m1'), isLeaving: true }
    for (const [others, owner] of [
      [[], undefined],
      [[member('m2')], 'm2'],
    ] as const) {
      const members = [leaving, ...others]
      const owners = ownersIn(members, { [shard]: 'm1' })
      for (const [i, stream] of streams.entries()) assert.equal(owners[i], shardOf(stream) === shard ? 'm1' : owner)
      const placement = new Placement({ members, takenOver: { [shard]: 'm1' } })
      assert.deepEqual([placement.isOwner('m1', streams[0]!), placement.isOwner('m2', streams[0]!)], [true, false])
    }
    const newer = member('m2', { a: { commands: ['x', 'y'], events: { E: 1 } } })
    assert.equal(ownersIn([leaving, newer], { [shard]: 'm1' })[0], 'm2')
  })

  test('prefers members that know more of the aggregate', () => {
    const old = member('old', { a: { commands: ['x'], events: { E: 1 } } })
    const known = (commands: readonly string[], events: Readonly<Record<string, number>>) =>
      member('new', { a: { commands, events } })
    for (const newer of [known(['x', 'y'], { E: 1 }), known(['x'], { E: 2 }), known(['x'], { E: 1, F: 1 })]) {
      assert.deepEqual(new Set(ownersIn([old, newer])), new Set(['new']))
    }
    // Each of them knows something that the other does not.
    assert.equal(new Set(ownersIn([old, known(['y'], { E: 1 })])).size, 2)
    assert.deepEqual(new Set(ownersIn([old, member('other', {})])), new Set(['old']))
    assert.deepEqual(new Set(ownersIn([member('other', {})])), new Set([undefined]))
  })

  test('has numbers of shards that never change, or members of two versions would not agree', () => {
    assert.equal(shardCount, 256)
    assert.deepEqual(
      [
        ['account', 'ada'],
        ['account', 'bob'],
        ['b', 'ä/%'],
      ].map(([aggregate, id]) => shardOf({ aggregate: aggregate!, id: id! })),
      [40, 53, 195],
    )
  })
})
