/** A page of the log ends when much has been read, whatever its limit is, and reading on after it misses nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectBoundedPages, expectFoundFarBehind } from '../../../testing/conformance/row-listing.ts'
import type { ReadAllOptions, Store } from '../../store.ts'
import { commitIds, commitTo, testPlace } from '../test-place.fixture.ts'

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const megabytes = 6

async function pagesOf(store: Store, options: ReadAllOptions): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = []
  let [from, to] = [1, Number.POSITIVE_INFINITY]
  for (;;) {
    const page = await store.readAll({ from, to }, { limit: 1000, ...options })
    pages.push(commitIds(page.events))
    const place = await store.readAll({ from: page.examined, to: page.examined + 1 })
    assert.equal(page.checksum, place.events[0]?.checksum)
    if (page.isLast) return pages
    if (options.direction === 'backward') to = page.examined
    else from = page.examined + 1
  }
}

test('a large page is cut, forward and backward, filtered or not', async () => {
  await using place = await testPlace()
  const store = await place.open({ mayLoseOnPowerFailure: true })
  for (const id of ids) {
    const events = [{ type: id < 'g' ? 'Early' : 'Late', data: 'x'.repeat(megabytes * 1_000_000) }]
    await store.append([commitTo('x', id, { events })])
  }
  assert.deepEqual(await pagesOf(store, {}), [ids.slice(0, 6), ids.slice(6)])
  assert.deepEqual(await pagesOf(store, { direction: 'backward' }), [ids.slice(2).reverse(), ids.slice(0, 2).reverse()])
  assert.deepEqual(await pagesOf(store, { types: ['Late'] }), [[], ['g', 'h']])
  assert.deepEqual(await pagesOf(store, { types: ['None'], direction: 'backward' }), [[], []])
})

test('a page of large rows is cut too', async () => {
  await using place = await testPlace()
  await expectBoundedPages(await place.open({ mayLoseOnPowerFailure: true }), 10_000_000)
})

test('a page ends when it has looked at many rows', async () => {
  await using place = await testPlace()
  await expectFoundFarBehind(await place.open({ mayLoseOnPowerFailure: true }))
})
