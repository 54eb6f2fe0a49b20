/** The conformance suite of the Durable Streams protocol, against the server that the variable names. */
import { runConformanceTests } from '@durable-streams/server-conformance-tests'

runConformanceTests({ baseUrl: process.env['CONFORMANCE_TEST_URL']!, longPollTimeoutMs: 1_000 })
