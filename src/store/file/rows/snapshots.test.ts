/** The journal of snapshots, written again, keeps the same snapshots. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Snapshot } from '../../store.ts'
import { Snapshots } from './snapshots.ts'

const stream = { aggregate: 'account', id: 'ada' }
const loop = { elapsed: () => 0, defer: (callback: () => void) => callback() }

const snapshot = (sequence: number): Snapshot => ({
  ...{ stream, sequence, stateRevision: 1, checksum: 0, fingerprint: '', state: sequence, takenAt: 0 },
})

test('a snapshot that had to be alone when it was saved does not drop an older one that came later', () => {
  const snapshots = new Snapshots(loop)
  for (const [sequence, keep] of [
    [9, 1],
    [3, 2],
  ] as const) {
    snapshots.save(snapshot(sequence), keep, true).apply()
  }
  const again = new Snapshots(loop)
  for (const line of snapshots.changes()) again.replay(JSON.parse(line))
  assert.deepEqual(again.load(stream, 8), snapshot(3))
  assert.deepEqual(again.load(stream, 10), snapshot(9))
  assert.deepEqual([...again.changes()], [...snapshots.changes()])
})
