import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../random.ts'
import { World } from './world.ts'

const newWorld = (seed = 1) => new World(new Random(seed))

describe('In a simulated world', () => {
  test('things happen at their times, and what they set off happens before the next', async () => {
    const world = newWorld()
    const seen: string[] = []
    for (const delayMs of [30, 10, 20]) {
      world.after(delayMs, 'x', async () => {
        seen.push(`${delayMs} at ${world.nowMs}`)
        for (let i = 0; i < 100; i++) await undefined
        seen.push(`after ${delayMs}`)
      })
    }
    assert.equal(await world.run(() => seen.length === 6, 100), true)
    assert.deepEqual(seen, ['10 at 10', 'after 10', '20 at 20', 'after 20', '30 at 30', 'after 30'])
  })

  test('time ends where it is told to, and goes on from there', async () => {
    const world = newWorld()
    let isThere = false
    world.after(50, 'x', () => {
      isThere = true
    })
    assert.equal(await world.run(() => isThere, 49), false)
    assert.equal(await world.run(() => isThere, 50), true)
    assert.equal(await world.run(() => false, 1000), false)
  })

  test('what is cancelled does not happen, and neither does what a dead process waits for', async () => {
    const world = newWorld()
    const owner = { isDead: false, frozenUntil: 0 }
    const seen: string[] = []
    world.after(1, 'x', () => seen.push('cancelled'))()
    world.after(2, 'x', () => seen.push('dead'), owner)
    world.after(3, 'x', () => seen.push('end'))
    owner.isDead = true
    await world.run(() => seen.length === 1, 100)
    assert.deepEqual(seen, ['end'])
  })

  test('what happens in a frozen process happens when it thaws, and can be cancelled meanwhile', async () => {
    const world = newWorld()
    const owner = { isDead: false, frozenUntil: 5000 }
    const seen: string[] = []
    world.after(1, 'x', () => seen.push(`thawed at ${world.nowMs}`), owner)
    const cancel = world.after(1, 'x', () => seen.push('cancelled'), owner)
    world.after(3, 'x', cancel)
    world.after(9, 'x', () => seen.push('end'))
    await world.run(() => seen.length === 2, 100)
    assert.deepEqual(seen, ['thawed at 5', 'end'])
  })

  test('a thousand things happen in the order of their times, and of equal times as the seed says', async () => {
    const runs = await Promise.all(
      [1, 1, 2].map(async (seed) => {
        const world = newWorld(seed)
        const times = new Random(5)
        const seen: string[] = []
        for (let i = 0; i < 1000; i++) {
          const delayMs = times.int(0, 50)
          world.after(delayMs, `${i}`, () => seen.push(`${String(delayMs).padStart(2)} ${i}`))
        }
        await world.run(() => seen.length === 1000, 100)
        assert.deepEqual(
          seen.map((each) => each.slice(0, 2)),
          seen.map((each) => each.slice(0, 2)).sort(),
        )
        return { seen, hash: world.hash }
      }),
    )
    assert.deepEqual(runs[1], runs[0])
    assert.notDeepEqual(runs[2]!.seen, runs[0]!.seen)
    assert.notEqual(runs[2]!.hash, runs[0]!.hash)
  })
})
