/**
 * Failures of the database, as plain data that can be sent from the writer's thread, and the catalogue's errors for
 * them. This is the only file that knows SQLite's result codes.
 */
import { DefinitionError, hasCode, type MnemeError, StoreError } from '../../../domain/error.ts'
import { runtimeName } from '../../../runtime/platform.ts'
import { tooLarge } from '../../sql-reading.ts'

/** A failure as plain data. */
export type FailureFacts =
  | { readonly kind: 'sqlite'; readonly code: number; readonly message: string }
  | { readonly kind: 'busy'; readonly waitedMs: number }
  | { readonly kind: 'too new'; readonly version: number; readonly known: number }
  | { readonly kind: 'too old'; readonly version: number; readonly known: number }
  /** Tables or other objects of another program have names of the store's. */
  | { readonly kind: 'taken'; readonly names: readonly string[] }
  | { readonly kind: 'damaged'; readonly where: string; readonly reason: string }
  | { readonly kind: 'no sqlite' }
  /** A file was deleted or replaced while it was open. */
  | { readonly kind: 'moved'; readonly file: string }
  /** There is no store, and none may be made. */
  | { readonly kind: 'not migrated' }
  | { readonly kind: 'no directory' | 'directory'; readonly path: string }
  /** The file has several names (hard links). */
  | { readonly kind: 'linked'; readonly path: string }
  | { readonly kind: 'sql'; readonly statement: string; readonly reason: string }
  /** The result of a statement is too large. */
  | { readonly kind: 'too large'; readonly statement: string }
  | { readonly kind: 'unexpected'; readonly message: string }

/** A failure that is thrown on the writer's thread. */
export class Failure extends Error {
  readonly facts: FailureFacts

  constructor(facts: FailureFacts) {
    super(facts.kind)
    this.facts = facts
  }
}

/** SQLite's primary result codes; an extended one has more in its upper bits. */
export const codes = {
  error: 1,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  constraintUnique: 2067,
  notDatabase: 26,
} as const

/** SQLite's extended result code of an error of `node:sqlite`, or undefined for any other error. */
export function codeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const { errcode } = error as { errcode?: unknown }
  return typeof errcode === 'number' ? errcode : undefined
}

/** Whether an error has a primary result code. */
export function isCode(error: unknown, primary: number): boolean {
  const code = codeOf(error)
  return code !== undefined && (code & 0xff) === primary
}

/** Any error as plain data. */
export function factsOf(error: unknown): FailureFacts {
  if (error instanceof Failure) return error.facts
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : String(error)
  return code === undefined ? { kind: 'unexpected', message } : { kind: 'sqlite', code, message }
}

/** Codes of failures of the whole file, whichever statement meets them. */
const troubles: readonly number[] = [
  ...[codes.readOnly, codes.ioError, codes.corrupt, codes.full, codes.cannotOpen, codes.notDatabase],
]

/** The error of a caller's own statement. It is the statement's fault, unless the whole file has failed. */
export function factsOfStatement(error: unknown, statement: string): FailureFacts {
  const facts = factsOf(error)
  if (facts.kind !== 'sqlite' && facts.kind !== 'unexpected') return facts
  if (facts.kind === 'sqlite' && troubles.includes(facts.code & 0xff)) return facts
  return { kind: 'sql', statement, reason: facts.message }
}

/** What the path of a store must be, by what it is. */
const expectedPath = {
  directory: 'a file, and not a directory',
  'no directory': 'a file in a directory that exists',
  linked: 'a file that has no other name: SQLite keeps a write-ahead log for each of its names (hard links)',
} as const

/** The catalogue's error for a failure. `doing` completes "failed while ...". */
export function errorOf(path: string, doing: string, failure: FailureFacts): StoreError | DefinitionError {
  const store = storeNamed(path)
  switch (failure.kind) {
    case 'sqlite':
      return sqliteError(store, doing, failure.code, failure.message)
    case 'busy':
      return new StoreError('STORE_UNAVAILABLE', {
        store,
        doing: `${doing}: other processes kept writing for ${failure.waitedMs} ms`,
      })
    case 'too new':
      return new StoreError('STORE_TOO_NEW', { store, version: failure.version, known: failure.known })
    case 'too old':
      return new StoreError('STORE_TOO_OLD', { store, version: failure.version, known: failure.known })
    case 'taken':
      return new StoreError('STORE_NAMES_TAKEN', { store, names: failure.names })
    case 'damaged':
      return new StoreError('STORE_CORRUPT', { store, where: failure.where, reason: failure.reason })
    case 'moved':
      return new StoreError('STORE_HALTED', { store, reason: movedWords(failure.file) })
    case 'not migrated':
      return new StoreError('STORE_NOT_MIGRATED', { store, reason: 'there are no tables, and migrate is false' })
    case 'no sqlite': {
      const facts = { what: 'The store sqlite', needs: 'node:sqlite', found: runtimeName() }
      return new DefinitionError('RUNTIME_UNSUPPORTED', facts)
    }
    case 'directory':
    case 'no directory':
    case 'linked': {
      const facts = { option: 'path', expected: expectedPath[failure.kind], found: failure.path }
      return new DefinitionError('OPTION_INVALID', facts)
    }
    case 'sql':
      return new StoreError('SQL_FAILED', { store, statement: failure.statement, reason: failure.reason })
    case 'too large':
      return tooLarge(store, failure.statement)
    case 'unexpected':
      return new StoreError('STORE_UNAVAILABLE', { store, doing }, new Error(failure.message))
  }
}

/** The error for an append that failed before anything was stored. */
export function notStored<Code extends MnemeError>(error: Code): Code | StoreError {
  if (!hasCode(error, 'STORE_UNAVAILABLE')) return error
  return new StoreError('NOT_STORED', error.facts, error.cause)
}

export const movedWords = (file: string): string =>
  `${file} was deleted or replaced while it was open, or cannot be checked`

/** The name of the store in messages. */
export const storeNamed = (path: string): string => `sqlite (${path})`

/** What SQLite says of a statement of the store, if a table, a column or an index is not as the store has made it. */
const otherSchema = /^no such (?:table|column|index)|^table .* has no column|^index .* not found/

function sqliteError(store: string, doing: string, code: number, message: string): StoreError {
  const cause = new Error(`SQLite: ${message} (${code})`)
  if (code === codes.error && otherSchema.test(message))
    return new StoreError('STORE_CORRUPT', { store, where: 'its schema', reason: message }, cause)
  switch (code & 0xff) {
    case codes.full:
      return new StoreError('STORE_FULL', { store }, cause)
    case codes.readOnly:
      return new StoreError('STORE_READ_ONLY', { store }, cause)
    case codes.corrupt:
    case codes.notDatabase:
      return new StoreError('STORE_CORRUPT', { store, where: 'its file', reason: message }, cause)
    default:
      return new StoreError('STORE_UNAVAILABLE', { store, doing }, cause)
  }
}
