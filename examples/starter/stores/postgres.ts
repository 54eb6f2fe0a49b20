/** Where the events are: in the PostgreSQL database of `DATABASE_URL`. */
import { postgres } from '../../../src/store/postgres/index.ts'

export const store = postgres(process.env['DATABASE_URL'] ?? 'postgres://localhost/bank')
