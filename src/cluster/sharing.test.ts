import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Sharing } from './sharing.ts'
import type { Member } from './view.ts'

const names = Array.from({ length: 10 }, (_, i) => `projection ${i}`)
const member = (id: string, follows?: readonly string[], isLeaving = false): Member => ({
  id,
  address: `${id}:1`,
  joinedAt: 0,
  isLeaving,
  knows: {},
  ...(follows && { follows }),
})

describe('Projections and reactions', () => {
  test('are shared evenly, the same in whatever order members are listed', () => {
    const members = ['a', 'b', 'c'].map((id) => member(id, names))
    const sharing = new Sharing(members)
    const counts = members.map(({ id }) => sharing.followersOf(id).length)
    assert.deepEqual(counts.toSorted(), [3, 3, 4])
    const other = new Sharing(members.toReversed())
    for (const name of names) assert.equal(other.memberFor(name), sharing.memberFor(name))
  })

  test('go only to members that have them, and stay with nobody who leaves', () => {
    const sharing = new Sharing([member('old', names.slice(1)), member('new', names), member('gone', names, true)])
    assert.equal(sharing.memberFor(names[0]!), 'new')
    assert.deepEqual(sharing.followersOf('gone'), [])
    assert.equal(sharing.followersOf('old').length, 5)
  })

  test('of a member that says nothing of them go to others', () => {
    const sharing = new Sharing([member('a'), member('b', names)])
    for (const name of names) assert.equal(sharing.memberFor(name), 'b')
  })

  test('that no member has told are given to one of all', () => {
    const sharing = new Sharing(['a', 'b'].map((id) => member(id)))
    const given = new Set(names.map((name) => sharing.memberFor(name)))
    assert.deepEqual(given, new Set(['a', 'b']))
    assert.equal(new Sharing([]).memberFor('x'), undefined)
  })
})
