/** Spans and metrics by a real SDK, with exporters in memory. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base'
import { z } from 'zod'
import { recorder } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, projection, reaction, reject } from '../index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { telemetry } from './index.ts'

const text = z.object({ text: z.string() })
const Noted = event('Noted', text)
const Copied = event('Copied', text)
const Pad = aggregate('pad', () => ({ texts: [] as readonly string[] }))
  .on(Noted, ({ texts }, { text }) => ({ texts: [...texts, text] }))
  .on(Copied, ({ texts }, { text }) => ({ texts: [...texts, text] }))
  .command('note', text, (_, { text }) => {
    if (text === 'secret bug') throw new RangeError(`cannot note ${text}`)
    return text === '' ? reject('Empty') : Noted({ text })
  })
  .command('copy', text, (_, { text }) => Copied({ text }))
const Texts = projection('texts', () => ({ count: 0 })).on(Noted, ({ count }) => ({ count: count + 1 }))
const Copying = reaction('copying', { pad: Pad }).on(Noted, async ({ stream, data }, { dispatch, schedule }) => {
  if (data.text === 'later') schedule({ aggregate: 'pad', id: 'later', name: 'copy', data }, { afterMs: 1000 })
  else await dispatch({ aggregate: 'pad', id: `${stream.id} copy`, name: 'copy', data })
})
const Pads = domain({ aggregates: { pad: Pad }, projections: { texts: Texts }, reactions: { copying: Copying } })

/** Spans in memory. @param ratio of the traces that are sampled */
function tracing(ratio = 1) {
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  })
  const spans = () => exporter.getFinishedSpans()
  const named = (name: string) => spans().filter((span) => span.name === name)
  return { tracerProvider, tracer: tracerProvider.getTracer('test'), spans, named }
}

/** Runs something as a request that the program handles, in a span of its own. */
async function inRequest<Result>(span: Span, run: () => Promise<Result>): Promise<Result> {
  try {
    return await context.with(trace.setSpan(ROOT_CONTEXT, span), run)
  } finally {
    span.end()
  }
}

