/**
 * The text of every error: what happened with the facts, what to do next, and whether the same call may succeed later.
 * A message ends with the section of docs/errors.md that says more. A test compares this list with that page.
 *
 * Tidy: inferred exports because the types of the facts come from the functions that use them.
 *
 * Tidy: longer than 400 lines because it is one table.
 */
import {
  at,
  brief,
  type CheckpointFacts,
  called,
  named,
  placed,
  type RetryFacts,
  restingSince,
  untilLedBy,
  wordsOf,
} from './error-words.ts'
import { describe, type Issue } from './schema.ts'
import type { StreamId } from './stream.ts'

interface Entry<Facts> {
  readonly retryable: boolean
  readonly what: (facts: Facts) => string
  readonly remedy: string
}

const entry = <Facts>(what: (facts: Facts) => string, remedy: string, retryable = false): Entry<Facts> => ({
  retryable,
  what,
  remedy,
})

export const catalogue = {
  // -- definitions and options
  DEFINITION_INVALID: entry(
    (f: { readonly where: string; readonly reason: string }) => `${f.where} cannot work: ${f.reason}`,
    'Fix the definition.',
  ),
  NAME_RESERVED: entry(
    (f: { readonly where: string; readonly name: string }) =>
      `${f.where} cannot be named "${f.name}": the API uses this name itself`,
    'Choose another name.',
  ),
  SCHEMA_ASYNC: entry(
    (f: { readonly where: string }) => `The schema of ${f.where} returned a promise, but schemas must be synchronous`,
    'Use a synchronous schema. Look things up before the command is sent, or react to the event afterwards.',
  ),
  OPTION_INVALID: entry(
    (f: { readonly option: string; readonly expected: string; readonly found?: unknown; readonly nearest?: string }) =>
      'found' in f
        ? `The option ${f.option} must be ${f.expected}, not ${brief(f.found)}`
        : `There is no option ${f.option}${f.nearest === undefined ? '' : ` (did you mean ${f.nearest}?)`}; it must be ${f.expected}`,
    'Fix the option.',
  ),
  RUNTIME_UNSUPPORTED: entry(
    (f: { readonly what: string; readonly needs: string; readonly found: string }) =>
      `${f.what} needs ${f.needs}, which ${f.found} does not have`,
    'Run the program on Node 22.18 or newer.',
  ),

  PERSONAL_READ: entry(
    (f: { readonly subject: string }) =>
      `A function whose result is stored as it is (a fold, a key or tags) has read a personal value of ${brief(f.subject)}`,
    'Carry the personal value as it is, and read it where it is shown. What a fold made of it could not be forgotten.',
  ),

  // -- input
  AGGREGATE_UNKNOWN: entry(
    (f: { readonly aggregate: unknown; readonly known: readonly string[] }) =>
      `The domain has no aggregate ${brief(f.aggregate)}; it has ${f.known.join(', ')}`,
    'Fix the name, or add the aggregate to domain({ aggregates }).',
  ),
  COMMAND_UNKNOWN: entry(
    (f: { readonly aggregate: string; readonly command: unknown; readonly known: readonly string[] }) =>
      `The aggregate ${f.aggregate} has no command ${brief(f.command)}; it has ${f.known.join(', ') || 'none'}`,
    'Fix the name, or add the command with .command(name, schema, decide).',
  ),
  COMMAND_MALFORMED: entry(
    (f: { readonly reason: string }) => `This is not a command: ${f.reason}`,
    'Dispatch { aggregate, id, name, data, commandId?, expectedSequence?, metadata?, tags? }.',
  ),
  COMMAND_INVALID: entry(
    (f: { readonly aggregate: string; readonly command: string; readonly issues: readonly Issue[] }) =>
      `The data of the command ${f.aggregate}.${f.command} does not pass its schema: ${describe(f.issues)}`,
    'Fix the data. `facts.issues` lists every issue.',
  ),
  COMMAND_TOO_LARGE: entry(
    (f: { readonly aggregate: string; readonly command: string; readonly sizeMax: number }) =>
      `The data of the command ${f.aggregate}.${f.command} is larger than ${f.sizeMax} characters`,
    'Split the command into several, keep large contents elsewhere and send a reference, or raise `limits.commandSizeMax`.',
  ),
  CURSOR_INVALID: entry(
    (f: { readonly cursor: string }) =>
      `${brief(f.cursor)} is not the \`next\` of an earlier page of this list in this order`,
    'Give back `next` as it came, in a query with the same `orderBy`, or begin with the first page: without `after`.',
  ),
  ID_INVALID: entry(
    (f: { readonly what: string; readonly id: unknown; readonly reason: string }) =>
      `${brief(f.id)} cannot be ${f.what}: ${f.reason}`,
    'Use another text, of 1 to 1,024 bytes, without null characters or lone surrogates.',
  ),
  DATA_NOT_JSON: entry(
    (f: { readonly what: string; readonly path: string; readonly found: string }) =>
      `${f.what} holds ${f.found}${f.path === '' ? '' : ` at ${f.path}`}, which cannot be stored`,
    'Store plain data: strings, finite numbers, booleans, null, lists, records and dates.',
  ),
  PERSONAL_PLAIN: entry(
    (f: { readonly what: string; readonly path: string }) =>
      `${f.what} has a personal value${f.path === '' ? '' : ` at ${f.path}`} that has no key yet, so it cannot be stored`,
    'Declare the field of the command as personal: .command(name, personal(schema, { subject, fields }), decide).',
  ),
  COMMIT_EMPTY: entry(
    (f: { readonly stream: StreamId }) => `A commit on ${at(f.stream)} has no events`,
    'Append at least one event.',
  ),
  COMMIT_TOO_LARGE: entry(
    (f: { readonly stream: StreamId; readonly measure: string; readonly size: number; readonly sizeMax: number }) =>
      `A commit on ${at(f.stream)} has ${f.size} ${f.measure}, but the store allows at most ${f.sizeMax}`,
    'Split the command into several, or keep large contents elsewhere and store a reference.',
  ),
  RANGE_INVALID: entry(
    (f: { readonly from: unknown; readonly to: unknown; readonly reason: string }) =>
      `[${brief(f.from)}, ${brief(f.to)}) is not a range: ${f.reason}`,
    'Use whole numbers from 0. Only the upper bound may be infinite.',
  ),
  SQL_INVALID: entry(
    (f: { readonly statement: string; readonly reason: string }) =>
      `The statement ${brief(f.statement)} cannot be made: ${f.reason}`,
    'Write it as a template after `sql`. Its values are strings, numbers, bigints, booleans, null, bytes and dates. Names go through sql.identifier, lists through sql.list.',
  ),

  // -- events
  EVENT_INVALID: entry(
    (f: { readonly event: string; readonly where: string; readonly issues: readonly Issue[] }) =>
      `The data of the event ${f.event} ${f.where} does not pass its schema: ${describe(f.issues)}`,
    'Fix the code that makes the event. Do not change the schema of stored events: add a revision with .revise(schema, upcast).',
  ),
  SCHEMA_UNSTABLE: entry(
    (f: { readonly event: string; readonly path: string }) =>
      `The schema or upcast of the event ${f.event} gave two different results for the same stored data${
        f.path === '' ? '' : `, at ${f.path}`
      }`,
    'Make such values in the decision, with its `now` and `newId()`, and store them in the event.',
  ),
  EVENT_UNDECLARED: entry(
    (f: {
      readonly aggregate: string
      readonly event: unknown
      readonly known: readonly string[]
      readonly stream?: StreamId
      readonly sequence?: number
    }) =>
      `The aggregate ${f.aggregate} has no .on for the event ${brief(f.event)}${
        f.stream === undefined ? '' : `, which is stored at sequence ${f.sequence} of ${at(f.stream)}`
      }; it knows ${f.known.join(', ') || 'none'}`,
    'Declare it with .on(Event, evolve), or with .on(Event) if it does not change the state. If a newer program stores it, run that program.',
  ),
  EVENT_NEWER: entry(
    (f: { readonly event: string; readonly revision: number; readonly known: number }) =>
      f.revision > f.known
        ? `The event ${f.event} is stored in revision ${f.revision}, but this program knows only revisions up to ${f.known}`
        : `The event ${f.event} is stored with a personal field that this program does not declare as personal`,
    'Run the version of the program that wrote it, or a newer one.',
  ),
  EVENT_UPCAST_FAILED: entry(
    (f: { readonly event: string; readonly revision: number }) =>
      `The upcast of the event ${f.event} to revision ${f.revision} threw`,
    'Fix the function given to .revise(schema, upcast). The error that it threw is the `cause`.',
  ),
  EVENT_UNREADABLE: entry(
    (f: {
      readonly event: string
      readonly stream: StreamId
      readonly sequence: number
      readonly position: number
      readonly checksum: number
    }) => `The event ${f.event} at sequence ${f.sequence} of ${at(f.stream)} (position ${f.position}) cannot be read`,
    'Look at the `cause`. To go on without this event, give `facts` as `after` to a new subscription.',
  ),

  // -- decisions
  DECIDE_FAILED: entry(
    (f: { readonly stream: StreamId; readonly command: string }) =>
      `The decide function of ${f.command} threw on ${at(f.stream)}, and nothing was stored`,
    'Fix the function. The error that it threw is the `cause`. Return a business "no" with reject(...), and do not throw it.',
  ),
  EVOLVE_FAILED: entry(
    (f: { readonly stream: StreamId; readonly command: string; readonly event: string }) =>
      `The event ${f.event} of ${f.command} could not be applied to ${at(f.stream)}, and nothing was stored`,
    'Fix the evolve function: it must return a new state and change nothing in place. Its error is the `cause`.',
  ),
  VERDICT_INVALID: entry(
    (f: { readonly stream: StreamId; readonly command: string; readonly found: string }) =>
      `The decide function of ${f.command} returned ${f.found} on ${at(f.stream)}, and nothing was stored`,
    'Return an event, a list of events, reject(...) or undefined, synchronously.',
  ),
  AGGREGATE_LOAD_FAILED: entry(
    (f: { readonly stream: StreamId; readonly retryInMs: number }) =>
      `The aggregate ${at(f.stream)} could not be loaded from its events; the next attempt is due in ${Math.ceil(f.retryInMs)} ms`,
    'Fix the `cause`. Other aggregates are not affected.',
    true,
  ),

  COMMAND_ID_REUSED: entry(
    (f: { readonly stream: StreamId; readonly commandId: string; readonly command: string; readonly stored: string }) =>
      `The command ${f.command} on ${at(f.stream)} was refused: its id ${brief(f.commandId)} belongs to ${
        f.stored === f.command ? `a stored command ${f.stored} with other data` : `a stored command ${f.stored}`
      }`,
    'Give every command its own id. If you repeat a command with its id, send the same data.',
  ),

  // -- concurrency and load
  CONFLICT: entry(
    (f: { readonly stream: StreamId; readonly tries: number; readonly sequence: number }) =>
      `Other writers wrote to ${at(f.stream)} during each of ${f.tries} attempts; it is now at sequence ${f.sequence}`,
    'Try again. If this is common, find out what writes to the stream, or raise `limits.conflictTriesMax`.',
    true,
  ),
  SEQUENCE_UNEXPECTED: entry(
    (f: {
      readonly stream: StreamId
      readonly command: string
      readonly expectedSequence: number
      readonly sequence: number
    }) =>
      `The command ${f.command} expects ${at(f.stream)} at sequence ${f.expectedSequence}, but it is at ${f.sequence}`,
    'Read the aggregate again, and decide whether the command is still wanted on that state.',
  ),
  CHECKPOINT_CONFLICT: entry(
    (f: { readonly projection: string; readonly expected: CheckpointFacts; readonly actual: CheckpointFacts }) =>
      `The checkpoint of ${named(f.projection)} is at ${placed(f.actual)}, not at ${placed(f.expected)}: another runner moved it`,
    'Continue from the stored checkpoint.',
    true,
  ),
  OVERLOADED: entry(
    (f: { readonly queue: string; readonly sizeMax: number }) =>
      `The queue is full: its limit ${f.queue} is ${f.sizeMax}`,
    'Send it again later, send less at once, or raise the limit.',
    true,
  ),
  OUTCOME_UNKNOWN: entry(
    (f: { readonly stream: StreamId; readonly commandId: string }) =>
      `It is unknown whether the command ${f.commandId} on ${at(f.stream)} was stored`,
    'Send it again with the same commandId. It takes effect only once.',
    true,
  ),
  OWNER_UNREACHABLE: entry(
    (f: { readonly stream: StreamId }) =>
      `No member of the cluster could be found that decides the commands of ${at(f.stream)}`,
    'Look at the `cause`, and at `cluster.status()`. Then send it again.',
    true,
  ),
  ADDRESS_UNAVAILABLE: entry(
    (f: { readonly address: string; readonly reason: string }) =>
      `This process cannot listen at ${f.address}: ${f.reason}`,
    'Give the cluster another `address`, or port 0 for a free one. Two members cannot share an address.',
  ),
  SECRET_DIFFERS: entry(
    (f: { readonly address: string }) =>
      `The member ${f.address} of the cluster in this store was started with another secret`,
    'Give all members the same `secret`. To change it, stop all members first.',
  ),
  PROCESS_NOT_STARTED: entry(
    (f: { readonly number: number; readonly reason: string }) =>
      `The process ${f.number} of runOnAllCores did not start: ${f.reason}`,
    'Look at the `cause`, if there is one, and at what the process has printed. Correct the reason, and start again.',
  ),
  PROCESSES_FAILING: entry(
    (f: { readonly restarts: number; readonly withinMs: number; readonly reason: string }) =>
      `The processes of runOnAllCores ended ${f.restarts} times within ${f.withinMs / 1000} s, so all were stopped. The last time: ${f.reason}`,
    'Look at the `cause`, if there is one, and at what the processes have printed. Correct the reason, and start again.',
  ),
  ABORTED: entry(
    (f: { readonly what: string }) => `${f.what} was aborted by its signal before it had an effect`,
    'There is nothing to fix.',
  ),
  STOPPED: entry(
    (f: { readonly what: string }) => `${f.what} was refused, because the domain is stopped or stopping`,
    'Start the domain again, and repeat the call.',
    true,
  ),

  // -- stores
  STORE_UNAVAILABLE: entry(
    (f: { readonly store: string; readonly doing: string }) => `The store ${f.store} failed while ${f.doing}`,
    'Remove the reason if it does not pass by itself, and try again.',
    true,
  ),
  STORE_FULL: entry(
    (f: { readonly store: string }) => `The store ${f.store} has no space left, and nothing was stored`,
    'Free some space. The store then continues without a restart.',
    true,
  ),
  NOT_STORED: entry(
    (f: { readonly store: string; readonly doing: string }) =>
      `The store ${f.store} failed while ${f.doing}, and nothing was stored`,
    'Remove the reason if it does not pass by itself, and try again.',
    true,
  ),
  STORE_HALTED: entry(
    (f: { readonly store: string; readonly reason: string }) =>
      `The store ${f.store} accepts no writes until it is opened again: ${f.reason}`,
    'Close it, look at the `cause` and at its files, and open it again.',
  ),
  STORE_READ_ONLY: entry(
    (f: { readonly store: string }) => `The store ${f.store} cannot be written to`,
    'Give this process permission to write there, or choose another place.',
  ),
  STORE_LOCKED: entry(
    (f: { readonly store: string; readonly owner: string; readonly doubt?: string }) =>
      `The store ${f.store} allows one writer and is in use by ${f.owner}${
        f.doubt === undefined
          ? ''
          : `. It is unknown whether that process still runs, so it counts as running. If it has certainly ended, remove ${f.doubt}`
      }`,
    'Stop the other process, or use a store for several writers (sqlite, postgres, mongodb, nats).',
    true,
  ),
  STORE_CORRUPT: entry(
    (f: { readonly store: string; readonly where: string; readonly reason: string }) =>
      `The store ${f.store} is damaged at ${f.where}: ${f.reason}`,
    'Restore it from a backup. Nothing was changed.',
  ),
  LOG_UNFINISHED: entry(
    (f: { readonly store: string; readonly position: number }) =>
      `The log of the store ${f.store} ends at position ${f.position}, within a commit: a quota or the space of the server ended there, and it kept only the beginning`,
    'Raise the limit, or free space. The process that wrote the commit then stores the rest. If that process has ended, restart the server with the higher limit: it has the rest too. Until then nothing is appended.',
    true,
  ),
  LOG_REPLACED: entry(
    (f: { readonly store: string; readonly position: number; readonly head: number }) =>
      f.position > f.head
        ? `The log of the store ${f.store} ends at position ${f.head}, but position ${f.position} was read from it before`
        : `The log of the store ${f.store} has another event at position ${f.position} than the one that was read there before`,
    'An older copy replaced the log, or a failover lost its end. Rebuild what was made from it, and read from a position of this log.',
  ),
  STORE_TOO_NEW: entry(
    (f: { readonly store: string; readonly version: number; readonly known: number }) =>
      `The store ${f.store} has format ${f.version}, but this program knows only formats up to ${f.known}`,
    'Upgrade mneme.',
  ),
  STORE_TOO_OLD: entry(
    (f: { readonly store: string; readonly version: number; readonly known: number }) =>
      `The store ${f.store} has format ${f.version}, but this program reads and writes only format ${f.known}`,
    'Open it with the version of mneme that wrote it, and copy its events into a new store. Nothing was changed.',
  ),
  STORE_NAMES_TAKEN: entry(
    (f: { readonly store: string; readonly names: readonly string[] }) =>
      `The store ${f.store} cannot create its tables, because these names are already in use: ${f.names.join(', ')}`,
    'Give the store its own names (`prefix` for sqlite, `schema` for postgres), or choose another place. Nothing was changed.',
  ),
  STORE_NOT_MIGRATED: entry(
    (f: { readonly store: string; readonly reason: string }) => `The store ${f.store} is not ready: ${f.reason}`,
    'Set `migrate` to true, or let an account with the necessary rights prepare it (with `mneme migrate`; for PostgreSQL also with the SQL of `migrationSql`).',
  ),
  DRIVER_MISSING: entry(
    (f: { readonly store: string; readonly driver: string }) =>
      `The store ${f.store} needs the package ${f.driver}, which cannot be loaded; \`npm install ${f.driver}\` installs it`,
    'The error of the import is the `cause`.',
  ),
  KEY_MISSING: entry(
    (f: { readonly store: string; readonly keys: readonly string[] }) =>
      `The key store ${f.store} has no key for some personal data, and does not say that it was destroyed (${brief(f.keys[0])}${f.keys.length > 1 ? ` and ${f.keys.length - 1} more` : ''})`,
    'Give start({ keys }) the store that was used when the data was stored.',
  ),
  KEYS_UNCONFIRMED: entry(
    (f: { readonly subject: string }) =>
      `A personal value of ${brief(f.subject)} cannot be used: the key store has not answered for so long that another process may have destroyed its key`,
    'Try again when the store answers.',
    true,
  ),
  KEYS_REPLACED: entry(
    (f: { readonly store: string; readonly found: number; readonly known: number }) =>
      `The key store ${f.store} says that ${f.found} keys were destroyed, but it said ${f.known} before: an earlier state has replaced it`,
    'Forget again who was forgotten since that state, and start the program again.',
  ),
  PERSONAL_TOO_NEW: entry(
    (f: { readonly what: string; readonly version: number; readonly known: number }) =>
      `${f.what} has format ${f.version} of personal data, but this program knows only formats up to ${f.known}`,
    'Upgrade mneme.',
  ),
  STORE_CLOSED: entry(
    (f: { readonly store: string; readonly because?: string }) =>
      `The store ${f.store} is closed${f.because === undefined ? '' : `, because ${f.because}`}`,
    'Open the store again, or start the domain again.',
  ),
  SQL_FAILED: entry(
    (f: { readonly store: string; readonly statement: string; readonly reason: string }) =>
      `The store ${f.store} did not run the statement ${brief(f.statement)}: ${f.reason}`,
    'Fix the statement or its values. If the handler does not catch this error, nothing of the transaction is saved.',
  ),
  TRANSACTION_TOO_LONG: entry(
    (f: { readonly store: string; readonly transactionMsMax: number }) =>
      `A transaction of the store ${f.store} was still open after ${f.transactionMsMax} ms and was rolled back`,
    'In a transaction, wait only for its own queries. Or raise the limit.',
    true,
  ),
  READ_TOO_LONG: entry(
    (f: { readonly store: string; readonly readTimeoutMs: number }) =>
      `A read of tables in the store ${f.store} was not done after ${f.readTimeoutMs} ms and was given up`,
    'Add an index, read less, or raise `readTimeoutMs`. In a read, wait only for its own queries.',
    true,
  ),
  RESULT_TOO_LARGE: entry(
    (f: { readonly store: string; readonly statement: string; readonly rowsMax: number; readonly sizeMax: number }) =>
      `The result of ${brief(f.statement)} in the store ${f.store} has more than ${f.rowsMax} rows or ${f.sizeMax} characters`,
    'Read pages: add LIMIT, and begin the next page behind the last key (WHERE key > ...). Sums belong into the statement.',
  ),

  // -- projections
  PROJECTION_FAILED: entry(
    (f: {
      readonly projection: string
      readonly position: number
      readonly event: string
      readonly command?: string
    }) =>
      `${called(f.projection)} ${
        f.command === undefined ? 'could not handle' : `could not send ${f.command}, which was scheduled because of`
      } the event ${f.event} at position ${f.position}, and has stopped`,
    'Look at the `cause`. Fix the function, then start it again.',
  ),
  PROJECTION_BEHIND: entry(
    (f: {
      readonly projection: string
      readonly position: number
      readonly atLeast: number
      readonly waitedMs: number
      readonly retrying?: RetryFacts
      readonly leader?: { readonly until: Date }
      readonly pausedSince?: Date
    }) =>
      `${called(f.projection)} did not reach position ${f.atLeast} within ${f.waitedMs} ms; it is at ${f.position}${restingSince(f.pausedSince)}${untilLedBy(f.leader)}`,
    'Wait longer with `timeoutMs`, or look at the status of the projection.',
    true,
  ),
  TIMER_UNKNOWN: entry(
    (f: { readonly projection: string; readonly id: string }) =>
      `${called(f.projection)} has no scheduled command with the id ${brief(f.id)}`,
    'It was sent or cancelled. List the scheduled commands, and give one of their ids.',
  ),
  PROJECTION_PAUSED: entry(
    (f: { readonly projection: string; readonly since: Date }) =>
      `${called(f.projection)} handles nothing, because it is paused since ${f.since.toISOString()}`,
    'Let somebody resume it: `resume(name)`, or `mneme projections resume`. A pause holds in all processes, and over restarts.',
  ),
  PROJECTION_UNPREPARED: entry(
    (f: { readonly projection: string }) => `${called(f.projection)} does not run, because its .prepare threw`,
    'Fix the function, then start the projection again. The error that it threw is the `cause`.',
  ),
  PROJECTION_OUTDATED: entry(
    (f: { readonly projection: string; readonly revision: number; readonly live: number }) =>
      `${called(f.projection)} has revision ${f.revision} in this program, but its rows have revision ${f.live}`,
    'Run the newer program. This one cannot read or write these rows.',
  ),
  PROJECTION_CHANGED: entry(
    (f: { readonly projection: string; readonly missing: readonly string[]; readonly added: readonly string[] }) =>
      `${called(f.projection)} was run before by a program that handles other events${
        f.missing.length > 0 ? `; this program does not handle ${cut(f.missing.join(', '))}` : ''
      }${f.added.length > 0 ? `; only this program handles ${cut(f.added.join(', '))}, and there are earlier ones` : ''}`,
    'For rows, raise the revision. Otherwise say with reset where it continues. If two services use the name, give each its own.',
  ),
  PROJECTION_ELSEWHERE: entry(
    (f: { readonly projection: string; readonly doing: string }) =>
      `${f.doing} is possible only in the process that runs ${named(f.projection)}, and this is not that process`,
    'Do it in that process, or stop the projection there first.',
    true,
  ),
  REBUILD_RUNNING: entry(
    (f: { readonly projection: string }) => `${called(f.projection)} is already being rebuilt or compared`,
    'Wait until that is over.',
    true,
  ),
  REBUILD_IMPOSSIBLE: entry(
    (f: { readonly projection: string }) =>
      `${called(f.projection)} has no rows that could be rebuilt beside the live ones`,
    'Redo it with reset. Or define it under a new name with new tables, and drop the old ones when it has caught up.',
  ),
  TRANSACTION_MISSING: entry(
    (f: { readonly projection: string; readonly store: string }) =>
      `${called(f.projection)} asks for a transaction, but the store ${f.store} has no SQL`,
    'Use a store with SQL (sqlite, postgres). Or write elsewhere, so that doing it twice changes nothing.',
  ),
  SQL_MISSING: entry(
    (f: { readonly projection: string; readonly store: string }) =>
      `${called(f.projection)} is read with SQL, but the store ${f.store} has none`,
    'Use a store with SQL (sqlite, postgres). Or use a projection with rows, which every store can find and count. Or read where your handler writes.',
  ),
  HANDLER_OVER: entry(
    (f: { readonly reaction: string; readonly position: number }) =>
      `The handler of the reaction ${f.reaction} can do no more: it has returned, and the event at position ${f.position} counts as handled`,
    'Before a handler returns, await everything that it starts. This call had no effect.',
  ),
  STEP_TIMED_OUT: entry(
    (f: { readonly reaction: string; readonly step: string; readonly position: number; readonly timeoutMs: number }) =>
      `The step ${f.step} of the reaction ${f.reaction} did not end within ${f.timeoutMs} ms, for the event at position ${f.position}`,
    'Find out why the other side is slow, or raise `timeoutMs`. It may have done its work, so give it the id of the step.',
    true,
  ),
  PARKED_UNKNOWN: entry(
    (f: { readonly projection: string; readonly position: number }) =>
      `${called(f.projection)} has nothing parked at position ${f.position}`,
    'List the parked events, and give one of their positions.',
  ),
  PROJECTION_UNKNOWN: entry(
    (f: { readonly projection: unknown; readonly known: readonly string[] }) =>
      `There is no projection or reaction ${brief(f.projection)} here; known names: ${f.known.join(', ') || 'none'}`,
    'Fix the name, or add it to the domain. `projections` manages projections, and `reactions` manages reactions.',
  ),

  // -- tenants
  TENANT_NOT_OPENED: entry(
    (f: { readonly tenant: string }) => `The domain of the tenant ${brief(f.tenant)} could not be opened`,
    'Look at the `cause`. Other tenants are not affected.',
    true,
  ),
  TENANTS_BUSY: entry(
    (f: { readonly tenant: string; readonly openMax: number; readonly waitMs: number }) =>
      `The tenant ${brief(f.tenant)} was not opened: all ${f.openMax} tenants that may be open at once were in use for ${f.waitMs} ms`,
    'Try again later, or raise openMax.',
    true,
  ),

  // -- HTTP
  REQUEST_MALFORMED: entry(
    (f: { readonly reason: string }) => `The request cannot be understood: ${f.reason}`,
    'Fix the request.',
  ),
  ROUTE_UNKNOWN: entry(
    (f: { readonly what: string }) => `The service has no ${f.what} at this address`,
    'Fix the address. The document openapi.json lists what there is.',
  ),
  ROW_UNKNOWN: entry(
    (f: { readonly projection: string }) => `The projection ${f.projection} has no row with this key`,
    'Fix the key, or give the position of the event that makes the row.',
  ),
  METHOD_NOT_ALLOWED: entry(
    (f: { readonly method: string; readonly allowed: string }) =>
      `The method ${f.method} is not possible here; possible is ${f.allowed}`,
    'Use another method.',
  ),
  CONTENT_UNSUPPORTED: entry(
    (f: { readonly expected: string }) => `The body of the request is not what was expected: ${f.expected}`,
    'Send JSON, with the header Content-Type: application/json, and not compressed.',
  ),
  BODY_TOO_LARGE: entry(
    (f: { readonly sizeMax: number }) => `The body of the request has more than ${f.sizeMax} bytes`,
    'Send less at once, or raise the option bodySizeMax.',
  ),
  BODY_TOO_SLOW: entry(
    (f: { readonly timeoutMs: number }) => `The body of the request did not arrive within ${f.timeoutMs} ms`,
    'Send it faster, or raise the option bodyTimeoutMs.',
    true,
  ),
  REQUEST_FORBIDDEN: entry(
    (f: { readonly what: string }) => `The sender of the request may not ${f.what}`,
    'The options maySend and mayRead decide who may do what.',
  ),
  ORIGIN_FORBIDDEN: entry(
    (f: { readonly origin: string }) => `A page of the origin ${f.origin} may not use this service`,
    'If it may, add its origin to the option origins.',
  ),
  HOST_FORBIDDEN: entry(
    (f: { readonly host: string }) => `The service is not known by the host name ${f.host}`,
    'If it is, add the name to the option hosts.',
  ),
  REQUEST_TIMED_OUT: entry(
    (f: { readonly timeoutMs: number }) => `The request was not answered within ${f.timeoutMs} ms, and had no effect`,
    'Send it again, or raise the option timeoutMs.',
    true,
  ),
} as const

export type ErrorCode = keyof typeof catalogue
/** The facts that errors of a code carry. */
export type FactsOf<Code extends ErrorCode> = Code extends ErrorCode
  ? Parameters<(typeof catalogue)[Code]['what']>[0]
  : never

/** The longest text of what happened, in characters. Input of any size may be in it. */
const lengthMax = 1_000
const cut = (text: string): string =>
  text.length > lengthMax ? `${text.slice(0, lengthMax - 3).toWellFormed()}...` : text

/** The whole message: what happened with its facts, the message of the cause, what to do, and where to read more. */
export function messageOf<Code extends ErrorCode>(code: Code, facts: FactsOf<Code>, cause?: unknown): string {
  const { what, remedy } = catalogue[code] as Entry<FactsOf<Code>>
  const because = cause instanceof Error ? ` (${cut(wordsOf(cause))})` : ''
  return `${cut(what(facts))}${because}. ${remedy} [${code}, docs/errors.md#${code.toLowerCase()}]`
}
