/** The judge of histories: it accepts what could have been so, and finds each kind of violation that is planted. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Answer, type Call, type Entry, judge, type Name } from './checker.ts'

const stored = (sequence: number, balance: number): Answer => ({ kind: 'stored', sequence, balance })
const other = (kind: 'nothing' | 'rejected' | 'failed', balance: number): Answer => ({ kind, balance })

/** A call from one time to another. */
function call(commandId: string, what: string, from: number, to: number | undefined, answer?: Answer): Call {
  const [name, amount = '0'] = what.split(' ')
  const answered = to === undefined || answer === undefined ? {} : { answered: { at: to, answer } }
  return { commandId, name: name as Name, amount: Number(amount), calledAt: from, ...answered }
}

const log = (...entries: readonly (readonly [string, number])[]): readonly Entry[] =>
  entries.map(([commandId, change]) => ({ commandId, change }))

const twoDeposits = log(['a', 10], ['b', 5])
const a = call('a', 'deposit 10', 0, 10, stored(1, 10))
const b = call('b', 'deposit 5', 20, 30, stored(2, 15))

describe('A history that could have been so', () => {
  const good: Readonly<Record<string, readonly [readonly Call[], readonly Entry[]]>> = {
    'without calls': [[], []],
    'of one after the other': [[a, b, call('c', 'withdraw 99', 40, 50, other('rejected', 15))], twoDeposits],
    'of two at once, in the order of the log': [
      [call('a', 'deposit 10', 0, 30, stored(1, 10)), call('b', 'deposit 5', 0, 10, stored(2, 15))],
      twoDeposits,
    ],
    'with a look before, between and behind, each during all of it': [
      [
        ...[a, b],
        call('x', 'look', 0, 50, other('nothing', 0)),
        call('y', 'look', 0, 50, other('nothing', 10)),
        call('z', 'look', 0, 50, other('nothing', 15)),
      ],
      twoDeposits,
    ],
    'with a call that nobody answered and that is in the log': [
      [call('a', 'deposit 10', 0, undefined), b],
      twoDeposits,
    ],
    'with a call that nobody answered and that is not': [[a, b, call('c', 'deposit 1', 0, undefined)], twoDeposits],
    'with a demand that is met, and one that fails': [
      [a, b, call('x', 'demand 10', 11, 19, other('nothing', 10)), call('y', 'demand 11', 11, 19, other('failed', 10))],
      twoDeposits,
    ],
  }
  for (const [what, [calls, entries]] of Object.entries(good)) {
    test(`${what} is accepted`, () => assert.deepEqual(judge(calls, entries), []))
  }
})

describe('A history that cannot have been so', () => {
  const bad: Readonly<Record<string, readonly [readonly Call[], readonly Entry[], RegExp]>> = {
    'with an acknowledged command that is not in the log': [[a, b], log(['a', 10]), /b .* is not in the log/],
    'with a command that is in the log twice': [[a, b], log(['a', 10], ['b', 5], ['a', 10]), /2 times/],
    'with a command that nobody called': [[a, b], log(['a', 10], ['b', 5], ['z', 1]), /nobody called/],
    'with a rejected command that is in the log': [
      [a, b, call('c', 'withdraw 15', 40, 50, other('rejected', 15))],
      log(['a', 10], ['b', 5], ['c', -15]),
      /c .* is in the log at sequence 3/,
    ],
    'with a command that was accepted on a balance that was too low': [
      [a, call('c', 'withdraw 11', 20, 30, stored(2, -1))],
      log(['a', 10], ['c', -11]),
      /was accepted at a balance of 10/,
    ],
    'with an answer that tells another balance': [
      [call('a', 'deposit 10', 0, 10, stored(1, 11))],
      log(['a', 10]),
      /balance of 10/,
    ],
    'with an answer that tells another sequence': [
      [call('a', 'deposit 10', 0, 10, stored(2, 10))],
      log(['a', 10]),
      /sequence 1/,
    ],
    'with commands in an order that real time forbids': [
      [call('a', 'deposit 10', 20, 30, stored(1, 10)), call('b', 'deposit 5', 0, 10, stored(2, 15))],
      twoDeposits,
      /was called after one behind it was answered/,
    ],
    'with a stale rejection': [
      [a, b, call('c', 'withdraw 12', 40, 50, other('rejected', 10))],
      twoDeposits,
      /fits nowhere/,
    ],
    'with a stale "nothing to do"': [
      [a, b, call('c', 'look', 40, 50, other('nothing', 10))],
      twoDeposits,
      /fits nowhere/,
    ],
    'with a stale error': [[a, b, call('c', 'demand 15', 40, 50, other('failed', 10))], twoDeposits, /fits nowhere/],
    'with an answer from the future': [
      [a, b, call('c', 'look', 11, 15, other('nothing', 15))],
      twoDeposits,
      /c .* fits nowhere from sequence 1 to 1/,
    ],
    'with two looks that go back in time': [
      [a, b, call('x', 'look', 12, 22, other('nothing', 15)), call('y', 'look', 23, 29, other('nothing', 10))],
      twoDeposits,
      /y .* fits nowhere/,
    ],
    'with a rejection that had no reason': [
      [a, b, call('c', 'withdraw 3', 40, 50, other('rejected', 15))],
      twoDeposits,
      /fits nowhere/,
    ],
    'with an error that had no reason': [
      [a, b, call('c', 'demand 15', 40, 50, other('failed', 15))],
      twoDeposits,
      /fits nowhere/,
    ],
  }
  for (const [what, [calls, entries, reason]] of Object.entries(bad)) {
    test(`${what} is found`, () => {
      const wrong = judge(calls, entries)
      assert.ok(wrong.length > 0)
      assert.match(wrong.join('\n'), reason)
    })
  }

  test('is found among 50,000 calls, and those that are right take no time worth mentioning', () => {
    const calls: Call[] = []
    const entries: Entry[] = []
    for (let i = 0; i < 25_000; i++) {
      entries.push({ commandId: `d${i}`, change: 1 })
      calls.push(call(`d${i}`, 'deposit 1', i * 10, i * 10 + 4, stored(i + 1, i + 1)))
      calls.push(call(`l${i}`, 'look', i * 10 + 5, i * 10 + 9, other('nothing', i + 1)))
    }
    assert.deepEqual(judge(calls, entries), [])
    calls.push(call('stale', 'look', 200_005, 200_009, other('nothing', 19_999)))
    assert.match(judge(calls, entries).join(), /^stale .* fits nowhere/)
  })
})
