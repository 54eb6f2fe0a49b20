/** `mneme events`: reads the log, or a stream, and follows it. */
import type { Command } from 'commander'
import { follow, followStream, type StoredEvent, type StreamId } from '../../../../src/index.ts'
import { type EventQuery, matches, readEvents, shownEvent } from '../../inspection/index.ts'
import { several, streamName, whole } from '../arguments.ts'
import { eventText } from '../event-lines.ts'
import {
  type CommonOptions,
  patientStoreOf,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface EventsOptions extends CommonOptions {
  readonly stream?: StreamId
  readonly type?: readonly string[]
  readonly aggregate?: readonly string[]
  readonly tag?: readonly string[]
  readonly from?: number
  readonly to?: number
  readonly limit?: number
  readonly backward?: boolean
  readonly tail?: boolean
  readonly stored?: boolean
}

export function addEvents(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('events'))
    .description('read the events of the log')
    .option('--stream <aggregate/id>', 'only the events of one stream; --from and --to are then sequences', streamName)
    .option('--type <type>', 'only events of this type; can be given several times', several)
    .option('--aggregate <name>', 'only events of this aggregate; can be given several times', several)
    .option('--tag <tag>', 'only events with this tag; several tags must all be there', several)
    .option('--from <position>', 'the first position', whole)
    .option('--to <position>', 'only events before this position', whole)
    .option('--limit <number>', 'at most so many events', whole)
    .option('--backward', 'newest first')
    .option('--tail', 'wait for new events; without --from it begins at the end')
    .option('--stored', 'show data as it is stored, not upcast')
    .action((options: EventsOptions, command: Command) => {
      if (options.tail && (options.backward || options.to !== undefined)) {
        command.error('error: --tail has no end, so it cannot be used with --backward or --to')
      }
      return withStore(sessionOf(runtime, options), options, (session) => printEvents(session, options))
    })
}

async function printEvents(session: StoreSession, options: EventsOptions): Promise<void> {
  const { inspection, output } = session
  const { limit = Number.POSITIVE_INFINITY, stored } = options
  let left = limit
  if (left === 0) return
  for await (const event of chosenEvents(session, options)) {
    const line = shownEvent(inspection, event, stored)
    await output.result(line, () => eventText(line, output))
    if (--left === 0) return
  }
}

function chosenEvents(session: StoreSession, options: EventsOptions): AsyncGenerator<StoredEvent> {
  const { inspection, signal } = session
  const { stream, type, aggregate, tag, from, to, limit, backward, tail } = options
  const named = (key: string) => inspection.stream(key, '-').aggregate
  const query: EventQuery = {
    ...(stream && { stream: inspection.stream(stream.aggregate, stream.id) }),
    ...(type && { types: type }),
    ...(aggregate && { aggregates: aggregate.map(named) }),
    ...(tag && { tags: tag }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(backward && { direction: 'backward' }),
    signal,
  }
  if (tail) return followed(inspection.store, query)
  return readEvents(patientStoreOf(session), { ...query, ...(limit !== undefined && { limit }) })
}

async function* followed(
  store: Parameters<typeof followStream>[0] & Parameters<typeof follow>[0],
  query: EventQuery,
): AsyncGenerator<StoredEvent> {
  const { stream, types, aggregates, tags, from, signal } = query
  const beginning = { from: from ?? ('now' as const), ...(signal && { signal }) }
  if (stream === undefined) {
    yield* follow(store, {
      ...beginning,
      ...(types && { types }),
      ...(aggregates && { aggregates }),
      ...(tags && { tags }),
    })
    return
  }
  const isWanted = matches(query)
  for await (const event of followStream(store, stream, beginning)) {
    if (isWanted(event)) yield event
  }
}
