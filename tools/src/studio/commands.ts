/** The commands of an aggregate as a form needs them, and a command that is really sent. */
import { MnemeError, type RecordedEvent } from '../../../src/index.ts'
import { ToolsError, wordsOf } from '../errors.ts'
import {
  type CommandData,
  changesBetween,
  type Inspection,
  jsonSchemaOf,
  type RunningDomain,
  shown,
} from '../inspection/index.ts'
import { brief, briefChanges, briefText } from './brief.ts'
import type { CommandsView, Json, OutcomeView, SentCommand } from './views.ts'

const changesMax = 200
/** How many characters are shown of what a command led to. */
const valueMax = 5000
const eventsMax = 100

export function commandsView({ domain }: Inspection, name: string): CommandsView {
  const aggregate = Object.values(domain?.aggregates ?? {}).find((each) => each.name === name)
  const commands = [...(aggregate?.decisions ?? [])].map(([command, { schema }]) => {
    const told = jsonSchemaOf(schema)
    return { name: command, ...(told !== undefined && { schema: told }) }
  })
  return { commands }
}

/** Decides a command, and says what became of it, also if it could not be decided. */
export async function outcomeOf(
  running: Pick<RunningDomain, 'dispatch'>,
  command: CommandData,
  before: { readonly sequence: number; readonly state?: Json },
): Promise<OutcomeView> {
  const { sequence, state: stateBefore } = before
  const kept = { sequence, ...(stateBefore !== undefined && { state: stateBefore }) }
  const nothing = { ...kept, events: [], changes: [], more: 0 }
  let outcome: Awaited<ReturnType<RunningDomain['dispatch']>>
  try {
    outcome = await running.dispatch(command)
  } catch (error) {
    const code = error instanceof MnemeError ? error.code : 'UNEXPECTED'
    return { ...nothing, failure: { code, message: wordsOf(error) } }
  }
  if (!outcome.accepted) {
    const { code, details } = shown(outcome.rejection) as { readonly code: string; readonly details?: Json }
    return { ...nothing, rejection: { code, ...(details !== undefined && { details }) } }
  }
  const state = shown(outcome.state)
  const changed = stateBefore === undefined ? { changes: [], more: 0 } : changesBetween(stateBefore, state, changesMax)
  const events = outcome.events.map(({ type, data }: RecordedEvent) => ({ type, data: shown(data) }))
  return { events, sequence: outcome.sequence, state, ...changed }
}

/** An outcome that is cut so that it can be shown. */
export function briefOutcome({ events, rejection, failure, state, changes, ...rest }: OutcomeView): OutcomeView {
  const cut = (value: Json) => brief(value, valueMax).value
  const details = rejection?.details
  return {
    ...rest,
    events: events.slice(0, eventsMax).map(({ type, data }) => ({ type, data: cut(data) })),
    changes: briefChanges(changes),
    ...(rejection && { rejection: { ...rejection, ...(details !== undefined && { details: cut(details) }) } }),
    ...(failure && { failure: { ...failure, message: briefText(failure.message, valueMax) } }),
    ...(state !== undefined && { state: cut(state) }),
  }
}

/**
 * Sends a command to the real domain, if the stream still ends where the sender has seen it end.
 *
 * @throws ToolsError `USAGE` if a personal value is only shown in it
 */
export async function sendCommand(inspection: Inspection, sent: SentCommand): Promise<OutcomeView> {
  const { aggregate, id, name, data, commandId, expectedSequence } = sent
  const stream = inspection.stream(aggregate, id)
  // An address has it in place of what somebody typed. It would be stored as if it were the value.
  if (JSON.stringify(data).includes('"[personal]"'))
    throw new ToolsError('USAGE', 'The command has [personal] in place of a personal value. Type the value again')
  const running = await inspection.aggregates()
  const command = { ...stream, name, data, commandId, expectedSequence, metadata: { user: 'studio' } }
  return briefOutcome(await outcomeOf(running, command, { sequence: expectedSequence }))
}
