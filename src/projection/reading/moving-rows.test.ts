/** Queries by an index while a row moves within the index between any two reads of its entries. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { recorder } from '../../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, projection } from '../../index.ts'
import { faultyStore } from '../../testing/faulty-store.ts'

const Put = event('Put', z.object({ shelf: z.string() }))
const Box = aggregate('box', () => ({}))
  .on(Put)
  .command('put', z.object({ shelf: z.string() }), (_, data) => Put(data))
const Boxes = projection('boxes', () => ({ shelf: '' }))
  .on(Put, (_, { shelf }) => ({ shelf }))
  .by(({ stream }) => stream.id)
  .indexed('shelf')
const Store = domain({ aggregates: { box: Box }, projections: { boxes: Boxes } })

test('A row that moves all the time is found once and counted once', async () => {
  const inner = memory()
  await using mover = await Store.start({ store: inner, projections: 'manual', log: recorder() })
  let moves = 0
  const move = async () => {
    await mover.box('one').put({ shelf: moves++ % 2 === 0 ? 'a' : 'b' })
    await mover.projections.runOnce('boxes')
  }
  await move()
  let isMoving = true
  const moving = faultyStore(inner, ({ method }) => (method === 'listRows' && isMoving ? move() : undefined))
  await using reader = await Store.start({ store: moving, projections: 'manual', log: recorder() })
  const where = { shelf: { in: ['a', 'b'] } }
  const found = await reader.boxes.find({ where })
  assert.deepEqual(
    found.rows.map(({ key }) => key),
    ['one'],
  )
  assert.deepEqual((await reader.boxes.find({ where, orderBy: ['shelf'] })).rows.length, 1)
  assert.equal(await reader.boxes.count({ where }), 1)
  assert.ok(moves > 6, `${moves} moves`)
  isMoving = false
})
