/** A request's trace goes on in the command that it sends, and in what follows from that: by a real SDK. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { z } from 'zod'
import { requests } from '../../test/support/http/client.ts'
import { aggregate, domain, event, memory, projection, reaction } from '../index.ts'
import { telemetry } from '../otel/index.ts'
import { http } from './index.ts'

const text = z.object({ text: z.string() })
const Noted = event('Noted', text)
const Copied = event('Copied', text)
const Pad = aggregate('pad', () => ({}))
  .on(Noted)
  .on(Copied)
  .command('note', text, (_, data) => Noted(data))
  .command('copy', text, (_, data) => Copied(data))
const Texts = projection('texts', () => ({ count: 0 })).on(Noted, ({ count }) => ({ count: count + 1 }))
const Copying = reaction('copying', { pad: Pad }).on(Noted, async ({ stream, data }, { dispatch }) => {
  await dispatch({ aggregate: 'pad', id: `${stream.id} copy`, name: 'copy', data })
})
const Pads = domain({ aggregates: { pad: Pad }, projections: { texts: Texts }, reactions: { copying: Copying } })

/** The spans of a request that a client sends, each with the one above it. */
async function spansOf(isInstrumented: boolean) {
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const tracer = tracerProvider.getTracer('test')
  const observe = telemetry({ tracerProvider })
  await using pads = await Pads.start({ store: memory(), projections: 'manual', observe })
  const serve = http(pads)
  const handle = async (request: Request) => {
    if (!isInstrumented) return serve(request)
    // What an instrumentation of a server does.
    const [, traceId, spanId] = request.headers.get('traceparent')!.split('-') as [string, string, string]
    const above = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: 1, isRemote: true })
    const span = tracer.startSpan('POST', { kind: SpanKind.SERVER }, above)
    return context.with(trace.setSpan(ROOT_CONTEXT, span), () => serve(request)).finally(() => span.end())
  }
  const sent = tracer.startSpan('send', { kind: SpanKind.CLIENT }, ROOT_CONTEXT)
  const { traceId, spanId } = sent.spanContext()
  const headers = { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'vendor=1' }
  assert.equal((await requests(handle).post('/aggregates/pad/a/note', { text: 'x' }, headers)).status, 200)
  sent.end()
  await pads.projections.runOnce('texts')
  await pads.reactions.runOnce('copying')
  const spans = exporter.getFinishedSpans()
  assert.deepEqual(new Set(spans.map((span) => span.spanContext().traceId)), new Set([traceId]))
  const names = new Map(spans.map((span) => [span.spanContext().spanId, span.name]))
  return spans.map(({ name, parentSpanContext }) => [name, names.get(parentSpanContext?.spanId ?? '')]).sort()
}

const following = [
  ['append', 'dispatch pad.copy'],
  ['append', 'dispatch pad.note'],
  ['decide pad.copy', 'dispatch pad.copy'],
  ['decide pad.note', 'dispatch pad.note'],
  ['dispatch pad.copy', 'react copying'],
]
const along = [
  ['project texts', 'dispatch pad.note'],
  ['react copying', 'dispatch pad.note'],
  ['send', undefined],
]

test('one trace goes from a client through the service to the next command', async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  try {
    assert.deepEqual(await spansOf(false), [...following, ['dispatch pad.note', 'send'], ...along])
    assert.deepEqual(await spansOf(true), [['POST', 'send'], ...following, ['dispatch pad.note', 'POST'], ...along])
  } finally {
    context.disable()
  }
})

test('the trace is in the metadata of the command, unless the program says otherwise or it is none', async () => {
  await using pads = await Pads.start()
  const { post } = requests(http(pads, { metadata: ({ user: _, ...asked }) => ({ by: asked.command.id }) }))
  const metadataOf = async (headers: Record<string, string>) => {
    await post('/aggregates/pad/a/note', { text: 'x' }, headers)
    const [last] = await Array.fromAsync(pads.pad('a').history({ direction: 'backward', limit: 1 }))
    return last!.metadata
  }
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  assert.deepEqual(await metadataOf({ traceparent }), { traceparent, by: 'a' })
  assert.deepEqual(await metadataOf({ traceparent, tracestate: 'a=1' }), { traceparent, tracestate: 'a=1', by: 'a' })
  assert.deepEqual(await metadataOf({ traceparent: `cc${traceparent.slice(2)}-more` }), {
    traceparent: `cc${traceparent.slice(2)}`,
    by: 'a',
  })
  const none = ['', '00-1-2-01', `ff${traceparent.slice(2)}`, `${traceparent}0`, traceparent.toUpperCase()]
  for (const given of none) assert.deepEqual(await metadataOf({ traceparent: given, tracestate: 'a=1' }), { by: 'a' })
  assert.deepEqual(await metadataOf({ traceparent, tracestate: 'x'.repeat(513) }), { traceparent, by: 'a' })
  const own = requests(http(pads, { metadata: () => ({ traceparent: undefined }) }))
  await own.post('/aggregates/pad/a/note', { text: 'x' }, { traceparent })
  const [last] = await Array.fromAsync(pads.pad('a').history({ direction: 'backward', limit: 1 }))
  assert.deepEqual(last!.metadata, {})
})
