/** Errors: one catalogue, messages with four parts, and codes to match by. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DefinitionError,
  EventError,
  hasCode,
  InputError,
  LoadError,
  MnemeError,
  StoreError,
  TenantError,
} from './error.ts'
import { catalogue, type ErrorCode, type FactsOf, messageOf } from './error-catalogue.ts'

const stream = { aggregate: 'account', id: 'ada' }
const issues = [{ path: 'amount', message: 'Too small' }]

/** One set of facts for every code. The compiler checks that none is missing. */
const facts: { readonly [Code in ErrorCode]: FactsOf<Code> } = {
  DEFINITION_INVALID: { where: 'The aggregate x', reason: 'it has two heads' },
  NAME_RESERVED: { where: 'A command of x', name: 'try' },
  SCHEMA_ASYNC: { where: 'the event X' },
  OPTION_INVALID: { option: 'limit', expected: 'a whole number', found: -1 },
  RUNTIME_UNSUPPORTED: { what: 'The store sqlite', needs: 'node:sqlite', found: 'Node 20.20.2' },
  AGGREGATE_UNKNOWN: { aggregate: 'acount', known: ['account'] },
  COMMAND_UNKNOWN: { aggregate: 'account', command: 'withdrow', known: ['withdraw'] },
  COMMAND_MALFORMED: { reason: 'it has no name' },
  COMMAND_INVALID: { aggregate: 'account', command: 'deposit', issues },
  CURSOR_INVALID: { cursor: 'x' },
  COMMAND_TOO_LARGE: { aggregate: 'account', command: 'deposit', sizeMax: 10 },
  ID_INVALID: { what: 'the id of a stream', id: '', reason: 'it is empty' },
  DATA_NOT_JSON: { what: 'The event X', path: 'a.b', found: 'a function' },
  COMMIT_EMPTY: { stream },
  COMMIT_TOO_LARGE: { stream, measure: 'events', size: 11, sizeMax: 10 },
  RANGE_INVALID: { from: -1, to: 5, reason: 'it is negative' },
  COMMAND_ID_REUSED: { stream, commandId: 'c', command: 'deposit', stored: 'withdraw' },
  LOG_REPLACED: { store: 'sqlite', position: 9, head: 5 },
  PERSONAL_READ: { subject: 'customer-1' },
  PERSONAL_PLAIN: { what: 'The event X', path: 'email' },
  EVENT_INVALID: { event: 'X', where: 'as decided', issues },
  SCHEMA_UNSTABLE: { event: 'X', path: 'id' },
  EVENT_UNDECLARED: { aggregate: 'account', event: 'X', known: ['Y'], stream, sequence: 3 },
  EVENT_NEWER: { event: 'X', revision: 3, known: 2 },
  EVENT_UNREADABLE: { event: 'X', stream, sequence: 3, position: 9, checksum: 5 },
  EVENT_UPCAST_FAILED: { event: 'X', revision: 2 },
  DECIDE_FAILED: { stream, command: 'deposit' },
  EVOLVE_FAILED: { stream, command: 'deposit', event: 'X' },
  VERDICT_INVALID: { stream, command: 'deposit', found: 'a promise' },
  AGGREGATE_LOAD_FAILED: { stream, retryInMs: 99.5 },
  CONFLICT: { stream, tries: 5, sequence: 9 },
  SEQUENCE_UNEXPECTED: { stream, command: 'deposit', expectedSequence: 5, sequence: 6 },
  CHECKPOINT_CONFLICT: { projection: 'p', expected: { position: 1, term: 1 }, actual: { position: 1, term: 2 } },
  OVERLOADED: { queue: 'waitingMax', sizeMax: 5 },
  OUTCOME_UNKNOWN: { stream, commandId: 'c' },
  OWNER_UNREACHABLE: { stream: { aggregate: 'account', id: 'ada' } },
  ADDRESS_UNAVAILABLE: { address: '127.0.0.1:7400', reason: 'another process uses it' },
  SECRET_DIFFERS: { address: '127.0.0.1:7400' },
  PROCESS_NOT_STARTED: { number: 1, reason: 'it ended with code 1' },
  PROCESSES_FAILING: { restarts: 11, withinMs: 60_000, reason: 'it was ended by SIGKILL' },
  ABORTED: { what: 'The command deposit' },
  STOPPED: { what: 'The command deposit' },
  STORE_UNAVAILABLE: { store: 'sqlite', doing: 'appending' },
  STORE_FULL: { store: 'sqlite' },
  NOT_STORED: { store: 'file', doing: 'writing a batch' },
  STORE_HALTED: { store: 'file', reason: 'its lock is gone' },
  STORE_READ_ONLY: { store: 'sqlite' },
  STORE_LOCKED: { store: 'file', owner: 'process 5' },
  STORE_CORRUPT: { store: 'file', where: 'line 5', reason: 'the checksum is wrong' },
  LOG_UNFINISHED: { store: 'nats', position: 5 },
  STORE_TOO_NEW: { store: 'file', version: 9, known: 1 },
  STORE_TOO_OLD: { store: 'file', version: 1, known: 2 },
  STORE_NAMES_TAKEN: { store: 'sqlite', names: ['events', 'leases'] },
  STORE_NOT_MIGRATED: { store: 'postgres', reason: 'it has no tables' },
  DRIVER_MISSING: { store: 'postgres', driver: 'pg' },
  KEY_MISSING: { store: 'sqlite', keys: ['k1'] },
  KEYS_UNCONFIRMED: { subject: 'customer-1' },
  KEYS_REPLACED: { store: 'sqlite', found: 1, known: 2 },
  PERSONAL_TOO_NEW: { what: 'A stored personal value', version: 2, known: 1 },
  STORE_CLOSED: { store: 'file', because: 'its domain was stopped' },
  SQL_INVALID: { statement: 'SELECT ?', reason: 'its value 1 is NaN, which is not a value of SQL' },
  READ_TOO_LONG: { store: 'sqlite', readTimeoutMs: 500 },
  RESULT_TOO_LARGE: { store: 'sqlite', statement: 'SELECT 1', rowsMax: 1, sizeMax: 2 },
  SQL_MISSING: { projection: 'p', store: 'memory' },
  SQL_FAILED: { store: 'sqlite', statement: 'SELECT 1', reason: 'it has no rows' },
  TRANSACTION_TOO_LONG: { store: 'sqlite', transactionMsMax: 500 },
  PROJECTION_FAILED: { projection: 'p', position: 5, event: 'X' },
  TIMER_UNKNOWN: { projection: 'reaction p', id: '1:0' },
  PROJECTION_PAUSED: { projection: 'p', since: new Date(0) },
  PROJECTION_BEHIND: { projection: 'p', position: 5, atLeast: 9, waitedMs: 100 },
  PROJECTION_UNPREPARED: { projection: 'p' },
  PROJECTION_CHANGED: { projection: 'p', missing: ['a B'], added: ['a C', 'a D'] },
  PROJECTION_OUTDATED: { projection: 'p', revision: 1, live: 2 },
  PROJECTION_ELSEWHERE: { projection: 'p', doing: 'Retrying' },
  REBUILD_RUNNING: { projection: 'p' },
  REBUILD_IMPOSSIBLE: { projection: 'p' },
  TRANSACTION_MISSING: { projection: 'p', store: 'memory' },
  HANDLER_OVER: { reaction: 'welcome', position: 7 },
  STEP_TIMED_OUT: { reaction: 'welcome', step: 'charge', position: 7, timeoutMs: 5000 },
  PARKED_UNKNOWN: { projection: 'p', position: 5 },
  PROJECTION_UNKNOWN: { projection: 'q', known: ['p'] },
  TENANT_NOT_OPENED: { tenant: 'acme' },
  TENANTS_BUSY: { tenant: 'acme', openMax: 50, waitMs: 10_000 },
  REQUEST_MALFORMED: { reason: 'its body is not JSON' },
  ROUTE_UNKNOWN: { what: 'route' },
  ROW_UNKNOWN: { projection: 'balances' },
  METHOD_NOT_ALLOWED: { method: 'DELETE', allowed: 'GET, HEAD' },
  CONTENT_UNSUPPORTED: { expected: 'it must be application/json' },
  BODY_TOO_LARGE: { sizeMax: 10 },
  BODY_TOO_SLOW: { timeoutMs: 10 },
  REQUEST_FORBIDDEN: { what: 'read this' },
  ORIGIN_FORBIDDEN: { origin: 'https://evil.example' },
  HOST_FORBIDDEN: { host: 'evil.example' },
  REQUEST_TIMED_OUT: { timeoutMs: 10 },
}

