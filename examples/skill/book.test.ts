/** The rules of a book, and the library on a store in memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spec } from '../../src/testing/index.ts'
import { Book, GivenBack, Lent } from './book.ts'
import { Library } from './library.ts'

test('a book that is lent cannot be lent to somebody else', () => {
  spec(Book)
    .given(Lent({ to: 'ada' }))
    .when.lend({ to: 'bob' })
    .rejects('AlreadyLent', { to: 'ada' })
})

test('a book that is given back is free again', () => {
  spec(Book)
    .given(Lent({ to: 'ada' }))
    .when.giveBack()
    .emits(GivenBack({ from: 'ada' }))
    .leaves({ lentTo: undefined })
})

test('a reader has the books that are lent to them', async () => {
  const library = await Library.start() // in memory
  await library.book('dune').lend({ to: 'ada' })
  const { position } = await library.book('emma').lend({ to: 'ada' })
  assert.deepEqual(await library.readers.get('ada', { atLeast: position }), { books: 2 })
  await library.stop()
})
