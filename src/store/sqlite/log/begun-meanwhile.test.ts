/** Reads while the thread that writes commits at any moment between two statements of a read. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sized } from '../../../../test/support/size.ts'
import { commit } from '../../commit.ts'
import { everything } from '../../range.ts'
import { sqlite } from '../sqlite.ts'

const streams = sized(400, 150)

test('A stream or a commit that begins while it is looked for is there or not there, and never damaged', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-begun-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const store = await sqlite(join(folder, 'log.db'), { keepIndexesTwice: true }).open({ warn: () => {}, now: () => 0 })
  t.after(() => store.close())
  const events = [{ type: 'Noted', data: {} }]
  let misses = 0
  for (let i = 0; i < streams; i++) {
    const stream = { aggregate: 'a', id: `s${i}` }
    // Streams begin in the odd rounds. In the even ones, a commit follows to a stream that is there.
    const [wanted, id] = i % 2 === 0 ? [stream, `c${i}`] : [{ aggregate: 'a', id: `s${i - 1}` }, `c${i}`]
    let isStored = false
    const appended = store
      .append([commit({ stream: wanted, expected: 'any', id, recordedAt: 0, events })])
      .finally(() => {
        isStored = true
      })
    while (!isStored) {
      const [read, found] = [store.readStream(wanted, everything), store.findCommit(wanted, id)]
      if ((await found) === undefined) misses++
      const { length } = await read
      assert.ok(length === i % 2 || length === (i % 2) + 1, `${length} events in round ${i}`)
    }
    await appended
    assert.equal((await store.readStream(wanted, everything)).length, (i % 2) + 1)
    assert.ok((await store.findCommit(wanted, id)) !== undefined)
  }
  assert.ok(misses > 0)
})
