/** Which tasks may begin: in order if they have a common key, otherwise as soon as there is room. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Lanes } from './lanes.ts'

const named = (keys: readonly string[]) => ({ holds: keys, waitsFor: keys })

test('a task begins when the tasks before it with a common key are done', () => {
  const lanes = new Lanes<{ readonly name: string }>()
  const tasks = { a1: 'a', b1: 'b', a2: 'a', ab: 'ab', b2: 'b' }
  const all = new Map(Object.entries(tasks).map(([name, keys]) => [name, { name, keys: [...keys] }]))
  for (const task of all.values()) lanes.add(task, named(task.keys))
  const takeAll = () => {
    const names: string[] = []
    for (let next = lanes.next(); next !== undefined; next = lanes.next()) names.push(next.name)
    return names
  }
  assert.deepEqual(takeAll(), ['a1', 'b1'])
  lanes.done(all.get('b1')!)
  assert.deepEqual(takeAll(), [])
  lanes.done(all.get('a1')!)
  assert.deepEqual(takeAll(), ['a2'])
  lanes.done(all.get('a2')!)
  assert.deepEqual(takeAll(), ['ab'])
  lanes.done(all.get('ab')!)
  assert.deepEqual(takeAll(), ['b2'])
})

test('one at a time, tasks are done in the order in which they were added', () => {
  const lanes = new Lanes<{ readonly i: number }>()
  const tasks = Array.from({ length: 50 }, (_, i) => ({ i }))
  for (const task of tasks) lanes.add(task, named([`${task.i % 3}`]))
  const order: number[] = []
  for (let next = lanes.next(); next !== undefined; next = lanes.next()) {
    order.push(next.i)
    lanes.done(next)
  }
  assert.deepEqual(
    order,
    tasks.map(({ i }) => i),
  )
})

test('for any keys and any order of ends, no task overtakes another with a common key, and none is left', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const keys = fc.record({ holds: fc.uniqueArray(key, { maxLength: 3 }), more: fc.uniqueArray(key, { maxLength: 2 }) })
  const schedule = fc.array(fc.nat(), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(fc.array(keys, { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), schedule, (all, most, choices) => {
      const lanes = new Lanes<{ readonly i: number }>()
      const tasks = all.map((_, i) => ({ i }))
      const waitsFor = ({ i }: { readonly i: number }) => [...new Set([...all[i]!.holds, ...all[i]!.more])]
      for (const task of tasks) lanes.add(task, { holds: all[task.i]!.holds, waitsFor: waitsFor(task) })
      const running: { readonly i: number }[] = []
      const done = new Set<number>()
      for (let step = 0; done.size < tasks.length; step++) {
        while (running.length < most) {
          const next = lanes.next()
          if (next === undefined) break
          for (const before of tasks.slice(0, next.i)) {
            const common = all[before.i]!.holds.some((each) => waitsFor(next).includes(each))
            assert.ok(!common || done.has(before.i), `${next.i} began before ${before.i} was done`)
          }
          running.push(next)
        }
        assert.ok(running.length > 0, 'something is always under way')
        const [over] = running.splice(choices[step % choices.length]! % running.length, 1)
        done.add(over!.i)
        lanes.done(over!)
      }
      assert.equal(lanes.hasNext, false)
    }),
    { numRuns: 300 },
  )
})
