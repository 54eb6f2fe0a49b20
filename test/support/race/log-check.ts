/** Takes in a log event by event, from its first, and fails at the first sign that a race was lost. */
import assert from 'node:assert/strict'
import type { StoredEvent } from '../../../src/index.ts'
import type { RaceData } from './race.ts'

interface Stream {
  sequence: number
  lastCommit: string
}

export class LogCheck {
  readonly #streams = new Map<string, Stream>()
  readonly #commits = new Set<string>()
  #position = 0
  #before: StoredEvent | undefined

  /** How many events there are in each stream, by its id. */
  get counts(): Record<string, number> {
    return Object.fromEntries([...this.#streams].map(([id, { sequence }]) => [id, sequence]))
  }

  see(event: StoredEvent): void {
    const { position, sequence, commitId } = event
    const { index, of, expected, behind } = dataOf(event)
    assert.equal(position, this.#position + 1, 'no position is left out')
    const stream = this.#streams.get(event.stream.id) ?? { sequence: 0, lastCommit: '' }
    const where = `${commitId} in ${event.stream.id} at position ${position}`
    assert.equal(sequence, stream.sequence + 1, `no sequence is left out: ${where}`)
    if (index > 0) {
      assert.equal(this.#before?.commitId, commitId, `the events of a commit are adjacent: ${where}`)
      assert.equal(dataOf(this.#before!).index, index - 1, `the events of a commit are in order: ${where}`)
    } else {
      assert.ok(this.#before === undefined || isLast(this.#before), `the commit before is whole: ${where}`)
      assert.ok(!this.#commits.has(commitId), `a commit is stored once: ${where}`)
      this.#commits.add(commitId)
      if (behind !== '')
        assert.equal(stream.lastCommit, behind, `a commit stands on the one it was decided on: ${where}`)
    }
    if (expected !== -1) assert.equal(expected, sequence - 1 - index, `an exact expectation was met: ${where}`)
    assert.ok(index < of)
    this.#streams.set(event.stream.id, { sequence, lastCommit: commitId })
    this.#position = position
    this.#before = event
  }

  /** The whole log was seen. */
  end(): void {
    assert.ok(this.#before === undefined || isLast(this.#before), 'the last commit is whole')
  }
}

const dataOf = ({ data }: StoredEvent): RaceData => data as unknown as RaceData

/** Whether an event is the last of its commit. */
export function isLast(event: StoredEvent): boolean {
  const { index, of } = dataOf(event)
  return index === of - 1
}
