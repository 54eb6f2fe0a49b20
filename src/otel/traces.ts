/**
 * Makes spans of observations. A command, a reaction's handling of an event, a timer, a rebuild and a command on its
 * way to another process are spans of their own. Work that is done for many at once is shown in the trace of each: the
 * append of a batch below each of its commands, and the step of a projection below each command whose events it
 * handled.
 */
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import type { JsonObject } from '../domain/json.ts'
import type {
  BatchEnded,
  BatchStarted,
  CommandEnded,
  DecisionMade,
  Departing,
  Observation,
  ReactionStarted,
  StepEnded,
  StepStarted,
  TimerStarted,
} from '../runtime/observation.ts'
import { commandAttributes, errorType, streamAttributes, systemOf } from './attributes.ts'
import { spanClock } from './clock.ts'
import { contextOf, metadataOf, spanIn } from './trace-context.ts'

type Of<Kind> = Extract<Observation, { readonly kind: Kind }>
type Ended = Extract<Observation, { readonly tookMs: number; readonly span: number }>

export class Traces {
  readonly #tracer: Tracer
  readonly #now = spanClock()
  /** Spans that have begun, by the number of their observation. */
  readonly #open = new Map<number, Span>()
  /** The recorded spans of commands that wait for their answer, by the command's id. */
  readonly #commands = new Map<string, Span>()

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  /** Begins the span of a command, and gives the metadata in which its trace goes on. */
  mark(departing: Departing): JsonObject | undefined {
    const { span: number, stream, command, to } = departing
    const verb = to === undefined ? 'dispatch' : 'forward'
    const attributes = {
      ...commandAttributes(stream, command),
      ...streamAttributes(stream),
      ...(to !== undefined && { 'server.address': to }),
    }
    const kind = to === undefined ? SpanKind.INTERNAL : SpanKind.CLIENT
    const name = `${verb} ${stream.aggregate}.${command}`
    const span = this.#tracer.startSpan(name, { kind, attributes, startTime: this.#now() }, this.#parentOf(departing))
    const metadata = metadataOf(span.spanContext())
    if (metadata !== undefined) this.#open.set(number, span)
    return metadata
  }

  /** Runs something with its span as the active one. */
  surround<Result>(number: number, run: () => Result): Result {
    const span = this.#open.get(number)
    return span === undefined ? run() : context.with(trace.setSpan(ROOT_CONTEXT, span), run)
  }

