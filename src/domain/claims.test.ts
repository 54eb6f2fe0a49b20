import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { claims, domain } from '../index.ts'

const Seats = claims('seat')
const start = () => domain({ aggregates: { seat: Seats.aggregate } }).start()

describe('A claim', () => {
  test('is held by its owner until it is released', async () => {
    await using hall = await start()
    const seat = hall.seat('7a')
    assert.deepEqual((await seat.claim({ owner: 'ada' })).state, { owner: 'ada', claim: 1 })
    assert.deepEqual((await seat.claim({ owner: 'ada' })).events, [])
    const refused = await seat.try.claim({ owner: 'bob' })
    assert.ok(!refused.accepted && refused.rejection.code === 'Taken')
    await seat.release({ owner: 'ada', claim: 1 })
    assert.deepEqual((await seat.claim({ owner: 'bob' })).state, { owner: 'bob', claim: 2 })
  })

  test('is not released by somebody else, nor in the name of an earlier claim', async () => {
    await using hall = await start()
    const seat = hall.seat('7a')
    for (let i = 1; i <= 2; i++) {
      await seat.claim({ owner: 'ada' })
      if (i === 1) await seat.release({ owner: 'ada', claim: 1 })
    }
    assert.deepEqual((await seat.release({ owner: 'ada', claim: 1 })).events, [])
    assert.deepEqual((await seat.release({ owner: 'bob', claim: 2 })).events, [])
    assert.deepEqual(await seat.state(), { owner: 'ada', claim: 2 })
  })

  test('needs an owner and a number', async () => {
    await using hall = await start()
    const seat = hall.seat('7a')
    for (const data of [
      {},
      { owner: '' },
      { owner: '\0' },
      { owner: 'x'.repeat(1025) },
      { owner: 7 },
      null,
      'ada',
      undefined,
    ]) {
      await assert.rejects(seat.claim(data as never), { code: 'COMMAND_INVALID' })
    }
    for (const claim of [0, 1.5, '1', undefined]) {
      await assert.rejects(seat.release({ owner: 'ada', claim } as never), { code: 'COMMAND_INVALID' })
    }
    await assert.rejects(seat.claim({} as never), /owner: is missing or invalid/)
    assert.throws(() => claims(''), { code: 'ID_INVALID' })
  })
})
