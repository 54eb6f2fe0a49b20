/**
 * Checks the arguments of calls to a store. A caller's mistake is found before the store sees it, and has its own code,
 * the same on every store. Without the check, one database would read such a value as another text, and another would
 * report damage or a failure that may pass.
 */
import { InputError } from '../domain/error.ts'
import { checkId } from '../domain/id.ts'
import { checkJson, isPlain } from '../domain/json.ts'
import { checkKeys, checkOption, checkSignal, listExpected } from '../domain/options.ts'
import type { SqlReadingOptions } from '../domain/sql-transaction.ts'
import type { StreamId } from '../domain/stream.ts'
import { checkRange, type Range } from './range.ts'
import { aheadMsMax } from './reservations.ts'
import type {
  AppendOptions,
  CheckpointPlace,
  LogPlace,
  ProjectionStep,
  ReadAllOptions,
  ReadOptions,
  Row,
  RowQuery,
  Snapshot,
} from './store.ts'
import type { StreamQuery } from './stream-list.ts'

/** The longest name, in bytes of UTF-8: an id, with the prefix of the library. */
const nameBytesMax = 1280
/**
 * The longest key of a row. The library makes some keys of JSON of three ids, and each character of an id may become
 * six.
 */
const keyBytesMax = 20_480
/** The longest lease: a year. */
const leaseMsMax = 31_536_000_000

/** The longest time of a timer. */
const timerMsMax = 2 ** 31 - 1

const readKeys = ['limit', 'direction', 'signal'] as const
const readAllKeys = [...readKeys, 'types', 'aggregates', 'tags', 'behind'] as const

const isWhole = (found: unknown, least: number): found is number =>
  Number.isSafeInteger(found) && (found as number) >= least
const isRecord = (found: unknown): found is object => typeof found === 'object' && found !== null

/** @throws InputError `ID_INVALID` */
export function checkStream(stream: StreamId): void {
  if (!isRecord(stream)) {
    throw new InputError('ID_INVALID', { what: 'a stream', id: stream, reason: 'it is not { aggregate, id }' })
  }
  checkId('the name of an aggregate', stream.aggregate)
  checkId('the id of a stream', stream.id)
}

/** @throws InputError `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkStreams(streams: readonly StreamId[]): void {
  checkList('streams', streams)
  for (const stream of streams) checkStream(stream)
}

/** @throws InputError `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkListStreams(aggregate: string, query: StreamQuery): void {
  checkId('the name of an aggregate', aggregate)
  checkKeys('listStreams(aggregate, query)', query, ['after', 'limit'])
  const { after, limit } = query ?? {}
  need('limit', limit, (found) => found !== 0 && isLimit(found), 'a whole number from 1, or infinite')
  if (after !== undefined) checkId('the id of a stream', after)
}

/** @throws InputError `ID_INVALID` */
function checkName(what: string, name: string): void {
  checkId(what, name, nameBytesMax)
}

/** @throws InputError `ID_INVALID` */
export function checkKey(what: string, key: string): void {
  checkId(what, key, keyBytesMax)
}

/** @throws InputError `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkAppendOptions(options: AppendOptions | undefined): void {
  if (options === undefined) return
  checkKeys('append(commits, options)', options, ['writer'])
  if (options.writer !== undefined) checkName('a writer', options.writer)
}

/** @throws InputError `RANGE_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkRead(range: Range, options: ReadOptions | undefined): void {
  checkBounds(range)
  if (options === undefined) return
  checkKeys('readStream(stream, range, options)', options, readKeys)
  checkReadOptions(options)
}

/** @throws InputError `RANGE_INVALID`, `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkReadAll(range: Range, options: ReadAllOptions | undefined): void {
  checkBounds(range)
  if (options === undefined) return
  checkKeys('readAll(range, options)', options, readAllKeys)
  checkReadOptions(options)
  const { types, aggregates, tags, behind } = options
  if (types !== undefined) checkTexts('types', 'the type of an event', types)
  if (aggregates !== undefined) checkTexts('aggregates', 'the name of an aggregate', aggregates)
  if (tags !== undefined) checkTexts('tags', 'a tag', tags)
  checkOption('behind', behind, isPlace, '{ position, checksum? }, both whole numbers from 0')
}

/** @throws InputError `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkReserve(streams: readonly StreamId[], writer: string, durationMs: number): void {
  checkStreams(streams)
  checkName('a writer', writer)
  checkDuration(durationMs, aheadMsMax)
}

/** @throws InputError `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkLease(name: string, owner: string, durationMs: number): void {
  checkLeaseOwner(name, owner)
  checkDuration(durationMs, leaseMsMax)
}

/** @throws InputError `ID_INVALID` */
export function checkLeaseOwner(name: string, owner: string): void {
  checkName('the name of a lease', name)
  checkName('the owner of a lease', owner)
}

