/** Every sequence of a stream is found from its end, in few steps, whatever lies between the events. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type LinkedPlace, linked, nextLinks, type Place, towards } from './links.ts'

/** A stream whose events are this far apart in the log. */
function streamOf(gaps: readonly number[]): readonly LinkedPlace[] {
  const places: LinkedPlace[] = []
  let position = 0
  for (const gap of gaps) {
    position += gap
    places.push({ sequence: places.length + 1, position, links: nextLinks(places.at(-1)) })
  }
  return places
}

/** The places on the way from the end to a sequence. */
function wayTo(places: readonly LinkedPlace[], sequence: number): readonly Place[] {
  const way: LinkedPlace[] = [places.at(-1)!]
  while (way.at(-1)!.sequence > sequence) {
    const next = towards(way.at(-1)!, sequence)
    const place = places[next.sequence - 1]!
    assert.equal(place.position, next.position, 'a link leads to the event that it names')
    way.push(place)
  }
  return way
}

test('an event is linked to the one before it, and to those with its lowest bits cleared', () => {
  assert.deepEqual(linked(1), [])
  assert.deepEqual(linked(2), [1])
  assert.deepEqual(linked(12), [11, 8])
  assert.deepEqual(linked(13), [12, 8])
  assert.deepEqual(linked(2 ** 40), [2 ** 40 - 1])
})

test('every event of a stream is found from its end', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 300 })
  fc.assert(
    fc.property(gaps, fc.nat(), (gaps, n) => {
      const places = streamOf(gaps)
      const sequence = (n % gaps.length) + 1
      assert.deepEqual(wayTo(places, sequence).at(-1), places[sequence - 1])
    }),
  )
})

test('the way is short: at most two steps for each bit of the last sequence', () => {
  const places = streamOf(Array.from({ length: 5000 }, () => 3))
  const longest = Math.max(...places.map(({ sequence }) => wayTo(places, sequence).length))
  assert.ok(longest <= 2 * Math.ceil(Math.log2(5000)) + 1, `${longest} steps`)
})
