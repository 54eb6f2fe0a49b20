/** A program that runs the projections and reactions of a bank, and prints each span as a line of JSON. */
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { TransferBank } from '../../examples/transfer/bank.ts'
import { telemetry } from '../../src/otel/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'

const exporter = {
  export(spans: readonly ReadableSpan[], done: (result: { readonly code: number }) => void) {
    for (const span of spans) {
      const { traceId, spanId } = span.spanContext()
      console.log(JSON.stringify({ name: span.name, traceId, spanId, above: span.parentSpanContext?.spanId }))
    }
    done({ code: 0 })
  },
  shutdown: async () => {},
}

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const bank = await TransferBank.start({ store: sqlite(process.argv[2]!), observe: telemetry({ tracerProvider }) })
process.stdin.once('end', () => void bank.stop()).resume()
