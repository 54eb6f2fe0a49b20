/** A column keeps its values while it grows: within its first block, and from block to block. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Column } from './column.ts'

const blockLength = 65_536
const lengths = [1, 63, 64, 65, 1000, blockLength - 1, blockLength, blockLength + 1, 2 * blockLength + 1]

const bytesIn = (column: Column): number =>
  [...column.bytesOf(column.length)].reduce((sum, { byteLength }) => sum + byteLength, 0)

test('a column that grows value by value loses none', () => {
  const column = new Column('uint32')
  for (let value = 0; value < lengths.at(-1)!; value++) {
    column.push(value)
    if (!lengths.includes(value + 1)) continue
    assert.equal(column.length, value + 1)
    for (let i = 0; i <= value; i++) if (column.get(i) !== i) assert.fail(`${column.get(i)} at ${i}`)
    assert.equal(bytesIn(column), column.length * column.bytesEach)
  }
})

test('a column that gets room for many values takes them, and more', () => {
  for (const length of lengths) {
    const column = new Column('float64')
    column.extend(length)
    column.set(length - 1, 7)
    column.push(9)
    assert.deepEqual([column.length, column.get(length - 1), column.get(length)], [length + 1, 7, 9])
    assert.equal(bytesIn(column), column.length * column.bytesEach)
  }
})
