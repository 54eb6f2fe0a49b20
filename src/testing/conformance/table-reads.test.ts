/** The kit finds a store whose reads of tables break a promise. Each fault changes `readSql` of the SQLite store. */
import { describe, test } from 'node:test'
import { leftOut } from '../../../test/support/size.ts'
import { type Alter, expectFound, sqlitePlace } from '../../../test/support/stores/altered-store.ts'
import { CancelledError, hasCode, StoreError } from '../../domain/error.ts'
import type { SqlReading } from '../../domain/sql-transaction.ts'
import type { Store } from '../../store/store.ts'

type ReadSql = NonNullable<Store['readSql']>
type Query = (...args: readonly any[]) => Promise<readonly any[]>

/** Replaces how a reading answers. @param read the whole method */
const answering =
  (change: (query: Query, read: ReadSql) => Query): Alter =>
  (store) => {
    const read = store.readSql!.bind(store)
    return {
      readSql: (work, options) =>
        read((reading) => work({ query: change(reading.query as Query, read) } as SqlReading), options),
    }
  }

/** Replaces what becomes of a failed query. */
const failing = (change: (error: any) => readonly any[]): Alter =>
  answering(
    (query) =>
      (...args) =>
        query(...args).catch(change),
  )

/** Replaces the values of rows. */
const holding = (change: (value: unknown) => unknown): Alter =>
  answering((query) => async (...args) => {
    const rows = await query(...args)
    return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, change(value)])))
  })

/** Replaces what becomes of a failed reading. */
const ending =
  (change: (error: unknown) => unknown): Alter =>
  (store) => ({
    readSql: (...args) =>
      store.readSql!(...args).catch((error) => {
        throw change(error)
      }),
  })

const faults: Readonly<Record<string, readonly [string, Alter]>> = {
  'leaves out the newest row': [
    'finds what a transaction has written, as soon as it has ended',
    answering(
      (query) =>
        async (...args) =>
          (await query(...args)).slice(0, -1),
    ),
  ],
  'changes values that look like SQL': [
    'takes values that look like SQL as values',
    holding((value) => (typeof value === 'string' ? value.replaceAll("'", "''") : value)),
  ],
  'changes names that look like SQL': [
    'takes names that look like SQL as names',
    answering((query) => async (...args) => {
      const rows = await query(...args)
      return rows.map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name.replaceAll('"', ''), value])),
      )
    }),
  ],
  'makes numbers of large integers': [
    'gives values back as they were',
    holding((value) => (typeof value === 'bigint' ? Number(value) : value)),
  ],
  'gives each statement a moment of its own': [
    'sees one moment in all its statements',
    answering(
      (_, read) =>
        (...args) =>
          read(({ query }) => (query as Query)(...args), { timeoutMs: 30_000 }),
    ),
  ],
  'keeps silent about a statement that writes': [
    'refuses statements that write, and changes nothing',
    failing(() => []),
  ],
  'says nothing of what the database says': [
    'fails with what the database says, and goes on with the next read',
    failing(() => {
      throw new StoreError('SQL_FAILED', { store: 'altered', statement: '', reason: 'it failed' } as never)
    }),
  ],
  'hides the error of a work': [
    'fails with what the database says, and goes on with the next read',
    ending((error) => (error instanceof RangeError ? new TypeError(error.message) : error)),
  ],
  'answers queries after its end': [
    'refuses queries after its end',
    answering(
      (query, read) =>
        (...args) =>
          query(...args).catch(() => read((reading) => (reading.query as Query)(...args), { timeoutMs: 30_000 })),
    ),
  ],
  'gives a part of a result that is too large': [
    'refuses a result that is too large, and goes on',
    failing((error) => {
      if (hasCode(error, 'RESULT_TOO_LARGE')) return [{ i: 1 }]
      throw error
    }),
  ],
  'calls the end of its time an abort': [
    'ends when its time is up or its signal is aborted',
    ending((error) => (hasCode(error, 'READ_TOO_LONG') ? new CancelledError('ABORTED', {} as never) : error)),
  ],
  'does not reject with the reason of a signal': [
    'ends when its time is up or its signal is aborted',
    ending((error) => (error instanceof RangeError ? new TypeError('aborted') : error)),
  ],
  'gives one read the answer of another': [
    'gives many reads their turns',
    (store) => {
      let before: readonly any[] | undefined
      const alter = answering((query) => async (...args) => {
        const rows = await query(...args)
        const given = before ?? rows
        before = rows
        return given
      })
      return alter(store)
    },
  ],
}

describe('The kit finds a store with tables that', () => {
  for (const [i, [fault, [sentence, alter]]] of Object.entries(faults).entries()) {
    test(fault, { skip: i < 2 ? undefined : leftOut }, () => expectFound(sentence, alter, sqlitePlace))
  }
})
