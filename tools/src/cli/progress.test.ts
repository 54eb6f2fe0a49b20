/** Progress on a terminal, and its absence elsewhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressText, showProgress } from './progress.ts'

test('progress says how far, how fast and how long it will take', () => {
  const facts = { verb: 'reading', unit: 'events', total: 4_000_000 }
  const at = (done: number, tookMs: number) => progressText({ ...facts, done, tookMs })
  assert.equal(at(1_000_000, 10_000), 'reading 1,000,000 of 4,000,000 events (25%), 100,000 a second, 30 s left')
  assert.equal(at(1000, 10_000), 'reading 1,000 of 4,000,000 events (0%), 100 a second, 11 h 7 min left')
  assert.equal(at(0, 0), 'reading 0 of 4,000,000 events (0%), 0 a second')
  assert.match(at(5_000_000, 1000), /\(100%\), 5,000,000 a second, 0 s left$/)
})

test('progress is written a few times a second on a terminal, and taken away in the end', () => {
  const written: string[] = []
  let now = 0
  const stream = (isTTY: boolean) => ({ isTTY, write: (text: unknown) => written.push(String(text)) > 0 })
  const show = (isTTY: boolean) =>
    showProgress({ verb: 'reading', unit: 'events', total: 100, stream: stream(isTTY), now: () => now })
  const progress = show(true)
  for (now = 0; now < 1000; now += 10) progress.at(now / 10)
  progress.end()
  assert.equal(written.length, 5)
  assert.match(written[0]!, /reading 20 of 100 events \(20%\)/)
  assert.doesNotMatch(written.at(-1)!, /\w+ing/)
  const silent = show(false)
  now += 1000
  silent.at(5)
  silent.end()
  assert.equal(written.length, 5)
})
