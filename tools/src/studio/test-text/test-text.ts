/**
 * A given/when/then test made of a stored stream, or of another world: the text of a file that can be run. It has no
 * personal values, but stand-ins.
 */
import { basename } from 'node:path'
import type { AnyAggregate, RecordedEvent, StreamId } from '../../../../src/index.ts'
import { ToolsError } from '../../errors.ts'
import { fork, type Inspection, readEvents } from '../../inspection/index.ts'
import type { TestQuestion, TestView } from '../views.ts'
import { checked } from './checked.ts'
import type { History, TestCommand, TestEvent } from './decided.ts'
import { foundCommand } from './found-command.ts'
import { Names } from './names.ts'
import { StandIns } from './stand-ins.ts'
import { textOf } from './written.ts'

/** The longest history that a test may have. */
const eventsMax = 2000

/**
 * @throws ToolsError `DOMAIN_NEEDED`, `AGGREGATE_UNKNOWN`, `USAGE` if there is nothing to test; what the code of the
 *   domain throws
 */
export async function testView(inspection: Inspection, question: TestQuestion, signal: AbortSignal): Promise<TestView> {
  const { edits, commands } = question
  const stream = inspection.stream(question.aggregate, question.id)
  const isHistory = commands.length === 0
  const sequence = isHistory ? await endOfCommit(inspection, stream, question.sequence, signal) : question.sequence
  await using world = await fork(inspection, stream, sequence, { edits, signal })
  for (const { name, data } of commands.slice(0, -1)) await world.dispatch({ ...stream, name, data }).catch(() => {})
  const stored: RecordedEvent[] = []
  for await (const event of world.history(stream)) {
    signal.throwIfAborted()
    if (stored.length === eventsMax)
      throw new ToolsError('USAGE', `A test has at most ${eventsMax.toLocaleString('en')} events, and these are more`)
    stored.push(event)
  }
  if (isHistory && stored.length === 0) throw new ToolsError('USAGE', 'There is no event yet, so nothing to test')
  const [key, aggregate] = Object.entries(inspection.domain!.aggregates).find(
    ([, { name }]) => name === stream.aggregate,
  )!
  const standIns = new StandIns()
  const events = stored.map((event) => testEvent(aggregate, event, standIns))
  const made = isHistory ? stored.findIndex(({ commitId }) => commitId === stored.at(-1)!.commitId) : stored.length
  const history: History = { aggregate, given: events.slice(0, made), isTimeless: true }
  const atMs = stored.at(-1)?.recordedAt.getTime() ?? 0
  const command = isHistory
    ? foundCommand(history, events.slice(made), await commandName(inspection, stored.at(-1)!))
    : typedCommand(aggregate, commands.at(-1)!, atMs, standIns)
  const { code } = inspection.target
  const names = code && (await Names.of(code))
  const written = textOf({
    history: command === undefined ? { ...history, given: events } : history,
    command,
    names,
    domain: { definition: inspection.domain!, key },
    expectation: question.expectation,
    state: question.state,
    title: `${stream.aggregate}/${stream.id} at version ${sequence}`,
    areStandInsUsed: standIns.areUsed,
    beside: code && basename(code.module),
  })
  return { ...written, file: fileName({ ...question, sequence }), ...(command && { command: command.name }) }
}

/** The last sequence of the commit that has an event: its command made all of them. */
async function endOfCommit({ store }: Inspection, stream: StreamId, sequence: number, signal: AbortSignal) {
  if (sequence === 0) return 0
  let end = sequence
  let commitId: string | undefined
  for await (const event of readEvents(store, { stream, from: sequence, limit: eventsMax, signal })) {
    commitId ??= event.commitId
    if (event.commitId !== commitId) break
    end = event.sequence
  }
  return end
}

/** The name of the command that stored an event, if the log has it. */
async function commandName({ store }: Inspection, { stream, commitId }: RecordedEvent): Promise<string | undefined> {
  return (await store.findCommit(stream, commitId))?.command?.name
}

function testEvent(aggregate: AnyAggregate, { type, data, recordedAt }: RecordedEvent, standIns: StandIns): TestEvent {
  const schema = aggregate.folds.get(type)?.kind.revisions.at(-1)?.schema
  return { type, data: schema === undefined ? data : standIns.inEvent(schema, data), atMs: recordedAt.getTime() }
}

function typedCommand(
  aggregate: AnyAggregate,
  { name, data }: TestQuestion['commands'][number],
  atMs: number,
  standIns: StandIns,
): TestCommand {
  const schema = aggregate.decisions.get(name)?.schema
  if (schema === undefined) throw new ToolsError('USAGE', `The aggregate has no command ${name}`)
  let made: unknown
  try {
    made = checked(schema, data)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ToolsError('USAGE', `The schema of the command refuses its data, so there is no test: ${reason}`)
  }
  return { name, data: standIns.inCommand(schema, data, made), atMs }
}

const fileName = ({ aggregate, id, sequence }: TestQuestion): string =>
  `${[aggregate, id, sequence]
    .join('-')
    .replaceAll(/[^\w-]+/g, '-')
    .slice(0, 100)}.test.ts`