/** @throws InputError `ID_INVALID`, `DATA_NOT_JSON`; DefinitionError `OPTION_INVALID` */
export function checkSnapshot(snapshot: Snapshot, options: { readonly keep: number }): void {
  checkKeys('saveSnapshot(snapshot, options)', options, ['keep'])
  need('keep', options?.keep, (keep) => isWhole(keep, 1), 'a whole number from 1')
  need('snapshot', snapshot, isRecord, 'a snapshot')
  checkStream(snapshot.stream)
  need('sequence', snapshot.sequence, (found) => isWhole(found, 0), 'a whole number from 0')
  need('stateRevision', snapshot.stateRevision, (found) => isWhole(found, 0), 'a whole number from 0')
  need('checksum', snapshot.checksum, (found) => isWhole(found, 0), 'a whole number from 0')
  need('takenAt', snapshot.takenAt, (found) => isWhole(found, 0), 'a time in whole milliseconds since 1970')
  need('fingerprint', snapshot.fingerprint, isText, 'a text without null characters and lone surrogates')
  checkJson('The state', snapshot.state)
}

/** @throws InputError `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkLoadSnapshot(stream: StreamId, options: { readonly atOrBefore?: number } | undefined): void {
  checkStream(stream)
  checkKeys('loadSnapshot(stream, options)', options, ['atOrBefore'])
  checkOption('atOrBefore', options?.atOrBefore, isLimit, 'a whole number from 0, or infinite')
}

/** @throws InputError `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkLoadRows(projection: string, keys: readonly string[]): void {
  checkProjection(projection)
  checkList('keys', keys)
  for (const key of keys) checkKey('the key of a row', key)
}

/** @throws InputError `ID_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkListRows(projection: string, query: RowQuery): void {
  checkProjection(projection)
  checkKeys('listRows(projection, query)', query, ['after', 'prefix', 'where', 'limit'])
  const { after, prefix, where, limit } = query ?? {}
  need('limit', limit, (found) => found !== 0 && isLimit(found), 'a whole number from 1, or infinite')
  if (after !== undefined) checkKey('the key of a row', after)
  if (prefix !== undefined && prefix !== '') checkKey('the beginning of a key', prefix)
  checkOption('where', where, (found) => Array.isArray(found) && found.every(isCondition), conditions)
}

/** @throws InputError `ID_INVALID` */
export function checkProjection(projection: string): void {
  checkName('the name of a projection', projection)
}

/** @throws InputError `ID_INVALID`, `RANGE_INVALID`, `DATA_NOT_JSON`; DefinitionError `OPTION_INVALID` */
export function checkStep(projection: string, step: ProjectionStep): void {
  checkProjection(projection)
  need('step', step, isRecord, '{ from, to, rows }')
  checkPlace('from', step.from)
  checkOption('mayBeLost', step.mayBeLost, (found) => typeof found === 'boolean', 'true or false')
  checkStepEnd(step.from, step)
}

/** Checks a step whose `from` was checked before. @throws InputError; DefinitionError `OPTION_INVALID` */
export function checkStepEnd(from: CheckpointPlace, step: Omit<ProjectionStep, 'from'>): void {
  need('step', step, isRecord, '{ to, rows }')
  const { to, rows } = step
  checkPlace('to', to)
  checkForward(from, to)
  if (!isRecord(to.note) || !isPlain(to.note)) {
    throw new InputError('DATA_NOT_JSON', {
      what: 'The note of a checkpoint',
      path: '',
      found: 'something other than a record',
    })
  }
  checkJson('The note of a checkpoint', to.note)
  checkList('rows', rows)
  for (const row of rows) checkRow(row)
}

