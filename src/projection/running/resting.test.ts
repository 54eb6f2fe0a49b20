import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { type RestOptions, restWhilePaused } from './resting.ts'

test('A rest ends if its domain is stopped while the store is asked whether it goes on', {
  timeout: 600_000,
}, async () => {
  const environment = manualEnvironment()
  const answer = Promise.withResolvers<Date>()
  const stopping = new AbortController()
  const options = {
    environment,
    pausing: { look: () => answer.promise },
    bookmark: { flush: async () => {} },
    leader: { askAgainMs: 600_000, releaseSaved: async () => {} },
    // A stop that came before has ended the waits that there were then.
    onPaused: () => new AbortController().signal,
  } as unknown as RestOptions
  const resting = restWhilePaused(options, stopping.signal)
  stopping.abort()
  answer.resolve(new Date(0))
  await resting
  assert.equal(environment.timers, 0)
})
