/** The index finds the same as a plain list. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { CommitIndex } from './commit-index.ts'

/** A commit in a plain list. */
interface Plain {
  readonly stream: number
  readonly sequence: number
  readonly position: number
  readonly events: number
  readonly commitId: string
}

const drawn = fc.array(fc.record({ stream: fc.nat(4), events: fc.integer({ min: 1, max: 4 }) }), {
  minLength: 1,
  maxLength: 300,
  size: 'max',
})

function fill(commits: readonly { readonly stream: number; readonly events: number }[]): [CommitIndex, Plain[]] {
  const index = new CommitIndex(7)
  const plain: Plain[] = []
  const sequences = new Map<number, number>()
  let position = 1
  for (const [i, { stream: drawnStream, events }] of commits.entries()) {
    const stream = index.streams.findOrAdd({ aggregate: `a${drawnStream % 2}`, id: `id ${drawnStream}` })
    const sequence = (sequences.get(stream) ?? 0) + 1
    sequences.set(stream, sequence + events - 1)
    plain.push({ stream, sequence, position, events, commitId: `c${i}` })
    position += events
    index.add({ stream, length: 10 + (i % 7), events, commitId: `c${i}`, checksum: i })
  }
  return [index, plain]
}

describe('The index of commits', () => {
  test('finds the commit of every sequence of every stream, and of every position', () => {
    fc.assert(
      fc.property(drawn, (commits) => {
        const [index, plain] = fill(commits)
        for (const [commit, { stream, sequence, position, events }] of plain.entries()) {
          for (let i = 0; i < events; i++) {
            assert.equal(index.commitOf(stream, sequence + i), commit)
            assert.equal(index.commitAt(position + i), commit)
          }
          assert.equal(index.events(commit), events)
        }
        assert.equal(
          index.head,
          plain.reduce((sum, { events }) => sum + events, 0),
        )
      }),
    )
  })

  test('knows commit ids by stream', () => {
    fc.assert(
      fc.property(drawn, (commits) => {
        const [index, plain] = fill(commits)
        for (const [commit, { stream, commitId }] of plain.entries()) {
          assert.ok(index.candidates(stream, commitId).includes(commit))
          assert.deepEqual(index.candidates(stream + 1, commitId), [])
        }
      }),
    )
  })

  test('finds an early commit of a long stream in few steps, beyond the first block of its columns', () => {
    const index = new CommitIndex(7)
    const stream = index.streams.findOrAdd({ aggregate: 'a', id: 'long' })
    for (let i = 0; i < 200_000; i++) index.add({ stream, length: 10, events: 1, commitId: `c${i}`, checksum: i })
    for (let sequence = 1; sequence <= 200_000; sequence += 997) {
      assert.equal(index.commitOf(stream, sequence), sequence - 1)
    }
  })
})
