/** What can be the metadata and the tags of an event. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultOfShape } from './event-shape.ts'

test('metadata is an object, and tags are a list of texts', () => {
  assert.equal(faultOfShape({}, []), undefined)
  assert.equal(faultOfShape({ user: 'ada' }, ['gift', '']), undefined)
  for (const metadata of [null, 5, 'ada', true, [], undefined]) {
    assert.equal(faultOfShape(metadata, []), 'its metadata is no object')
  }
  for (const tags of [null, 5, 'gift', {}, { length: 1 }, [5], ['gift', null]]) {
    assert.equal(faultOfShape({}, tags), 'its tags are no list of texts')
  }
})
