/** All validators that implement Standard Schema work in the same way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import { check, describe, isSchema, type Schema } from './schema.ts'

const validators: Readonly<Record<string, { readonly order: Schema; readonly trimmed: Schema }>> = {
  zod: {
    order: z.object({ lines: z.array(z.object({ amount: z.number() })), owner: z.string() }),
    trimmed: z.object({ name: z.string().trim() }),
  },
  valibot: {
    order: v.object({ lines: v.array(v.object({ amount: v.number() })), owner: v.string() }),
    trimmed: v.object({ name: v.pipe(v.string(), v.trim()) }),
  },
  arktype: {
    order: type({ lines: type({ amount: 'number' }).array(), owner: 'string' }),
    trimmed: type({ name: 'string.trim' }),
  },
}

for (const [vendor, { order, trimmed }] of Object.entries(validators)) {
  test(`a schema of ${vendor} is recognised`, () => {
    assert.ok(isSchema(order))
  })

  test(`a schema of ${vendor} gives its output for valid data`, () => {
    const value = { lines: [{ amount: 1 }], owner: 'Ada' }
    assert.deepEqual((check(order, value) as { value: unknown }).value, value)
    assert.deepEqual((check(trimmed, { name: ' Ada ' }) as { value: unknown }).value, { name: 'Ada' })
  })

  test(`a schema of ${vendor} gives every issue with its path`, () => {
    const checked = check(order, { lines: [{ amount: 1 }, { amount: 'x' }], owner: 5 })
    assert.ok(typeof checked === 'object' && 'issues' in checked)
    assert.deepEqual(checked.issues.map(({ path }) => path).sort(), ['lines.1.amount', 'owner'])
    assert.ok(checked.issues.every(({ message }) => message.length > 0))
  })

  test(`a schema of ${vendor} refuses a value that is not a record, at the root`, () => {
    const checked = check(order, 'text')
    assert.ok(typeof checked === 'object' && 'issues' in checked)
    assert.equal(checked.issues[0]?.path, '')
  })
}

const handmade = (validate: (value: unknown) => any): Schema => ({
  '~standard': { version: 1, vendor: 'handmade', validate },
})

test('asynchronous schemas are detected, and their rejections are handled', () => {
  assert.equal(
    check(
      z.object({}).refine(async () => true),
      {},
    ),
    'async',
  )
  assert.equal(
    check(
      v.pipeAsync(
        v.string(),
        v.checkAsync(async () => true),
      ),
      'x',
    ),
    'async',
  )
  const rejecting = handmade(async () => {
    throw new Error('late')
  })
  assert.equal(check(rejecting, {}), 'async')
})

test('a schema that throws is an issue at the root', () => {
  const throwing = handmade(() => {
    throw new Error('broken')
  })
  assert.deepEqual(check(throwing, {}), { issues: [{ path: '', message: 'the schema threw: broken' }] })
})

test('a path may have keys, segments and symbols', () => {
  const issue = { message: 'Odd', path: ['a', { key: 0 }, Symbol('s')] }
  assert.deepEqual(
    check(
      handmade(() => ({ issues: [issue] })),
      {},
    ),
    {
      issues: [{ path: 'a.0.Symbol(s)', message: 'Odd' }],
    },
  )
})

test('a value that does not implement Standard Schema is not a schema', () => {
  for (const candidate of [undefined, null, 5, 'x', {}, { '~standard': null }, { '~standard': { validate: 1 } }])
    assert.ok(!isSchema(candidate))
})

test('issues are listed in one line', () => {
  const issues = [
    { path: 'a.b', message: 'Too small' },
    { path: '', message: 'Odd' },
  ]
  assert.equal(describe(issues), 'a.b: Too small; Odd')
})
