/**
 * The words of every error: what happened with its facts, what to do, and whether trying again can help. A message ends
 * with the place in docs/errors.md that says more. A test holds this list and that page against each other.
 *
 * Tidy: inferred exports because the types of the facts come from the functions that use them.
 */
import { at, brief, type CheckpointFacts, called, placed, untilLedBy } from './error-words.ts'
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
    'Correct the definition.',
  ),
  NAME_RESERVED: entry(
    (f: { readonly where: string; readonly name: string }) =>
      `${f.where} cannot be named "${f.name}": the word is taken by the API`,
    'Choose another name.',
  ),
  SCHEMA_ASYNC: entry(
    (f: { readonly where: string }) => `The schema of ${f.where} validates asynchronously`,
    'Use a synchronous schema, and look things up before the command or after the event.',
  ),
  OPTION_INVALID: entry(
    (f: { readonly option: string; readonly expected: string; readonly found: unknown; readonly nearest?: string }) =>
      f.nearest === undefined
        ? `The option ${f.option} must be ${f.expected}, not ${brief(f.found)}`
        : `There is no option ${f.option} (did you mean ${f.nearest}?); it must be ${f.expected}`,
    'Correct the option.',
  ),
  RUNTIME_UNSUPPORTED: entry(
    (f: { readonly what: string; readonly needs: string; readonly found: string }) =>
      `${f.what} needs ${f.needs}, which ${f.found} does not have`,
    'Run the program on Node 22.18 or newer.',
  ),

  // -- input
  AGGREGATE_UNKNOWN: entry(
    (f: { readonly aggregate: unknown; readonly known: readonly string[] }) =>
      `There is no aggregate ${brief(f.aggregate)}; this domain has ${f.known.join(', ')}`,
    'Correct the name, or add the aggregate to domain({ aggregates }).',
  ),
  COMMAND_UNKNOWN: entry(
    (f: { readonly aggregate: string; readonly command: unknown; readonly known: readonly string[] }) =>
      `${f.aggregate} has no command ${brief(f.command)}; it has ${f.known.join(', ') || 'none'}`,
    'Correct the name, or add it with .command(name, schema, decide).',
  ),
  COMMAND_MALFORMED: entry(
    (f: { readonly reason: string }) => `This is not a command: ${f.reason}`,
    'Dispatch { aggregate, id, name, data, commandId?, metadata?, tags? }.',
  ),
  COMMAND_INVALID: entry(
    (f: { readonly aggregate: string; readonly command: string; readonly issues: readonly Issue[] }) =>
      `The data of ${f.aggregate}.${f.command} is not valid: ${describe(f.issues)}`,
    'Correct the data; `facts.issues` lists every issue.',
  ),
  COMMAND_TOO_LARGE: entry(
    (f: { readonly aggregate: string; readonly command: string; readonly sizeMax: number }) =>
      `The data of ${f.aggregate}.${f.command} has more than ${f.sizeMax} characters`,
    'Split the command into several, keep large contents elsewhere and send a reference, or raise `limits.commandSizeMax`.',
  ),
  ID_INVALID: entry(
    (f: { readonly what: string; readonly id: unknown; readonly reason: string }) =>
      `${brief(f.id)} cannot be ${f.what}: ${f.reason}`,
    'Use 1 to 1,024 bytes of any text without null characters.',
  ),
  DATA_NOT_JSON: entry(
    (f: { readonly what: string; readonly path: string; readonly found: string }) =>
      `${f.what} holds ${f.found}${f.path === '' ? '' : ` at ${f.path}`}, which cannot be stored`,
    'Store plain data: texts, finite numbers, booleans, null, lists, records and dates.',
  ),
  COMMIT_EMPTY: entry(
    (f: { readonly stream: StreamId }) => `A commit on ${at(f.stream)} has no events`,
    'Append at least one event.',
  ),
  COMMIT_TOO_LARGE: entry(
    (f: { readonly stream: StreamId; readonly measure: string; readonly size: number; readonly sizeMax: number }) =>
      `A commit on ${at(f.stream)} has ${f.size} ${f.measure}, and the store takes ${f.sizeMax}`,
    'Split the command into several, or keep large contents elsewhere and store a reference.',
  ),
  RANGE_INVALID: entry(
    (f: { readonly from: unknown; readonly to: unknown; readonly reason: string }) =>
      `[${brief(f.from)}, ${brief(f.to)}) is not a range: ${f.reason}`,
    'Use whole numbers from 0; only the upper bound may be infinite.',
  ),

  // -- events
  EVENT_INVALID: entry(
    (f: { readonly event: string; readonly where: string; readonly issues: readonly Issue[] }) =>
      `The data of the event ${f.event} ${f.where} does not fit its schema: ${describe(f.issues)}`,
    'Correct what makes the event; for stored events, add a revision with .revise(schema, upcast) instead of changing a schema.',
  ),
  SCHEMA_UNSTABLE: entry(
    (f: { readonly event: string; readonly path: string }) =>
      `The schema or the upcast of the event ${f.event} gives something else each time for the same data${f.path === '' ? '' : `, at ${f.path}`}`,
    'Choose such values in the decision, by its `now` and `newId()`, and store them in the event.',
  ),
  EVENT_UNDECLARED: entry(
    (f: {
      readonly aggregate: string
      readonly event: unknown
      readonly known: readonly string[]
      readonly stream?: StreamId
      readonly sequence?: number
    }) =>
      `${f.aggregate} has no .on for the event ${brief(f.event)}${
        f.stream === undefined ? '' : `, which is stored at sequence ${f.sequence} of ${at(f.stream)}`
      }; it knows ${f.known.join(', ') || 'none'}`,
    'Declare it with .on(Event, evolve), or .on(Event) if it leaves the state as it is; if a newer program stores it, run that one.',
  ),
  EVENT_NEWER: entry(
    (f: { readonly event: string; readonly revision: number; readonly known: number }) =>
      `The event ${f.event} is stored in revision ${f.revision}, and this program knows ${f.known}`,
    'Run the version of the program that wrote it, or a newer one.',
  ),
  EVENT_UPCAST_FAILED: entry(
    (f: { readonly event: string; readonly revision: number }) =>
      `The upcast of the event ${f.event} to revision ${f.revision} threw`,
    'Correct the function given to .revise(schema, upcast); the cause is attached.',
  ),

  // -- decisions
  DECIDE_FAILED: entry(
    (f: { readonly stream: StreamId; readonly command: string }) =>
      `The decision of ${f.command} on ${at(f.stream)} threw, and nothing was stored`,
    'Correct the decide function (a business "no" is returned with reject, not thrown); the cause is attached.',
  ),
  EVOLVE_FAILED: entry(
    (f: { readonly stream: StreamId; readonly command: string; readonly event: string }) =>
      `The event ${f.event} of ${f.command} could not be applied to ${at(f.stream)}, and nothing was stored`,
    'Correct the evolve function (it returns a new state and changes nothing in place); the cause is attached.',
  ),
  VERDICT_INVALID: entry(
    (f: { readonly stream: StreamId; readonly command: string; readonly found: string }) =>
      `The decision of ${f.command} on ${at(f.stream)} returned ${f.found}, and nothing was stored`,
    'Return an event, a list of events, reject(...) or undefined, synchronously.',
  ),
  AGGREGATE_LOAD_FAILED: entry(
    (f: { readonly stream: StreamId; readonly retryInMs: number }) =>
      `${at(f.stream)} could not be loaded from its events; the next try is due in ${Math.ceil(f.retryInMs)} ms`,
    'Fix the cause, which is attached. Other aggregates are not affected.',
    true,
  ),

  COMMAND_ID_REUSED: entry(
    (f: { readonly stream: StreamId; readonly commandId: string; readonly command: string; readonly stored: string }) =>
      `The command id ${brief(f.commandId)} on ${at(f.stream)} is that of ${
        f.stored === f.command ? `${f.stored} with other data` : f.stored
      }, which is stored; ${f.command} was not decided`,
    'Give every command an id of its own; repeat a command with its id only as it was.',
  ),

  // -- concurrency and load
  CONFLICT: entry(
    (f: { readonly stream: StreamId; readonly tries: number; readonly sequence: number }) =>
      `${at(f.stream)} was written by others in each of ${f.tries} tries; it is now at sequence ${f.sequence}`,
    'Try again; if this is common, let one process own the aggregate.',
    true,
  ),
  CHECKPOINT_CONFLICT: entry(
    (f: { readonly projection: string; readonly expected: CheckpointFacts; readonly actual: CheckpointFacts }) =>
      `The checkpoint of ${f.projection} is at ${placed(f.actual)}, not at ${placed(f.expected)}: another runner moved it`,
    'Continue from the stored checkpoint.',
    true,
  ),
  OVERLOADED: entry(
    (f: { readonly queue: string; readonly sizeMax: number }) => `The queue ${f.queue} is full with ${f.sizeMax}`,
    'Try again later, send less at once, or raise the bound.',
    true,
  ),
  OUTCOME_UNKNOWN: entry(
    (f: { readonly stream: StreamId; readonly commandId: string }) =>
      `It is unknown whether the command ${f.commandId} on ${at(f.stream)} was stored`,
    'Send it again with the same commandId: it has one effect.',
    true,
  ),
  ABORTED: entry(
    (f: { readonly what: string }) => `${f.what} was aborted by its signal before it was done, and had no effect`,
    'There is nothing to fix.',
  ),
  STOPPED: entry(
    (f: { readonly what: string }) => `${f.what} was refused: the domain is stopped or stopping`,
    'Start the domain again and repeat.',
    true,
  ),

  // -- stores
  STORE_UNAVAILABLE: entry(
    (f: { readonly store: string; readonly doing: string }) => `The store ${f.store} failed while ${f.doing}`,
    'Look at the cause, which is attached, and try again.',
    true,
  ),
  STORE_FULL: entry(
    (f: { readonly store: string }) => `The store ${f.store} has no space left, and nothing was stored`,
    'Free some space; the store goes on by itself.',
    true,
  ),
  NOT_STORED: entry(
    (f: { readonly store: string; readonly doing: string }) =>
      `The store ${f.store} failed while ${f.doing}, and nothing was stored`,
    'Look at the cause, which is attached, and try again.',
    true,
  ),
  STORE_HALTED: entry(
    (f: { readonly store: string; readonly reason: string }) =>
      `The store ${f.store} stores nothing more until it is opened again: ${f.reason}`,
    'Close it, look at the cause and at its files, and open it again.',
  ),
  STORE_READ_ONLY: entry(
    (f: { readonly store: string }) => `The store ${f.store} cannot be written to`,
    'Give this process the right to write there, or choose another place.',
  ),
  STORE_LOCKED: entry(
    (f: { readonly store: string; readonly owner: string; readonly doubt?: string }) =>
      `The store ${f.store} is in use by ${f.owner}, and takes one writer${
        f.doubt === undefined
          ? ''
          : `; whether that process still runs cannot be told from here, so it counts as running. If it has certainly ended, remove ${f.doubt}`
      }`,
    'Stop the other process, or use a store for several writers (sqlite, postgres, mongodb).',
    true,
  ),
  STORE_CORRUPT: entry(
    (f: { readonly store: string; readonly where: string; readonly reason: string }) =>
      `The store ${f.store} is damaged at ${f.where}: ${f.reason}`,
    'Restore it from a backup; nothing was changed.',
  ),
  LOG_REPLACED: entry(
    (f: { readonly store: string; readonly position: number; readonly head: number }) =>
      f.position > f.head
        ? `The log of the store ${f.store} ends at position ${f.head}, and position ${f.position} was read from it before`
        : `The log of the store ${f.store} holds another event at position ${f.position} than was read there before`,
    'It was replaced by an older copy or lost its end in a failover: rebuild what was made from it, and read from a position of this log.',
  ),
  STORE_TOO_NEW: entry(
    (f: { readonly store: string; readonly version: number; readonly known: number }) =>
      `The store ${f.store} is of version ${f.version}, and this program knows up to ${f.known}`,
    'Upgrade mneme.',
  ),
  STORE_TOO_OLD: entry(
    (f: { readonly store: string; readonly version: number; readonly known: number }) =>
      `The store ${f.store} is of version ${f.version}, and this program reads and writes version ${f.known} only`,
    'Open it with the version of mneme that wrote it, and copy its events into a new store; nothing was changed.',
  ),
  STORE_NAMES_TAKEN: entry(
    (f: { readonly store: string; readonly names: readonly string[] }) =>
      `The store ${f.store} would have names that something else has there: ${f.names.join(', ')}`,
    'Choose other names for the tables of the store (`prefix` for sqlite, `schema` for postgres), or another place; nothing was changed.',
  ),
  STORE_NOT_MIGRATED: entry(
    (f: { readonly store: string; readonly reason: string }) => `The store ${f.store} is not ready: ${f.reason}`,
    'Let `migrate` be true, or have somebody make it ready who may (for PostgreSQL by what `migrationSql` gives).',
  ),
  DRIVER_MISSING: entry(
    (f: { readonly store: string; readonly driver: string }) =>
      `The store ${f.store} needs the package ${f.driver}, which cannot be loaded`,
    'Install it, as in `npm install pg` or `npm install mongodb`; the cause is attached.',
  ),
  STORE_CLOSED: entry(
    (f: { readonly store: string; readonly because?: string }) =>
      `The store ${f.store} is closed${f.because === undefined ? '' : `, since ${f.because}`}`,
    'Open it again; a domain is started again.',
  ),
  SQL_FAILED: entry(
    (f: { readonly store: string; readonly statement: string; readonly reason: string }) =>
      `The store ${f.store} did not run ${brief(f.statement)} in a transaction: ${f.reason}`,
    'Correct the statement or its values; nothing of the transaction is saved unless its work handles this.',
  ),
  TRANSACTION_TOO_LONG: entry(
    (f: { readonly store: string; readonly transactionMsMax: number }) =>
      `A transaction of the store ${f.store} was not over after ${f.transactionMsMax} ms and was rolled back`,
    'Let its work wait for nothing but its own queries, or raise the limit.',
    true,
  ),

  // -- projections
  PROJECTION_FAILED: entry(
    (f: {
      readonly projection: string
      readonly position: number
      readonly event: string
      readonly command?: string
    }) =>
      `${called(f.projection)} failed on ${
        f.command === undefined ? '' : `${f.command}, which was scheduled because of `
      }the event ${f.event} at position ${f.position}, and stands before it`,
    'Correct its function, then start it again; the cause is attached.',
  ),
  PROJECTION_BEHIND: entry(
    (f: {
      readonly projection: string
      readonly position: number
      readonly atLeast: number
      readonly waitedMs: number
      readonly retrying?: {
        readonly event?: { readonly position: number; readonly type: string }
        readonly attempts?: number
        readonly nextAt?: Date
      }
      readonly leader?: { readonly until: Date }
    }) =>
      `${called(f.projection)} was at position ${f.position} after ${f.waitedMs} ms, not at ${f.atLeast}${untilLedBy(f.leader)}`,
    'Wait longer (timeoutMs), or look at why it is behind.',
    true,
  ),
  PROJECTION_UNPREPARED: entry(
    (f: { readonly projection: string }) => `${called(f.projection)} could not be prepared, and does not run`,
    'Correct its .prepare, then start it again; the cause is attached.',
  ),
  PROJECTION_OUTDATED: entry(
    (f: { readonly projection: string; readonly revision: number; readonly live: number }) =>
      `${called(f.projection)} is of revision ${f.revision} in this program, and its rows are of revision ${f.live}`,
    'Run the newer program; this one cannot read or write these rows any more.',
  ),
  PROJECTION_CHANGED: entry(
    (f: { readonly projection: string; readonly missing: readonly string[]; readonly added: readonly string[] }) =>
      `${called(f.projection)} was run before by a program that handles other events${
        f.missing.length > 0 ? `; this one does not handle ${cut(f.missing.join(', '))}` : ''
      }${f.added.length > 0 ? `; only this one handles ${cut(f.added.join(', '))}, and there are earlier ones` : ''}`,
    'Raise the revision of rows, or say by reset where to go on. If it is of another service, give this one a name of its own.',
  ),
  PROJECTION_ELSEWHERE: entry(
    (f: { readonly projection: string; readonly doing: string }) =>
      `${f.doing} is for the process that runs ${called(f.projection)}, and that is another one`,
    'Do it there, or stop the projection there first.',
    true,
  ),
  REBUILD_RUNNING: entry(
    (f: { readonly projection: string }) => `${called(f.projection)} is being rebuilt or compared already`,
    'Wait until that is over; one at a time is enough.',
    true,
  ),
  REBUILD_IMPOSSIBLE: entry(
    (f: { readonly projection: string }) =>
      `${called(f.projection)} keeps no rows that could be built again beside those that serve`,
    'Define it under a new name with tables of its own, and drop the old one when the new one has caught up.',
  ),
  TRANSACTION_MISSING: entry(
    (f: { readonly projection: string; readonly store: string }) =>
      `${called(f.projection)} asks for a transaction, and the store ${f.store} has no SQL`,
    'Use a store with SQL (sqlite, postgres), or write elsewhere so that doing it twice changes nothing.',
  ),
  HANDLER_OVER: entry(
    (f: { readonly reaction: string; readonly position: number }) =>
      `The handler of the reaction ${f.reaction} has returned, and the event at position ${f.position} counts as handled`,
    'Await whatever a handler starts before it returns; this command was not sent.',
  ),
  PARKED_UNKNOWN: entry(
    (f: { readonly projection: string; readonly position: number }) =>
      `${called(f.projection)} has nothing parked at position ${f.position}`,
    'List what is parked, and give one of those positions.',
  ),
  PROJECTION_UNKNOWN: entry(
    (f: { readonly projection: unknown; readonly known: readonly string[] }) =>
      `There is no projection ${brief(f.projection)}; this domain has ${f.known.join(', ') || 'none'}`,
    'Correct the name, or add it to the domain; `projections` manages projections, and `reactions` reactions.',
  ),
} as const

export type ErrorCode = keyof typeof catalogue
/** The facts that errors of a code carry. */
export type FactsOf<Code extends ErrorCode> = Code extends ErrorCode
  ? Parameters<(typeof catalogue)[Code]['what']>[0]
  : never

/** What happened is told at this length at the most, in characters: input of any size may be in it. */
const lengthMax = 1_000
const cut = (text: string): string =>
  text.length > lengthMax ? `${text.slice(0, lengthMax - 3).toWellFormed()}...` : text

/** The message in its four parts: what happened, the facts within it, what to do, where to read. */
export function messageOf<Code extends ErrorCode>(code: Code, facts: FactsOf<Code>, cause?: unknown): string {
  const { what, remedy } = catalogue[code] as Entry<FactsOf<Code>>
  const because = cause instanceof Error ? ` (${cut(cause.message)})` : ''
  return `${cut(what(facts))}${because}. ${remedy} [${code}, docs/errors.md#${code.toLowerCase()}]`
}