/** A step may go back only if it begins another term. @throws InputError `RANGE_INVALID` */
function checkForward(from: CheckpointPlace, to: CheckpointPlace): void {
  if (to.term < from.term) {
    throw new InputError('RANGE_INVALID', {
      from: from.term,
      to: to.term,
      reason: 'a step does not go back to an earlier term',
    })
  }
  if (to.term > from.term || to.position >= from.position) return
  const reason = 'a step does not go back within a term'
  throw new InputError('RANGE_INVALID', { from: from.position, to: to.position, reason })
}

/** @throws InputError `RANGE_INVALID`; DefinitionError `OPTION_INVALID` */
export function checkPlace(option: 'from' | 'to', place: CheckpointPlace): void {
  need(option, place, isRecord, '{ position, term }')
  const { position, term } = place
  if (isWhole(position, 0) && isWhole(term, 0)) return
  const reason = 'a checkpoint has a position and a term, which are whole numbers from 0'
  throw new InputError('RANGE_INVALID', { from: position, to: term, reason })
}

/** @throws DefinitionError `OPTION_INVALID` */
export function checkFunction(option: string, found: unknown): void {
  need(option, found, (each) => typeof each === 'function', 'a function')
}

/** @throws DefinitionError `OPTION_INVALID` */
export function checkSqlReading(options: SqlReadingOptions): void {
  need('options', options, isRecord, '{ timeoutMs }')
  const isTime = (found: unknown) => typeof found === 'number' && found > 0 && found <= timerMsMax
  need('timeoutMs', options.timeoutMs, isTime, `a time in milliseconds above 0, ${timerMsMax} at most`)
  checkSignal(options.signal)
}

/** @throws DefinitionError `OPTION_INVALID` */
export function checkList(option: string, found: unknown): void {
  need(option, found, Array.isArray, listExpected(found))
}

function checkRow(row: Row): void {
  need('rows', row, isRecord, 'a list of { key, value }')
  checkKey('the key of a row', row.key)
  if (row.value !== undefined) checkJson(`The row ${row.key}`, row.value)
}

function checkBounds(range: Range): void {
  if (isRecord(range)) checkRange(range)
  else throw new InputError('RANGE_INVALID', { from: range, to: range, reason: 'it is not { from, to }' })
}

function checkReadOptions({ limit, direction, signal }: ReadOptions): void {
  checkOption('limit', limit, isLimit, 'a whole number from 0, or infinite')
  checkOption('direction', direction, isDirection, "'forward' or 'backward'")
  checkSignal(signal)
}

function checkTexts(option: string, what: string, texts: readonly string[]): void {
  checkList(option, texts)
  for (const text of texts) checkId(what, text)
}

function checkDuration(durationMs: number, most: number): void {
  const isDuration = (found: unknown) => typeof found === 'number' && found > 0 && found <= most
  need('durationMs', durationMs, isDuration, `a time in milliseconds above 0, ${most} at most`)
}

/** Like `checkOption`, for an argument that must not be left out. */
function need(option: string, found: unknown, isGood: (found: unknown) => boolean, expected: string): void {
  checkOption(option, found === undefined ? null : found, isGood, expected)
}

const isLimit = (found: unknown): boolean => found === Number.POSITIVE_INFINITY || isWhole(found, 0)
const isDirection = (found: unknown): boolean => found === 'forward' || found === 'backward'
const isText = (found: unknown): boolean => typeof found === 'string' && found.isWellFormed() && !found.includes('\0')

/** The expected value of `where`. */
const conditions = 'a list of conditions, each { field, oneOf } or { field, least, most }'

const isPlace = (found: unknown): boolean => {
  const { position, checksum } = (found ?? {}) as Partial<LogPlace>
  return isWhole(position, 0) && (checksum === undefined || isWhole(checksum, 0))
}

function isCondition(found: unknown): boolean {
  if (!isRecord(found)) return false
  const { field, oneOf, least, most, ...others } = found as { readonly field?: unknown } & Record<string, unknown>
  if (typeof field !== 'string' || Object.keys(others).length > 0) return false
  if (oneOf !== undefined)
    return Array.isArray(oneOf) && oneOf.every((one) => ['string', 'number', 'boolean'].includes(typeof one))
  return [least, most].every((bound) => bound === undefined || (typeof bound === 'number' && !Number.isNaN(bound)))
}
