/**
 * A trace in metadata: `traceparent` and `tracestate`, as W3C Trace Context writes them. The names are fixed, whatever
 * propagator the program has for its requests, because programs of other times read them in the log.
 */
import {
  type Context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type SpanContext,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import type { JsonObject } from '../domain/json.ts'

const form = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/

/** A span in the form of metadata; `undefined` if there is no such span, because no SDK is installed. */
export function metadataOf(span: SpanContext): JsonObject | undefined {
  if (!isSpanContextValid(span)) return undefined
  const { traceId, spanId, traceFlags, traceState } = span
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
  const tracestate = traceState?.serialize()
  return { traceparent, ...(tracestate && { tracestate }) }
}

/** The span in metadata. `undefined` if there is none, or what is there cannot be read. */
export function spanIn({ traceparent, tracestate }: JsonObject): SpanContext | undefined {
  const parts = typeof traceparent === 'string' ? form.exec(traceparent) : null
  if (parts === null || parts[0].startsWith('ff')) return undefined
  const [, traceId, spanId, flags] = parts as unknown as readonly [string, string, string, string]
  const span: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(typeof tracestate === 'string' && tracestate !== '' && { traceState: createTraceState(tracestate) }),
  }
  return isSpanContextValid(span) ? span : undefined
}

/** The context in which something belongs to a span, and to nothing else. */
export const contextOf = (span: SpanContext): Context => trace.setSpanContext(ROOT_CONTEXT, span)
