import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyContent, type Member, withMember } from './view.ts'

const member = (id: string, address: string, joinedAt: number): Member => ({
  id,
  address,
  joinedAt,
  isLeaving: false,
  knows: {},
})

test('A member that joins at the address of an earlier one replaces it: that process has ended', () => {
  const before = withMember(emptyContent, member('old', 'a:1', 1), 'proof')
  const other = withMember(before, member('other', 'b:1', 2), 'proof')
  const after = withMember(other, member('new', 'a:1', 3), 'proof')
  assert.deepEqual(
    after.members.map(({ id }) => id),
    ['other', 'new'],
  )
  // A clock that went back does not let an old process replace a new one.
  assert.equal(withMember(after, member('late', 'a:1', 2), 'proof').members.length, 3)
})
