/** Lends a book, and shows what happened. */
import { sqlite } from '../../src/store/sqlite/index.ts'
import { Library } from './library.ts'

const library = await Library.start({ store: sqlite('library.db') })
const dune = library.book('dune')
const outcome = await dune.try.lend({ to: 'ada' })
console.log(outcome.accepted ? 'lent' : outcome.rejection.code)
for await (const { sequence, type, data } of dune.history()) console.log(sequence, type, data)
await library.stop()