for (const code of Object.keys(catalogue) as ErrorCode[]) {
  test(`the message of ${code} says what happened, the facts, what to do and where to read`, () => {
    const { remedy } = catalogue[code]
    const message = messageOf(code, facts[code])
    const [before = '', after] = message.split(` [${code}, docs/errors.md#${code.toLowerCase()}]`)
    assert.equal(after, '', 'it ends with where to read')
    assert.ok(before.endsWith(`. ${remedy}`), 'before that, what to do')
    assert.match(remedy, /^[A-Z`].*\.$/)
    const happened = before.slice(0, -remedy.length - 2)
    assert.ok(happened.length > 10)
    assert.doesNotMatch(happened, /undefined|\[object|\.$/)
    const scalars = Object.values(facts[code]).filter((fact) => typeof fact === 'string' && fact !== '')
    for (const fact of scalars) assert.ok(happened.includes(fact as string), `it says ${fact}`)
  })
}

test('an error has a code, facts, a cause, and says whether it is retryable', () => {
  const cause = new Error('disk I/O')
  const error = new StoreError('STORE_UNAVAILABLE', facts.STORE_UNAVAILABLE, cause)
  assert.ok(error instanceof MnemeError && error instanceof Error)
  assert.equal(error.name, 'StoreError')
  assert.equal(error.code, 'STORE_UNAVAILABLE')
  assert.equal(error.retryable, true)
  assert.equal(error.cause, cause)
  assert.deepEqual(error.facts, { store: 'sqlite', doing: 'appending' })
  assert.match(error.message, /while appending \(disk I\/O\)\. /)
  assert.equal(new StoreError('STORE_CLOSED', { store: 'x' }).retryable, false)
})

test('an error without a cause has none', () => {
  assert.ok(!('cause' in new StoreError('STORE_CLOSED', { store: 'x' })))
})

test('hasCode distinguishes codes and accepts any value', () => {
  const error: unknown = new InputError('ID_INVALID', facts.ID_INVALID)
  assert.ok(hasCode(error, 'ID_INVALID'))
  assert.equal(error.facts.reason, 'it is empty')
  assert.ok(!hasCode(error, 'CONFLICT'))
  for (const other of [undefined, null, 'ID_INVALID', { code: 'ID_INVALID' }, new Error('x')])
    assert.ok(!hasCode(other, 'ID_INVALID'))
})

test('a long value in a message is shortened', () => {
  const { message } = new InputError('ID_INVALID', { ...facts.ID_INVALID, id: 'x'.repeat(5000) })
  assert.ok(message.length < 400)
})

test('the stack names the line that threw', () => {
  const { stack } = new DefinitionError('NAME_RESERVED', facts.NAME_RESERVED)
  assert.match(stack ?? '', /error\.test\.ts/)
})

test('a message is short, however large the input or the cause', () => {
  const huge = 'x'.repeat(1_000_000)
  const many = Array.from({ length: 50_000 }, (_, i) => ({ path: `items.${i}`, message: 'Too small' }))
  const errors = [
    new InputError('COMMAND_INVALID', { aggregate: 'a', command: 'c', issues: many }),
    new InputError('COMMAND_INVALID', { aggregate: 'a', command: 'c', issues: [{ path: huge, message: huge }] }),
    new InputError('DATA_NOT_JSON', { what: 'The event', path: huge, found: 'NaN' }),
    new InputError('ID_INVALID', { what: 'an id', id: huge, reason: huge }),
    new MnemeError('STORE_UNAVAILABLE', { store: 's', doing: 'appending' }, new Error(huge)),
  ]
  for (const { message, code } of errors) assert.ok(message.length < 3_000, `${code}: ${message.length}`)
  assert.match(errors[0]!.message, /items\.9: Too small; and 49990 more/)
})

test('an error as JSON has everything except the stack', () => {
  const cause = new RangeError('too far')
  const error = new LoadError('AGGREGATE_LOAD_FAILED', { stream, retryInMs: 1 }, cause)
  const { name, code, message, retryable, facts } = error
  assert.deepEqual(JSON.parse(JSON.stringify({ error })), {
    error: { name, code, message, retryable, facts, cause: 'RangeError: too far' },
  })
  assert.match(message, /could not be loaded/)
})

test('a load that fails because of newer events is not retryable', () => {
  const newer = new EventError('EVENT_NEWER', { event: 'X', revision: 3, known: 2 })
  const facts = { stream, retryInMs: 1 }
  assert.equal(new LoadError('AGGREGATE_LOAD_FAILED', facts, newer).retryable, false)
  assert.equal(new LoadError('AGGREGATE_LOAD_FAILED', facts, new Error('odd')).retryable, true)
})

test('a tenant that could not be opened is retryable if its store is', () => {
  const of = (cause: unknown) => new TenantError('TENANT_NOT_OPENED', { tenant: 'acme' }, cause).retryable
  assert.equal(of(new StoreError('STORE_CORRUPT', facts.STORE_CORRUPT)), false)
  assert.equal(of(new StoreError('STORE_UNAVAILABLE', facts.STORE_UNAVAILABLE)), true)
  assert.equal(of(new Error('odd')), true)
})

test('An error names a value that has no text by its type', () => {
  const deep: unknown = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000))
  for (const [id, words] of [
    [deep, 'a list'],
    [Object.create(null), 'a value of type object'],
  ]) {
    const error = new InputError('ID_INVALID', { what: 'a tag', id, reason: 'it is not a string' })
    assert.ok(error.message.startsWith(`${words} cannot be a tag`), error.message.slice(0, 100))
  }
})
