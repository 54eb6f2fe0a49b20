/** Where the tenants' own work is done: at the owner of their commands, and evenly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Placement, shardCount } from '../placement.ts'
import type { Member, View } from '../view.ts'
import { Homes } from './homes.ts'

const member = (id: string, more: Partial<Member> = {}): Member => ({
  ...{ id, address: `${id}:1`, joinedAt: 0, isLeaving: false },
  knows: { pot: { commands: ['put'], events: { Put: 1 } } },
  follows: ['sums', 'reaction later'],
  ...more,
})

function homesOf(members: readonly Member[], takenOver: View['takenOver'] = {}) {
  const view: View = { secretProof: '', epoch: 1, members, takenOver }
  const placement = new Placement(view)
  return { homes: new Homes(view, placement), placement }
}

const three = ['m1', 'm2', 'm3'].map((id) => member(id))
const shards = Array.from({ length: shardCount }, (_, shard) => shard)
const ofPot = { aggregate: 'pot', id: 'any' }

test('Each shard has one home, which is the owner of its commands, and each member has a fair part', () => {
  const { homes, placement } = homesOf(three)
  for (const shard of shards) {
    const owner = placement.ownerOf(ofPot, shard)!.id
    assert.deepEqual([homes.memberFor('sums', shard), homes.memberFor('reaction later', shard)], [owner, owner])
    assert.deepEqual(
      three.filter(({ id }) => homes.isAt(id, shard)).map(({ id }) => id),
      [owner],
    )
  }
  for (const { id } of three) assert.ok(homes.shardsOf(id).size > 40)
})

test('Only the shards of a member that leaves get another home', () => {
  const before = homesOf(three).homes
  const after = homesOf([...three.slice(0, 2), member('m3', { isLeaving: true })]).homes
  for (const { id } of three.slice(0, 2)) {
    for (const shard of before.shardsOf(id).keys()) assert.ok(after.isAt(id, shard))
  }
  assert.equal(after.shardsOf('m3').size, 0)
})

test('What only a new version runs has its home there, and nowhere if nobody runs it', () => {
  const { homes } = homesOf([three[0]!, member('new', { follows: ['sums', 'newest'] })])
  for (const shard of shards) assert.equal(homes.memberFor('newest', shard), 'new')
  for (const shard of shards) assert.equal(homes.memberFor('reaction later', shard), 'm1')
  assert.equal(homes.memberFor('unknown', 0), undefined)
  assert.equal(homesOf([member('m1', { follows: [] })]).homes.shardsOf('m1').size, 0)
})

test('A home sees that another member has decided commands of its tenants, and that this is over', () => {
  const usual = homesOf(three)
  const shard = [...usual.homes.shardsOf('m1').keys()][0]!
  const taken = homesOf(three, { [shard]: 'm2' })
  assert.equal(taken.placement.ownerOf(ofPot, shard)!.id, 'm2')
  assert.ok(taken.homes.isAt('m1', shard))
  assert.notEqual(taken.homes.shardsOf('m1').get(shard), usual.homes.shardsOf('m1').get(shard))
})
