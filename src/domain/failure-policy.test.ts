/** Failure policies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changedPolicy, policyDefault } from './failure-policy.ts'

test('options that are not given stay as they were', () => {
  assert.deepEqual(changedPolicy(policyDefault, {}), policyDefault)
  const changed = changedPolicy(policyDefault, { giveUp: 'park', pauseFirstMs: 0 })
  assert.deepEqual(changed, { retries: 10, pauseFirstMs: 0, pauseMaxMs: 10_000, giveUp: 'park' })
  assert.deepEqual(changedPolicy(changed, { retries: 0 }), { ...changed, retries: 0 })
  assert.ok(Object.isFrozen(changed))
})

test('an invalid number, time or way to give up is refused, with the name of the option', () => {
  for (const option of ['retries', 'pauseFirstMs', 'pauseMaxMs'] as const) {
    for (const found of [
      -1,
      0.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      '3' as never,
      undefined as never,
      null as never,
    ]) {
      assert.throws(
        () => changedPolicy(policyDefault, { [option]: found }),
        (error) => {
          const { code, facts } = error as { readonly code: string; readonly facts: { readonly option: string } }
          return code === 'OPTION_INVALID' && facts.option === option
        },
      )
    }
  }
  for (const giveUp of ['', 'Stop', 'cry', 1, null] as never[]) {
    assert.throws(() => changedPolicy(policyDefault, { giveUp }), { code: 'OPTION_INVALID' })
  }
})
