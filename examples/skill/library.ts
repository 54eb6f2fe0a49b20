/** The library: its books, and how many of them each reader has. */
import { domain, projection } from '../../src/index.ts'
import { Book, GivenBack, Lent } from './book.ts'

export const Readers = projection('readers', () => ({ books: 0 }))
  .on(Lent, ({ books }) => ({ books: books + 1 }))
  .on(GivenBack, ({ books }) => ({ books: books - 1 }))
  .by(({ data }) => ('to' in data ? data.to : data.from))

export const Library = domain({ aggregates: { book: Book }, projections: { readers: Readers } })
