/** What an observer is told of commands and decisions. */
import { MnemeError } from '../domain/error.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Outcome } from '../domain/outcome.ts'
import type { AnyRejection } from '../domain/rejection.ts'
import type { StreamId } from '../domain/stream.ts'
import type { EndOf, Observing, Span } from '../runtime/observing.ts'
import { checkMetadata } from '../store/commit.ts'
import type { Decided } from './decide.ts'
import type { DispatchOptions } from './dispatch-options.ts'
import { Moved } from './moved.ts'

/** A command that has started. */
interface Started {
  readonly name: string
  readonly commandId: string
  readonly metadata: JsonObject
  observeWith(span: Span<'command'>): void
}

/** When a command was given to the kernel, as `elapsed` says, and its span. */
export interface Begun {
  readonly span: number
  readonly beganAt: number
}

type End = Omit<EndOf<'command'>, 'waitedMs' | 'conflicts'>

const nothing = { events: 0, sequence: undefined, position: undefined } as const

/** The end of a command that was answered. */
export function endOf(outcome: Outcome): End {
  if (!outcome.accepted) return { outcome: 'rejected', code: (outcome.rejection as AnyRejection).code, ...nothing }
  const { events, sequence, position } = outcome
  const isChanged = events.length > 0
  return { outcome: isChanged ? 'accepted' : 'unchanged', code: undefined, events: events.length, sequence, position }
}

/** The end of a command that failed. */
export function failedWith(error: unknown): End {
  if (error instanceof Moved) return { outcome: 'moved', code: undefined, ...nothing }
  return { outcome: 'failed', code: error instanceof MnemeError ? error.code : undefined, ...nothing, error }
}

/** The options of a command, with the metadata that the observer gives it. @throws InputError `DATA_NOT_JSON` */
export function marked<Options extends Pick<DispatchOptions, 'metadata' | 'parent'>>(
  observing: Observing,
  stream: StreamId,
  command: string,
  options: Options,
  { span, to }: { readonly span: number; readonly to?: string },
): Options {
  const given = checkMetadata(options.metadata)
  const mark = observing.markOf({
    span,
    parent: options.parent,
    stream,
    command,
    metadata: given,
    ...(to !== undefined && { to }),
  })
  return mark === undefined ? options : { ...options, metadata: { ...given, ...mark } }
}

/** A command waits for its decision. It tells of its end itself. */
export function tellStarted(
  observing: Observing,
  pending: Started,
  stream: StreamId,
  parent: number | undefined,
  { span, beganAt }: Begun,
): void {
  const { name: command, commandId, metadata } = pending
  pending.observeWith(observing.start('command', { parent, stream, command, commandId, metadata }, beganAt, span))
}

/** A command that was refused before it could wait: it starts and ends at once. */
export function tellRefused(
  observing: Observing,
  stream: StreamId,
  command: string,
  { commandId, parent }: { readonly commandId: string | undefined; readonly parent: number | undefined },
  { span: id, beganAt }: Begun,
  error: unknown,
): void {
  const fields = { parent, stream, command, commandId, metadata: {} }
  const span = observing.start('command', fields, beganAt, id)
  span.end({ ...failedWith(error), waitedMs: undefined, conflicts: 0 })
}

/** A command was decided. */
export function tellDecision(
  observing: Observing,
  { span, name: command }: { readonly span: Span<'command'> | undefined; readonly name: string },
  decided: Decided,
  { stream, sequence, beganAt }: { readonly stream: StreamId; readonly sequence: number; readonly beganAt: number },
): void {
  // A command without a span is older than the observer.
  if (span === undefined) return
  const commit = decided.kind === 'events' ? decided.commit : undefined
  observing.tell({
    kind: 'decision',
    parent: span.id,
    stream,
    command,
    sequence,
    outcome: decided.kind,
    types: commit === undefined ? [] : commit.events.map(({ type }) => type),
    size: commit?.size ?? 0,
    tookMs: observing.elapsed() - beganAt,
    ...(decided.kind === 'failed' && { error: decided.error }),
  })
}
