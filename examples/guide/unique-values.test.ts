/** The code of docs/guide/unique-values.md, run as a test. Its longer example is in `examples/unique`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claims, domain } from '../../src/index.ts'

test('a seat is claimed and released', async () => {
  // #region seat
  const Seats = claims('seat')
  const Hall = domain({ aggregates: { seat: Seats.aggregate } })
  await using hall = await Hall.start()
  const { state } = await hall.seat('7a').claim({ owner: 'ada' }) // rejected with 'Taken' if somebody else has it
  await hall.seat('7a').release({ owner: 'ada', claim: state.claim })
  // #endregion
  assert.deepEqual(await hall.seat('7a').state(), { owner: undefined, claim: 1 })
})
