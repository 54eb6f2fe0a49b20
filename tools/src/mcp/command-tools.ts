/**
 * Tools that decide commands: one tries them beside the real log, and stores nothing; the other sends them. There is no
 * other way to write. So the code of the domain says what may happen, as for every other caller.
 */
import { z } from 'zod'
import type { Json } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import { type CommandData, fork, type Inspection, type RunningDomain, shown } from '../inspection/index.ts'
import { cutValue, fitting, smallOr } from './bounds.ts'
import { sequence, stream, type Tool, text, tool } from './tool.ts'

const command = {
  ...stream,
  command: text().describe('the name of the command, as the catalogue has it'),
  data: z.json().optional().describe('what the command takes; catalogue shows its JSON Schema'),
}

/** @throws ToolsError `USAGE` if the aggregate has no such command */
function commandOf(
  inspection: Inspection,
  { aggregate, id, command: name, data }: { aggregate: string; id: string; command: string; data?: Json | undefined },
): CommandData {
  const stream = inspection.stream(aggregate, id)
  const { domain } = inspection
  const declared = Object.values(domain?.aggregates ?? {}).find((each) => each.name === stream.aggregate)
  if (declared !== undefined && !declared.decisions.has(name)) {
    const known = [...declared.decisions.keys()].join(', ')
    const message = `The aggregate ${stream.aggregate} has no command ${JSON.stringify(name)}`
    throw new ToolsError('USAGE', message, { advice: `It has ${known}` })
  }
  return { ...stream, name, ...(data !== undefined && { data }) }
}

/** What a command did, or would do. */
function outcomeView(outcome: Awaited<ReturnType<RunningDomain['dispatch']>>, isDry: boolean): Json {
  if (!outcome.accepted) return { accepted: false, isDryRun: isDry, rejection: smallOr(shown(outcome.rejection)) }
  const { sequence, position, events, state } = outcome
  const views = events.map(({ type, data }) => ({ type, data: shown(data) }))
  const some = fitting(views, ({ type, data }) => ({ type, data: cutValue(data) }))
  // A fork has positions of its own.
  const place = isDry ? { sequence } : { sequence, position }
  const left = views.length - some.length
  const all = { events: some, ...(left > 0 && { eventsLeftOut: left }), state: smallOr(shown(state)) }
  return { accepted: true, isDryRun: isDry, ...place, ...(all as unknown as { readonly [key: string]: Json }) }
}

const dryRun = tool({
  name: 'dry_run',
  description:
    'Decides a command by the code of the domain on a copy of the stream in memory, and stores nothing: the events ' +
    'it would store, or the reason why it would be rejected. sequence tries it on an older state.',
  input: { ...command, sequence: sequence().optional().describe('on the state after this sequence') },
  async answer({ input, inspection, signal }) {
    const sent = commandOf(inspection, input)
    await using trial = await fork(inspection, inspection.stream(input.aggregate, input.id), input.sequence, { signal })
    return outcomeView(await trial.dispatch(sent), true)
  },
})

const runCommand = tool({
  name: 'run_command',
  description:
    'Sends a command. The domain decides it, and may reject it; if it is accepted, its events are stored for ever. ' +
    'Try it with dry_run first. A command with a command_id is handled once, however often it is sent.',
  input: {
    ...command,
    command_id: text().optional(),
    expected_sequence: sequence().optional().describe('refuse it if the stream does not end there'),
  },
  isWriting: true,
  async answer({ input, inspection }) {
    const { command_id: commandId, expected_sequence: expectedSequence } = input
    const sent = {
      ...commandOf(inspection, input),
      ...(commandId !== undefined && { commandId }),
      ...(expectedSequence !== undefined && { expectedSequence }),
    }
    return outcomeView(await (await inspection.aggregates()).dispatch(sent), false)
  },
})

export const commandTools: readonly Tool[] = [dryRun, runCommand]
