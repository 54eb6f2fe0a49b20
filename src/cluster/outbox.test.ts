import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Line } from './line.ts'
import { Outbox } from './outbox.ts'

const sender = { answered() {}, lost() {} }
const command = (name: string) => ({ stream: { aggregate: 'a', id: '1' }, name, commandId: name })
/** Sends all that have to be sent, and says which. */
function sendAll(outbox: Outbox): string[] {
  const names: string[] = []
  for (let next = outbox.next(); next !== undefined; next = outbox.next()) {
    outbox.sent(next, 10)
    names.push(next.command.name)
  }
  return names
}

describe('The commands that have no answer', () => {
  test('are sent in order, and in the same order again, but for those that were taken', () => {
    const outbox = new Outbox()
    const add = (name: string) => outbox.add(command(name), sender).n
    const [a, b, c] = [add('a'), add('b'), add('c')]
    outbox.take(b)
    assert.deepEqual(sendAll(outbox), ['a', 'c'])
    assert.deepEqual([outbox.size, outbox.unanswered, outbox.get(a)!.wasRepeated], [2, 20, false])
    outbox.take(a)
    // They are in the slots of the two that were taken, before the older one.
    add('d')
    add('e')
    assert.deepEqual(sendAll(outbox), ['d', 'e'])
    outbox.sendAgain()
    assert.equal(outbox.unanswered, 0)
    assert.deepEqual(sendAll(outbox), ['c', 'd', 'e'])
    assert.ok(outbox.get(c)!.wasRepeated)
    assert.deepEqual(
      outbox.takeAll().map((waiting) => waiting.command.name),
      ['c', 'd', 'e'],
    )
    assert.deepEqual([outbox.size, outbox.unanswered, outbox.next()], [0, 0, undefined])
  })

  test('have numbers that no other had, so that a late answer to one that was taken finds nobody', () => {
    const outbox = new Outbox()
    const seen = new Set<number>()
    for (let i = 0; i < 1000; i++) {
      const { n } = outbox.add(command('x'), sender)
      assert.ok(!seen.has(n))
      for (const old of seen) assert.equal(outbox.get(old), undefined)
      seen.add(n)
      outbox.take(n)
    }
    assert.equal(outbox.take(Number.NaN), undefined)
  })
})

test('A line gives what was added in order, however many wait', () => {
  const line = new Line<number>()
  let added = 0
  let taken = 0
  for (let turn = 0; turn < 200; turn++) {
    for (let i = 0; i < 50; i++) line.add(added++)
    for (let i = 0; i < (turn < 100 ? 20 : 79); i++) {
      assert.equal(line.first, taken)
      assert.equal(line.take(), taken++)
    }
    assert.equal(line.length, added - taken)
  }
  while (line.length > 0) assert.equal(line.take(), taken++)
  assert.equal(taken, added)
  assert.equal(line.take(), undefined)
})
