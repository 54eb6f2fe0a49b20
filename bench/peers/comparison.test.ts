/** The page of the comparison says who was how many times as fast, and takes a failure for a missed target. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { comparison, type Run, report } from './comparison.ts'
import type { Answer, System } from './measure.ts'

const rates: Readonly<Record<System, number>> = { mneme: 20_000, castore: 2000, emmett: 1000 }

function pageOf(
  store: Run['stores'][number],
  change: (system: System, workload: string) => Answer | undefined,
): string {
  const answers: Run['answers'] = (system, workload) =>
    comparison[store].find((compared) => compared.workload === workload)?.systems.includes(system)
      ? (change(system, workload) ?? { value: rates[system], failed: 0 })
      : undefined
  return report({ stores: [store], answers, packages: ['peer 1.0.0'], servers: ['PostgreSQL 18.4'], leftOut: [] })
}

describe('the page of a comparison', () => {
  test('says how many times as fast as each peer we are, and which targets are met', () => {
    const page = pageOf('postgres', () => undefined)
    assert.match(page, /\| W6a \| postgres \| 1,000 \| 2,000 \| 20,000 \| 20x \| 10x \|/)
    assert.match(page, /\| W6c \| postgres \| {2}\| {2}\| 20,000 \| {2}\| {2}\|/)
    assert.match(page, /\| postgres \| our W6a at least 6x Castore's W6a \| 10x \| yes \|/)
    assert.match(page, /\| postgres \| our W6c at least 30x Emmett's W6b \| 20x \| \*\*no\*\* \|/)
    assert.match(page, /^- On postgres, our W7 at least 100x Emmett's W7: That would be more/m)
    assert.doesNotMatch(page, /^- On postgres, our W6c/m)
    assert.doesNotMatch(page, /\| sqlite \|/)
  })

  test('shows a failure, and a target that needs it as missed', () => {
    const page = pageOf('sqlite', (system, workload) =>
      system === 'emmett' && workload === 'W6a' ? { failure: 'SQLITE_BUSY\n    at here' } : undefined,
    )
    assert.match(page, /\| W6a \| sqlite \| failed: SQLITE_BUSY \| {2}\| 20,000 \| {2}\| {2}\|/)
    assert.match(page, /\| sqlite \| our W6c at least 40x Emmett's W6a \| {2}\| \*\*no\*\* \|/)
  })

  test('leaves out what was not asked for', () => {
    const answers: Run['answers'] = (_, workload) => (workload === 'W7' ? { value: 1000, failed: 0 } : undefined)
    const page = report({ stores: ['sqlite'], answers, packages: [], servers: [], leftOut: [] })
    assert.deepEqual(page.match(/^\| (W\w+) /gm), ['| W7 '])
    assert.deepEqual(page.match(/\| our W\w+ at least/g), ['| our W7 at least'])
  })

  test('tells how many commands had to be sent again', () => {
    const page = pageOf('memory', (system, workload) =>
      system === 'emmett' && workload === 'W6b' ? { value: 500, failed: 3 } : undefined,
    )
    assert.match(page, /\| W6b \| memory \| 500 \(3 failed and were sent again\) \| {2}\| 20,000 \| 40x \| {2}\|/)
  })
})
