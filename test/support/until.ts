/** Waiting for what must come. */
import assert from 'node:assert/strict'
import { beforeAskingAgain } from '../../src/testing/ask-again.ts'

const patienceMs = 120_000

/** Waits until a condition is true. Fails if that does not happen, with what it is, or else with its code. */
export async function until(isSo: () => boolean | Promise<boolean>, what = `${isSo}`): Promise<void> {
  const end = performance.now() + patienceMs
  for (let times = 0; !(await isSo()); times++) {
    assert.ok(performance.now() < end, `this did not happen in ${patienceMs} ms: ${what}`)
    await beforeAskingAgain(times)
  }
}
