/** The judge of histories: it accepts what could have been so, and finds each kind of violation that is planted. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Random } from '../../../src/testing/random.ts'
import { withSeed } from '../seed.ts'
import { sized } from '../size.ts'
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
})

/**
 * A history that is right: each call takes effect at its own moment, and some hundred others are under way then. Some
 * have no answer.
 */
function history(size: number, random: Random): { readonly calls: Call[]; readonly entries: Entry[] } {
  const calls: Call[] = []
  const entries: Entry[] = []
  let balance = 0
  const store = (commandId: string, change: number): Answer => {
    balance += change
    entries.push({ commandId, change })
    return stored(entries.length, balance)
  }
  for (let i = 0; i < size; i++) {
    const commandId = `c${i}`
    const name = names[random.int(0, names.length - 1)]!
    const amount = name === 'demand' ? balance + random.int(0, 1) : random.int(1, 1000)
    const answer =
      name === 'look'
        ? other('nothing', balance)
        : name === 'demand'
          ? other(amount === balance ? 'nothing' : 'failed', balance)
          : name === 'withdraw' && amount > balance
            ? other('rejected', balance)
            : store(commandId, name === 'deposit' ? amount : -amount)
    const moment = (i + 1) * apart
    const answered = { at: moment + random.int(1, longMax), answer }
    const isAnswered = !random.chance(0.01)
    calls.push({ commandId, name, amount, calledAt: moment - random.int(1, longMax), ...(isAnswered && { answered }) })
  }
  return { calls, entries }
}

const names: readonly Name[] = ['deposit', 'withdraw', 'look', 'demand']
/** Nanoseconds between the moments of two calls, and how long a call may take before and after its moment. */
const [apart, longMax] = [10, 1000]
const size = sized(1_000_000, 20_000)

test(`Among ${size} calls that overlap nothing wrong is found, in CPU time below 60 s, but each violation that is planted`, async (t) => {
  await withSeed(async (random) => {
    const { calls, entries } = history(size, random)
    const cpu = process.cpuUsage()
    assert.deepEqual(judge(calls, entries), [])
    const { user, system } = process.cpuUsage(cpu)
    t.diagnostic(`${size} operations were judged in ${((user + system) / 1e6).toFixed(1)} s of CPU time`)
    assert.ok(user + system < 60e6)

    // A look long after the balance was so; an answer that is in no log; two that real time has in another order.
    const balances = balancesOf(entries)
    const nearby = new Set(balances.slice(entries.length / 2 - longMax, entries.length / 2 + longMax))
    const old = balances.findLast((balance, i) => i < entries.length / 2 - longMax && !nearby.has(balance))!
    const isStored = ({ answered }: Call) => answered?.answer.kind === 'stored'
    const middle = calls.findIndex((each) => isStored(each) && sequenceOf(each) >= entries.length / 2)
    const { calledAt } = calls[middle]!
    calls.push(call('stale', 'look', calledAt, calledAt + 1, other('nothing', old)))
    calls.push(call('lost', 'deposit 1', calledAt, calledAt + 1, stored(entries.length + 1, 1)))
    const early = middle - size / 10
    const first = calls.findIndex((each, i) => i >= early && isStored(each))
    // Far enough for the one to be answered before the other is called.
    const second = calls.findIndex((each, i) => i >= first + (3 * longMax) / apart && isStored(each))
    const [one, another] = [calls[first]!, calls[second]!]
    calls[first] = at(one, another)
    calls[second] = at(another, one)
    const wrong = judge(calls, entries)
    for (const expected of [/^stale .* fits nowhere/, /^lost .* is not in the log/, misordered(one)]) {
      assert.ok(
        wrong.some((each) => expected.test(each)),
        `${expected}`,
      )
    }
  })
})

const sequenceOf = ({ answered }: Call): number => (answered?.answer.kind === 'stored' ? answered.answer.sequence : 0)
const misordered = ({ commandId }: Call) => new RegExp(`^${commandId} .* was called after one behind it was answered`)
/** A call with the times of another one. */
const at = (one: Call, { calledAt, answered }: Call): Call => ({
  ...one,
  calledAt,
  ...(one.answered && { answered: { at: answered!.at, answer: one.answered.answer } }),
})

function balancesOf(entries: readonly Entry[]): readonly number[] {
  const balances = [0]
  for (const { change } of entries) balances.push(balances.at(-1)! + change)
  return balances
}
