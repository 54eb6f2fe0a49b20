/** The data of a command distinguishes it from another command with its id, however the command is sent. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as v from 'valibot'
import { z } from 'zod'
import { logOf, recorder } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, type Schema } from '../index.ts'
import { digestOf } from './digest.ts'

const Done = event('Done', z.object({}))
const start = (schema: Schema, store = memory()) => {
  const Task = aggregate('task', () => 0)
    .on(Done, (n) => n + 1)
    .command('do', schema, () => Done())
  return domain({ aggregates: { task: Task } }).start({ store, log: recorder() })
}
const commandId = 'c'
const nothing = Symbol('nothing')

/** Sends some data in every possible way. */
function sendings(running: Awaited<ReturnType<typeof start>>, data: unknown): (() => Promise<unknown>)[] {
  const given = data === nothing ? undefined : data
  const command = { aggregate: 'task', id: 'a', name: 'do', commandId, ...(data !== nothing && { data }) } as never
  const task = running.task('a')
  return [
    () => task.do(given, { commandId }),
    () => task.try.do(given, { commandId }),
    () => running.dispatch(command),
    () => running.try.dispatch(command),
  ]
}

describe('The same command', () => {
  const same: Record<string, [schema: Schema, ...datas: unknown[]]> = {
    'left out or empty, with zod': [z.object({}), nothing, undefined, {}],
    'left out or empty, with a default of zod': [z.object({ why: z.string().optional() }).default({}), nothing, {}],
    'left out or empty, with valibot': [v.object({}), nothing, {}],
    'left out or empty, with defaults within it': [z.object({ n: z.number().default(5) }).prefault({}), nothing, {}],
    'undefined or absent': [
      z.object({ a: z.any(), b: z.any().optional() }),
      { a: 1, b: undefined },
      { a: 1 },
      { b: undefined, a: 1 },
    ],
    '0 or -0': [z.object({ n: z.number() }), { n: 0 }, { n: -0 }],
    'dates or their texts': [z.any(), { at: new Date(5) }, { at: '1970-01-01T00:00:00.005Z' }],
    'in another order': [z.any(), { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }],
    'without a prototype': [z.any(), { a: 1 }, Object.assign(Object.create(null), { a: 1 })],
  }
  for (const [what, [schema, ...datas]] of Object.entries(same)) {
    test(`is recognised by its id, with its data ${what}`, async () => {
      const store = memory()
      await using running = await start(schema, store)
      for (const data of datas) for (const send of sendings(running, data)) await send()
      assert.equal((await logOf(store)).length, 1)
    })
  }

  test('is recognised by a program with another optional field, or with a default for the whole data', async () => {
    const store = memory()
    const schemas = [
      z.object({ n: z.number().optional() }),
      z.object({ n: z.number().optional(), why: z.string().default('none') }),
      z.object({ n: z.number().default(7) }).prefault({}),
    ]
    for (const schema of schemas) {
      await using running = await start(schema as never, store)
      for (const data of [nothing, {}]) for (const send of sendings(running, data)) await send()
      await running.task('b').do({ n: 1 }, { commandId })
    }
    assert.equal((await logOf(store)).length, 2)
  })
})

test('Another command with the id is refused if data that is left out differs from empty data', async () => {
  const schema = z.object({ n: z.number().default(5) }).default({ n: 9 })
  await using running = await start(schema)
  await running.task('a').do(undefined, { commandId })
  for (const data of [{}, { n: 5 }, { n: 9 }]) {
    for (const send of sendings(running, data)) await assert.rejects(send, { code: 'COMMAND_ID_REUSED' })
  }
})

test('Data that differs only in private fields is distinguished if its text shows them', () => {
  const bytes = (...all: number[]) => new Uint8Array(all).buffer
  const views = [new DataView(bytes(1, 2), 0, 1), new DataView(bytes(1, 2), 1), new Uint8Array([1, 2])]
  const different = [
    bytes(1, 2),
    bytes(1, 3),
    bytes(),
    ...views,
    /a/,
    /b/,
    Object(5),
    Object(6),
    Object('a'),
    5n,
    6n,
    [null],
    [1],
    {},
    null,
    '',
    0,
    false,
  ]
  assert.equal(new Set(different.map(digestOf)).size, different.length)
})