  /** @param started the observation of the start, for one of an end */
  observe(observed: Observation, started: Observation | undefined): void {
    switch (observed.kind) {
      case 'command started':
        this.#commandStarted(observed.span, observed.commandId)
        return
      case 'command ended':
        this.#commandEnded(observed, (started as Of<'command started'> | undefined)?.commandId)
        return
      case 'decision':
        this.#decided(observed)
        return
      case 'conflict':
        this.#open
          .get(observed.parent)
          ?.addEvent('conflict', { 'mneme.sequence': observed.sequence, 'mneme.reserved': observed.reserved })
        return
      case 'batch ended':
        this.#appended(observed, started as BatchStarted)
        return
      case 'step ended':
        this.#stepped(observed, started as StepStarted)
        return
      case 'reaction started':
        this.#reactionStarted(observed)
        return
      case 'timer started':
        this.#timerStarted(observed)
        return
      case 'rebuild started':
        this.#begin(observed.span, `rebuild ${observed.projection}`, SpanKind.INTERNAL, {
          'mneme.projection': observed.projection,
          'mneme.rebuild.reason': observed.why,
        })
        return
      case 'reaction ended':
      case 'timer ended':
      case 'forward ended':
        this.#end(observed, { 'mneme.outcome': observed.outcome })
        return
      case 'rebuild ended':
        this.#end(observed, { 'mneme.position': observed.position })
        return
      default:
    }
  }

  // -- commands ----------------------------------------------------------------------------------------------

  #commandStarted(number: number, commandId: string | undefined): void {
    const span = this.#open.get(number)
    if (commandId === undefined || !span?.isRecording()) return
    span.setAttribute('mneme.command.id', commandId)
    this.#commands.set(commandId, span)
  }

  #commandEnded(observed: CommandEnded, commandId: string | undefined): void {
    const { span: number, outcome, code, events, sequence, position, conflicts, waitedMs } = observed
    if (commandId !== undefined && this.#commands.get(commandId) === this.#open.get(number))
      this.#commands.delete(commandId)
    this.#end(observed, {
      'mneme.outcome': outcome,
      'mneme.events': events,
      'mneme.conflicts': conflicts,
      ...(outcome === 'rejected' && code !== undefined && { 'mneme.rejection': code }),
      ...(sequence !== undefined && { 'mneme.sequence': sequence }),
      ...(position !== undefined && { 'mneme.position': position }),
      ...(waitedMs !== undefined && { 'mneme.waited_ms': waitedMs }),
    })
  }

  #decided({ parent, stream, command, sequence, outcome, types, tookMs, error }: DecisionMade): void {
    const above = this.#open.get(parent)
    if (!above?.isRecording()) return
    const attributes = { 'mneme.sequence': sequence, 'mneme.outcome': outcome, 'mneme.event.types': [...types] }
    const within = trace.setSpan(ROOT_CONTEXT, above)
    this.#past(`decide ${stream.aggregate}.${command}`, SpanKind.INTERNAL, attributes, tookMs, within, error)
  }

  #appended({ tookMs, error }: BatchEnded, { store, commandIds, events }: BatchStarted): void {
    const attributes = {
      'db.system.name': systemOf(store),
      'db.operation.name': 'append',
      // The convention gives a size only to batches.
      ...(commandIds.length > 1 && { 'db.operation.batch.size': commandIds.length }),
      'mneme.events': events,
    }
    for (const commandId of commandIds) {
      const above = this.#commands.get(commandId)
      if (above === undefined) continue
      this.#past('append', SpanKind.CLIENT, attributes, tookMs, trace.setSpan(ROOT_CONTEXT, above), error)
    }
  }

  // -- along the log -----------------------------------------------------------------------------------------

  #stepped({ traceparents, events, position, tookMs, error }: StepEnded, { name }: StepStarted): void {
    if (traceparents.length === 0) return
    const attributes = {
      ...consumerAttributes(name),
      'mneme.projection': name,
      'mneme.position': position,
      'messaging.batch.message_count': events,
    }
    for (const traceparent of traceparents) {
      const above = spanIn({ traceparent })
      if (above === undefined || above.traceFlags !== TraceFlags.SAMPLED) continue
      this.#past(`project ${name}`, SpanKind.CONSUMER, attributes, tookMs, contextOf(above), error)
    }
  }

  #reactionStarted({ span, reaction, type, stream, position, metadata }: ReactionStarted): void {
    const above = spanIn(metadata)
    const attributes = {
      ...consumerAttributes(reaction),
      'mneme.reaction': reaction,
      'mneme.aggregate': stream.aggregate,
      ...streamAttributes(stream),
      'mneme.event.type': type,
      'mneme.position': position,
    }
    this.#begin(span, `react ${reaction}`, SpanKind.CONSUMER, attributes, above && contextOf(above))
  }

  /** It may have waited for days, so it begins a trace of its own, with a link to the one that scheduled it. */
  #timerStarted({ span, reaction, stream, command, metadata, dueAtMs }: TimerStarted): void {
    const scheduled = spanIn(metadata)
    const attributes = {
      ...consumerAttributes(reaction),
      'mneme.reaction': reaction,
      ...commandAttributes(stream, command),
      'mneme.due_at_ms': dueAtMs,
    }
    this.#begin(
      span,
      `fire ${reaction}`,
      SpanKind.CONSUMER,
      attributes,
      undefined,
      scheduled && [{ context: scheduled }],
    )
  }

  // -- spans -------------------------------------------------------------------------------------------------

  /** Where a command belongs: to what its metadata name, or to what is active where it is sent. */
  #parentOf({ parent, metadata }: Departing): Context {
    const active = context.active()
    const here = trace.getSpanContext(active)
    if (parent === undefined) {
      const given = spanIn(metadata)
      // What is active in the same trace is nearer.
      return given === undefined || given.traceId === here?.traceId ? active : contextOf(given)
    }
    if (here !== undefined && isSpanContextValid(here)) return active
    // Without a context manager nothing is ever active.
    const above = this.#open.get(parent)
    return above === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, above)
  }

  #begin(
    number: number,
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    within: Context = ROOT_CONTEXT,
    links?: Link[],
  ): void {
    const options = { kind, attributes, startTime: this.#now(), ...(links && { links }) }
    this.#open.set(number, this.#tracer.startSpan(name, options, within))
  }

  #end({ span: number, error }: Ended, attributes: Attributes): void {
    const span = this.#open.get(number)
    if (span === undefined) return
    this.#open.delete(number)
    span.setAttributes(attributes)
    if (error !== undefined) fail(span, error)
    span.end(this.#now())
  }

  /** A span of something that is over already. */
  #past(name: string, kind: SpanKind, attributes: Attributes, tookMs: number, within: Context, error: unknown): void {
    const now = this.#now()
    const span = this.#tracer.startSpan(name, { kind, attributes, startTime: now - tookMs }, within)
    if (error !== undefined) fail(span, error)
    span.end(now)
  }
}

/** What the conventions for messaging say of a consumer of the log. */
const consumerAttributes = (name: string): Attributes => ({
  'messaging.system': 'mneme',
  'messaging.operation.name': 'handle',
  'messaging.operation.type': 'process',
  'messaging.destination.name': 'log',
  'messaging.consumer.group.name': name,
})

function fail(span: Span, error: unknown): void {
  span.setAttribute('error.type', errorType(error))
  span.setStatus({ code: SpanStatusCode.ERROR })
}
