/** The page says what was measured, and does not hide what was missed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Figure, median, spreadOf } from './figure.ts'
import { report, rounded } from './report.ts'
import { targetsOf } from './target.ts'

const figure: Figure = {
  id: 'W6c',
  what: 'deposits',
  store: 'file',
  unit: 'commands/s',
  value: 90_000,
  floor: { value: 120_000, what: 'the same bytes', ratio: 0.75 },
  eventsPerSync: { p50: 900, p99: 1000, p999: 1000 },
  memoryPeakBytes: 100_000_000,
}

describe('a report', () => {
  test('lists a missed target and shows the floor that was met', () => {
    const page = report({ figures: [figure], failures: [], minutes: 1 })
    assert.match(
      page,
      /## Targets that were missed\n\n- W6c on file: at least 100,000, is 90,000 commands\/s\. The processor, not the disk/,
    )
    assert.match(
      page,
      /\| W6c \| deposits \| 90,000 commands\/s \| 120,000 commands\/s \| 0\.75 \|.*\| \*\*no\*\*; yes \|/,
    )
  })

  test('names what failed, in one line', () => {
    assert.match(
      report({ figures: [], failures: ['W1 on file: no disk\n    at here'], minutes: 1 }),
      /## What failed\n\n- W1 on file: no disk\n$/,
    )
  })

  test('names the servers, and the stores for which there was none', () => {
    const page = report({
      figures: [],
      failures: [],
      servers: ['PostgreSQL 18.4'],
      leftOut: ['mongodb: MNEME_MONGODB_URL names no server'],
      minutes: 1,
    })
    assert.match(page, /Node [\d.]+, PostgreSQL 18\.4, /)
    assert.match(page, /## What was left out\n\n- mongodb: MNEME_MONGODB_URL names no server\.\n/)
  })

  test('says nothing of targets where all are met', () => {
    assert.doesNotMatch(report({ figures: [{ ...figure, value: 110_000 }], failures: [], minutes: 1 }), /missed/)
  })
})

test('a target that needs a floor is missed without one', () => {
  const { floor: _, ...bare } = figure
  assert.deepEqual(
    targetsOf(bare).map((target) => target.isMet({ ...bare, value: 200_000 })),
    [true, false],
  )
})

test('the middle and the edges of values are taken from their order, not from the order they came in', () => {
  assert.equal(median([5, 1, 3]), 3)
  const shuffled = Array.from({ length: 1000 }, (_, i) => (i * 7) % 1000)
  assert.deepEqual(spreadOf(shuffled), { p50: 500, p99: 990, p999: 999 })
  assert.equal(spreadOf([]), undefined)
})

test('numbers keep three digits that mean something', () => {
  assert.deepEqual([123_456, 999.9, 12.345, 0.001234].map(rounded), ['123,000', '1,000', '12.3', '0.00123'])
})
