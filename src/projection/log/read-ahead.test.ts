/**
 * Reading ahead: what is read while a page is handled, when nothing is, and that a page that was read ahead never
 * counts as the end of the log.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { watched } from '../../../test/support/kernel/rig.ts'
import { commit } from '../../store/commit.ts'
import { ReadAhead } from './read-ahead.ts'

const endless = Number.POSITIVE_INFINITY
const beginning = { position: 0 }

/** A log with a number of events, and a reader of it. */
async function reading(events: number) {
  const watch = watched()
  const store = await watch.store.open({ now: () => 0, warn: () => {} })
  let appended = 0
  const append = async (count: number) => {
    const stream = { aggregate: 'a', id: '1' }
    const events = [{ type: 'Happened', data: {} }]
    const next = () => commit({ stream, expected: 'any', id: `c${appended++}`, recordedAt: 0, events })
    await store.append(Array.from({ length: count }, next))
  }
  await append(events)
  const all = await store.readAll({ from: 1, to: endless })
  const at = (position: number) => ({ position, checksum: all.events[position - 1]!.checksum })
  watch.forget()
  const kinds = { filters: { types: ['Happened'], aggregates: ['a'] }, among: <Event>(all: readonly Event[]) => all }
  return { watch, append, at, pages: new ReadAhead(store, kinds) }
}

const positions = ({ events }: { readonly events: readonly { readonly position: number }[] }) =>
  events.map(({ position }) => position)

describe('Reading ahead', () => {
  test('while there is more, the next page is asked for ahead, and the next read gets it', async () => {
    const { watch, at, pages } = await reading(5)
    const first = await pages.read({ behind: beginning, to: endless, limit: 2 })
    assert.deepEqual([positions(first), first.isLast, watch.count('readAll')], [[1, 2], false, 2])
    const second = await pages.read({ behind: at(2), to: endless, limit: 2 })
    assert.deepEqual([positions(second), second.isLast, watch.count('readAll')], [[3, 4], false, 3])
  })

  test('at the end of the log nothing is read ahead', async () => {
    const { watch, pages } = await reading(1)
    const page = await pages.read({ behind: beginning, to: endless, limit: 2 })
    assert.deepEqual([positions(page), page.examined.position, page.isLast], [[1], 1, true])
    assert.equal(watch.count('readAll'), 1)
    const full = await pages.read({ behind: beginning, to: 2, limit: 1 })
    assert.deepEqual([positions(full), watch.count('readAll')], [[1], 2])
  })

  test('a page that was read ahead does not count as the last one, because events may have come since', async () => {
    const { append, at, pages } = await reading(3)
    await pages.read({ behind: beginning, to: endless, limit: 2 })
    await append(1)
    const ahead = await pages.read({ behind: at(2), to: endless, limit: 2 })
    assert.equal(ahead.isLast, false)
    const next = await pages.read({ behind: ahead.examined, to: endless, limit: 2 })
    assert.deepEqual([...positions(ahead), ...positions(next)], [3, 4])
    assert.equal(next.isLast, true)
  })

  test('a read from another place, or with another limit, does not get the page that was read ahead', async () => {
    const { at, pages } = await reading(9)
    await pages.read({ behind: beginning, to: endless, limit: 2 })
    assert.deepEqual(positions(await pages.read({ behind: at(1), to: endless, limit: 2 })), [2, 3])
    assert.deepEqual(positions(await pages.read({ behind: at(3), to: endless, limit: 3 })), [4, 5, 6])
    assert.deepEqual(positions(await pages.read({ behind: at(6), to: 8, limit: 3 })), [7])
  })

  test('the next page is read ahead with the limit that was announced for it', async () => {
    const { watch, at, pages } = await reading(9)
    await pages.read({ behind: beginning, to: endless, limit: 2 }, 4)
    const page = await pages.read({ behind: at(2), to: endless, limit: 4 })
    assert.deepEqual([positions(page), watch.count('readAll')], [[3, 4, 5, 6], 3])
  })

  test('a failure while reading ahead is thrown once, by the read that wanted the page', async () => {
    const { watch, at, pages } = await reading(4)
    let reads = 0
    watch.disturb(({ method }) => (method === 'readAll' && ++reads === 2 ? 'before' : undefined))
    await pages.read({ behind: beginning, to: endless, limit: 2 })
    await assert.rejects(pages.read({ behind: at(2), to: endless, limit: 2 }))
    assert.deepEqual(positions(await pages.read({ behind: at(2), to: endless, limit: 2 })), [3, 4])
  })
})