describe('Telemetry', () => {
  const manager = new AsyncLocalStorageContextManager()
  before(() => context.setGlobalContextManager(manager.enable()))
  after(() => context.disable())

  test('makes one trace of a request, its command, append, projection and reaction, and the next command', async () => {
    const { tracerProvider, tracer, spans } = tracing()
    const otel = telemetry({ tracerProvider })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe: otel })
    const request = tracer.startSpan('POST /notes', { kind: SpanKind.SERVER }, ROOT_CONTEXT)
    await inRequest(request, () => pads.pad('a').note({ text: 'x' }))
    await pads.projections.runOnce('texts')
    await pads.reactions.runOnce('copying')
    const { traceId } = request.spanContext()
    const byId = new Map(spans().map((span) => [span.spanContext().spanId, span]))
    const lines = spans().map((span) => [span.name, byId.get(span.parentSpanContext?.spanId ?? '')?.name])
    assert.deepEqual(lines.sort(), [
      ['POST /notes', undefined],
      ['append', 'dispatch pad.copy'],
      ['append', 'dispatch pad.note'],
      ['decide pad.copy', 'dispatch pad.copy'],
      ['decide pad.note', 'dispatch pad.note'],
      ['dispatch pad.copy', 'react copying'],
      ['dispatch pad.note', 'POST /notes'],
      ['project texts', 'dispatch pad.note'],
      ['react copying', 'dispatch pad.note'],
    ])
    assert.deepEqual(new Set(spans().map((span) => span.spanContext().traceId)), new Set([traceId]))
    for (const span of spans()) assert.equal(span.status.code, SpanStatusCode.UNSET)
  })

  test('names what happened, by the conventions where they fit, and no data', async () => {
    const { tracerProvider, named, spans } = tracing()
    const observe = telemetry({ tracerProvider })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe, log: recorder() })
    await pads.pad('a').note({ text: 'secret note' })
    await pads.pad('a').try.note({ text: '' })
    await assert.rejects(pads.pad('a').note({ text: 'secret bug' }))
    await pads.projections.runOnce('texts')
    const [accepted, rejected, failed] = named('dispatch pad.note')
    const { 'mneme.command.id': commandId, 'mneme.waited_ms': waited, ...facts } = accepted!.attributes
    assert.ok(String(commandId).length > 10 && Number(waited) >= 0)
    assert.deepEqual(facts, {
      'mneme.aggregate': 'pad',
      'mneme.command': 'note',
      'mneme.stream.id': 'a',
      'mneme.outcome': 'accepted',
      'mneme.events': 1,
      'mneme.conflicts': 0,
      'mneme.sequence': 1,
      'mneme.position': 1,
    })
    assert.deepEqual(
      [rejected!.attributes['mneme.outcome'], rejected!.attributes['mneme.rejection'], rejected!.status.code],
      ['rejected', 'Empty', SpanStatusCode.UNSET],
    )
    assert.deepEqual(
      [failed!.attributes['mneme.outcome'], failed!.attributes['error.type'], failed!.status.code],
      ['failed', 'DECIDE_FAILED', SpanStatusCode.ERROR],
    )
    const [append] = named('append')
    assert.deepEqual(append!.attributes, {
      'db.system.name': 'memory',
      'db.operation.name': 'append',
      'mneme.events': 1,
    })
    assert.deepEqual([append!.kind, named('project texts')[0]!.kind], [SpanKind.CLIENT, SpanKind.CONSUMER])
    assert.equal(named('project texts')[0]!.attributes['messaging.operation.type'], 'process')
    const told = JSON.stringify(
      spans().map(({ name, attributes, status, events }) => [name, attributes, status, events]),
    )
    assert.ok(!told.includes('secret'), told)
  })

  test('shows a batch and a step in the trace of each of its commands', async () => {
    const { tracerProvider, tracer, spans } = tracing()
    const observe = telemetry({ tracerProvider })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe })
    const requests = ['a', 'b', 'c'].map((id) => ({ id, span: tracer.startSpan(id, {}, ROOT_CONTEXT) }))
    await Promise.all(requests.map(({ id, span }) => inRequest(span, () => pads.pad(id).note({ text: 'x' }))))
    await pads.projections.runOnce('texts')
    const of = (span: Span) => (each: ReadableSpan) => each.spanContext().traceId === span.spanContext().traceId
    for (const { id, span } of requests) {
      const names = spans()
        .filter(of(span))
        .map(({ name }) => name)
      const wanted = [id, 'append', 'decide pad.note', 'dispatch pad.note', 'project texts']
      assert.deepEqual(names.sort(), wanted.sort())
    }
    const sizes = spans().map(({ attributes }) => attributes['db.operation.batch.size'])
    assert.equal(sizes.filter((size) => size === 3).length, 3, 'they were one batch')
  })

  test('records nothing of a trace that is not sampled, and still hands it on', async () => {
    const { tracerProvider, spans } = tracing(0)
    const observe = telemetry({ tracerProvider })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe })
    const { events } = await pads.pad('a').note({ text: 'x' })
    await pads.projections.runOnce('texts')
    await pads.reactions.runOnce('copying')
    const traceparents: unknown[] = [events[0]!.metadata['traceparent']]
    for await (const { metadata } of pads.pad('a copy').history()) traceparents.push(metadata['traceparent'])
    const [first, second] = traceparents.map((traceparent) => String(traceparent).split('-'))
    assert.equal(first![3], '00')
    assert.equal(second![1], first![1], 'the next command is in the same trace')
    assert.notEqual(second![2], first![2])
    assert.deepEqual(spans(), [])
  })

  test('goes on with the trace that the metadata of a command name, with its state', async () => {
    const { tracerProvider, named } = tracing(0)
    const observe = telemetry({ tracerProvider })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe })
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const metadata = { traceparent, tracestate: 'vendor=1', user: 'ada' }
    const { events } = await pads.pad('a').note({ text: 'x' }, { metadata })
    const [span] = named('dispatch pad.note')
    assert.equal(span!.parentSpanContext!.spanId, 'b7ad6b7169203331')
    assert.deepEqual(events[0]!.metadata, {
      traceparent: `00-0af7651916cd43dd8448eb211c80319c-${span!.spanContext().spanId}-01`,
      tracestate: 'vendor=1',
      user: 'ada',
    })
    for (const broken of ['', '00-00000000000000000000000000000000-b7ad6b7169203331-01', 'ff-a-b-c', 7]) {
      await pads.pad('b').note({ text: 'x' }, { metadata: { traceparent: broken } })
    }
    assert.equal(named('dispatch pad.note').length, 1, 'a trace that cannot be read is none')
  })

  test('begins a trace for a timer, linked to the one that scheduled it', async () => {
    const { tracerProvider, named } = tracing()
    const environment = manualEnvironment()
    const observe = telemetry({ tracerProvider })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe, environment })
    await pads.pad('a').note({ text: 'later' })
    await pads.reactions.runOnce('copying')
    await environment.advance(1000)
    await pads.reactions.runOnce('copying')
    const [note] = named('dispatch pad.note')
    const [fire] = named('fire copying')
    const [copy] = named('dispatch pad.copy')
    assert.deepEqual(
      fire!.links.map(({ context }) => context.spanId),
      [note!.spanContext().spanId],
    )
    assert.notEqual(fire!.spanContext().traceId, note!.spanContext().traceId)
    assert.equal(copy!.parentSpanContext!.spanId, fire!.spanContext().spanId)
  })

  test('makes the span of a reaction the active one in its handler', async () => {
    const { tracerProvider, tracer, named } = tracing()
    const Calling = reaction('calling', { pad: Pad }).on(Noted, async (_, { step }) => {
      await step('call', async () => tracer.startSpan('GET /elsewhere').end())
    })
    const Callers = domain({ aggregates: { pad: Pad }, reactions: { calling: Calling } })
    const observe = telemetry({ tracerProvider })
    await using pads = await Callers.start({ store: memory(), projections: 'manual', observe })
    await pads.pad('a').note({ text: 'x' })
    await pads.reactions.runOnce('calling')
    assert.equal(named('GET /elsewhere')[0]!.parentSpanContext!.spanId, named('react calling')[0]!.spanContext().spanId)
  })

  test('without an SDK leaves metadata as they are', async () => {
    const otel = telemetry()
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe: otel })
    otel.watch(pads)()
    const { events } = await pads.pad('a').note({ text: 'x' }, { metadata: { user: 'ada' } })
    assert.deepEqual(events[0]!.metadata, { user: 'ada' })
  })

  test('refuses options that it does not know, and providers that are none', () => {
    assert.throws(() => telemetry({ tracer: 1 } as never), { code: 'OPTION_INVALID' })
    assert.throws(() => telemetry({ tracerProvider: {} as never }), { code: 'OPTION_INVALID' })
    assert.throws(() => telemetry({ meterProvider: {} as never }), { code: 'OPTION_INVALID' })
  })
})

