/** A part of the fuzzing that `npm run fuzz` does: seeds that are always the same, and others that are always new. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiTarget } from '../support/fuzz/api-target.ts'
import { encodingTarget } from '../support/fuzz/encoding-target.ts'
import { type FuzzTarget, fuzz, seedsOf } from '../support/fuzz/fuzz-target.ts'
import { questionsTarget } from '../support/fuzz/questions-target.ts'
import { storedTarget } from '../support/fuzz/stored-target.ts'
import { sized } from '../support/size.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

async function fuzzed(target: FuzzTarget, count: number): Promise<void> {
  const seeds = seedsOf(count)
  const { refused, answered } = await fuzz(target, seeds)
  assert.ok(Math.min(refused, answered) > seeds.length / 50, `${refused} refused, ${answered} answered`)
}

test('JSON of states and rows is refused if it was changed, or is what was encoded', () =>
  fuzzed(encodingTarget, sized(250, 100)))

test('an altered cursor is refused, or is a place in the order', async () => {
  await using target = apiTarget('cursors')
  await fuzzed(target, sized(80, 60))
})

test('odd options to a domain are refused with a code or answered', async () => {
  await using target = apiTarget('calls')
  await fuzzed(target, sized(80, 60))
})

await onEveryStore('Fuzzing', ({ name, place }) => {
  test('odd ids, ranges and cursors have the same answers and codes as in memory', async (context) => {
    await using target = questionsTarget(name, () => place(context))
    await fuzzed(target, sized(40, 30))
  })

  test('what something else has stored is refused with a code, or read as it is', (context) =>
    fuzzed(
      storedTarget(name, () => place(context)),
      sized(10, 6),
    ))
})
