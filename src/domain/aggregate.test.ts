/** The definition of an aggregate: immutable, callable as plain functions, and strict. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate } from './aggregate.ts'
import { event } from './event.ts'
import { reject } from './rejection.ts'

const Raised = event('Raised', z.object({ by: z.int() }))
const Noted = event('Noted', z.object({}))
const input = z.object({ by: z.int() })
const moment = { now: new Date(0), newId: () => 'id', commandId: 'c-1', metadata: {}, tags: [] }

const Counter = aggregate('counter', () => ({ count: 0 }))
  .on(Raised, (state, { by }) => ({ count: state.count + by }))
  .on(Noted)
  .command('raise', input, (state, { by }) =>
    state.count + by > 10 ? reject('TooHigh', { count: state.count }) : Raised({ by }),
  )

const stored = (type: 'Raised', by: number) => ({ type, data: { by } }) as never

test('its parts are plain functions', () => {
  assert.deepEqual(Counter.initial(), { count: 0 })
  assert.deepEqual(Counter.evolve({ count: 1 }, stored('Raised', 2)), { count: 3 })
  assert.deepEqual(Counter.decide({ count: 1 }, 'raise', { by: 2 }, moment), Raised({ by: 2 }))
  assert.deepEqual(Counter.decide({ count: 9 }, 'raise', { by: 2 }, moment), reject('TooHigh', { count: 9 }))
})

test('each method returns a new definition and does not change the previous one', () => {
  const before = aggregate('x', () => 0)
  const after = before.on(Noted).command('note', z.object({}), () => Noted())
  assert.equal(before.folds.size, 0)
  assert.equal(before.decisions.size, 0)
  assert.equal(after.folds.size, 1)
  assert.equal(after.decisions.size, 1)
  assert.throws(() => Object.assign(after, { name: 'y' }), TypeError)
})

test('an event without an evolve does not change the state', () => {
  const state = { count: 1 }
  assert.equal(Counter.evolve(state, Noted() as never), state)
})

test('an event of another aggregate does not change the state', () => {
  const state = { count: 1 }
  assert.equal(Counter.evolve(state, { type: 'Unheard', data: {} } as never), state)
})

test('an unknown command cannot be decided', () => {
  assert.throws(() => Counter.decide({ count: 0 }, 'lower', {}, moment), {
    code: 'DEFINITION_INVALID',
    message: /no command lower/,
  })
})

test('a state may be a value that is not a record', () => {
  const Sum = aggregate('sum', () => 0).on(Raised, (sum, { by }) => sum + by)
  assert.equal(Sum.evolve(1, stored('Raised', 2)), 3)
})

for (const name of ['', 'x'.repeat(1025), 'a\0', '\udfff', undefined as unknown as string]) {
  test(`${String(JSON.stringify(name)).slice(0, 12)} cannot be the name of an aggregate`, () => {
    assert.throws(() => aggregate(name, () => 0), { code: 'ID_INVALID' })
  })
}

test('an initial state that is not a function is refused', () => {
  assert.throws(() => aggregate('x', { count: 0 } as never), { code: 'DEFINITION_INVALID', message: /initial state/ })
})

test('two .on for one event are refused, also for two kinds with the same type', () => {
  const twin = event('Raised', z.object({}))
  assert.throws(() => Counter.on(Raised as never), { code: 'DEFINITION_INVALID', message: /two \.on .*Raised/ })
  assert.throws(() => Counter.on(twin as never), { code: 'DEFINITION_INVALID' })
})

test('two commands with the same name are refused', () => {
  assert.throws(() => Counter.command('raise', input, () => undefined), {
    code: 'DEFINITION_INVALID',
    message: /two commands named raise/,
  })
})

test('a command with no schema is refused', () => {
  assert.throws(() => Counter.command('other', {} as never, () => undefined), {
    code: 'DEFINITION_INVALID',
    message: /schema of other/,
  })
})

test('a command with no decide function is refused', () => {
  assert.throws(() => Counter.command('other', input, undefined as never), {
    code: 'DEFINITION_INVALID',
    message: /other has no decide/,
  })
})

test('a command with an invalid name is refused', () => {
  assert.throws(() => Counter.command('', input, () => undefined), { code: 'ID_INVALID' })
})

const reserved = [
  'try',
  'state',
  'read',
  'history',
  'events',
  'id',
  'stream',
  'then',
  'toJSON',
  'prototype',
  'dispatch',
  'snapshot',
]
for (const word of [
  ...reserved,
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__proto__',
  '__defineGetter__',
]) {
  test(`no command can be named ${word}`, () => {
    assert.throws(() => Counter.command(word, input, () => undefined), {
      name: 'DefinitionError',
      code: 'NAME_RESERVED',
      facts: { where: 'A command of counter', name: word },
    })
  })
}

for (const option of ['snapshotEvery', 'stateRevision', 'passivateAfterMs']) {
  test(`the option ${option} accepts only whole numbers above 0`, () => {
    assert.ok(aggregate('x', () => 0, { [option]: 1 }))
    for (const found of [0, -1, 0.5, Number.NaN, '5', null]) {
      assert.throws(() => aggregate('x', () => 0, { [option]: found }), {
        code: 'OPTION_INVALID',
        message: new RegExp(`option ${option}`),
      })
    }
  })
}

test('an aggregate may stay in memory for ever, but no other option may be infinite', () => {
  assert.ok(aggregate('x', () => 0, { passivateAfterMs: Number.POSITIVE_INFINITY }))
  assert.throws(() => aggregate('x', () => 0, { snapshotEvery: Number.POSITIVE_INFINITY }), { code: 'OPTION_INVALID' })
})

test('options are stored, and cannot be changed from outside', () => {
  const options = { snapshotEvery: 3 }
  const definition = aggregate('x', () => 0, options).on(Noted)
  options.snapshotEvery = 4
  assert.equal(definition.options.snapshotEvery, 3)
})