describe('Metrics', () => {
  /** Metrics in memory: each point as its name, attributes and value or count. */
  function metering() {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 })
    const meterProvider = new MeterProvider({ readers: [reader] })
    const collect = async () => {
      const { resourceMetrics, errors } = await reader.collect()
      assert.deepEqual(errors, [])
      const [scope] = resourceMetrics.scopeMetrics
      return new Map(
        scope!.metrics.flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map(({ attributes, value }) => {
            const facts = Object.values(attributes).join(' ')
            const figure = typeof value === 'number' ? value : (value as { readonly count: number }).count
            return [`${descriptor.name} [${descriptor.unit}] ${facts}`.trim(), figure]
          }),
        ),
      )
    }
    return { meterProvider, collect, [Symbol.asyncDispose]: () => meterProvider.shutdown() }
  }

  test('count and measure commands, appends, conflicts, loads, steps and reactions', async () => {
    await using metrics = metering()
    const observe = telemetry({ meterProvider: metrics.meterProvider })
    const store = memory()
    await using pads = await Pads.start({ store, projections: 'manual', observe, log: recorder() })
    await using others = await Pads.start({ store, projections: 'manual' })
    await pads.pad('a').note({ text: 'x' })
    await pads.pad('a').try.note({ text: '' })
    await assert.rejects(pads.pad('a').note({ text: 'secret bug' }))
    await others.pad('a').note({ text: 'y' })
    await pads.pad('a').note({ text: 'z' })
    await pads.projections.runOnce('texts')
    await pads.reactions.runOnce('copying')
    await pads.projections.rebuild('texts')
    const found = await metrics.collect()
    for (const [name, value] of [
      ['mneme.command.duration [s] pad note accepted', 2],
      ['mneme.command.duration [s] pad note rejected Empty', 1],
      ['mneme.command.duration [s] pad note failed DECIDE_FAILED', 1],
      ['mneme.command.duration [s] pad copy accepted', 3],
      ['mneme.command.wait.duration [s] pad note', 4],
      ['mneme.command.conflicts [{conflict}] pad note', 1],
      ['mneme.append.events [{event}] memory append', 6],
      ['mneme.step.events [{event}] texts', 3],
      ['mneme.reaction.duration [s] copying handled', 3],
      ['mneme.rebuild.duration [s] texts asked', 1],
    ] as const)
      assert.equal(found.get(name), value, `${name} in ${[...found.keys()].join('\n')}`)
    assert.ok(found.get('db.client.operation.duration [s] memory append')! >= 4)
    assert.ok(found.get('mneme.load.duration [s] false')! >= 2)
  })

  test('say what lives, what waits and what is behind', async () => {
    await using metrics = metering()
    const otel = telemetry({ meterProvider: metrics.meterProvider })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe: otel })
    const unwatch = otel.watch(pads)
    await pads.pad('a').note({ text: 'later' })
    await pads.pad('b').note({ text: 'x' })
    for (let runs = 0; runs < 2; runs++) await pads.reactions.runOnce('copying')
    const found = await metrics.collect()
    for (const [name, value] of [
      ['mneme.aggregate.live [{aggregate}]', 3],
      ['mneme.command.in_flight [{command}]', 0],
      ['mneme.lag.events [{event}] texts', 3],
      ['mneme.lag.events [{event}] copying', 0],
      ['mneme.state [1] texts stopped', 1],
      ['mneme.parked [{event}] copying', 0],
      ['mneme.timer.scheduled [{command}] copying', 1],
      ['mneme.cluster.members [{process}]', 1],
      ['mneme.cluster.shards [{shard}] pad', 256],
    ] as const)
      assert.equal(found.get(name), value, `${name} in ${[...found.keys()].join('\n')}`)
    unwatch()
    await pads.stop()
    await metrics.collect()
  })
})
