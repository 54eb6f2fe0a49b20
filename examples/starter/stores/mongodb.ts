/** Where the events are: in the MongoDB database of `DATABASE_URL`. */
import { mongodb } from '../../../src/store/mongodb/index.ts'

export const store = mongodb(process.env['DATABASE_URL'] ?? 'mongodb://localhost/bank')
