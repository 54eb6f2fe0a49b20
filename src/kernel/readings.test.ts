/** Readings for stored answers are shared, and their number is limited. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../test/support/kernel/rig.ts'
import { Readings } from './readings.ts'

test('Requests during a reading of the same stream share the next reading', async () => {
  const readings = new Readings<number>()
  const gate = Promise.withResolvers<void>()
  const seen: (readonly number[])[] = []
  const read = async (items: readonly number[]) => {
    seen.push([...items])
    await gate.promise
  }
  const first = readings.gather('a', 0, read)
  await settled()
  const others = [1, 2, 3].map((item) => readings.gather('a', item, read))
  await settled()
  assert.deepEqual(seen, [[0]])
  gate.resolve()
  await Promise.all([first, ...others])
  assert.deepEqual(seen, [[0], [1, 2, 3]])
})

test('Only a few streams are read at the same time, in order, also after readings that fail', async () => {
  const readings = new Readings<number>()
  let underWay = 0
  let most = 0
  const done: number[] = []
  const read = async ([item]: readonly number[]) => {
    most = Math.max(most, ++underWay)
    await settled()
    underWay--
    done.push(item!)
    if (item! % 3 === 0) throw new Error('not there')
  }
  const all = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => readings.gather(`s${i}`, i, read)))
  assert.equal(most, 4)
  assert.equal(done.length, 50)
  assert.equal(all.filter(({ status }) => status === 'rejected').length, 17)
})
