/** `mneme run`: sends a command, or says what it would do. */
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import { type CommandData, fork, type RunningDomain, shown } from '../../inspection/index.ts'
import { jsonOf, whole } from '../arguments.ts'
import { exitCodes } from '../ending.ts'
import { jsonLine, type Output, plain, streamText } from '../output.ts'
import {
  type CommonOptions,
  type Runtime,
  type StoreSession,
  sessionOf,
  standardInput,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface RunOptions extends CommonOptions {
  readonly dryRun?: boolean
  readonly sequence?: number
  readonly commandId?: string
  readonly expectedSequence?: number
  readonly metadata?: string
}

export function addRun(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('run'))
    .description('send a command; with --dry-run, say what it would do')
    .argument('<aggregate>', 'its key in the domain, or its stored name')
    .argument('<id>')
    .argument('<command>')
    .argument('[json]', 'its data; - reads it from the standard input')
    .option('--dry-run', 'decide the command, and store nothing')
    .option('--sequence <sequence>', 'with --dry-run: on the state after the event with this sequence', whole)
    .option('--command-id <id>', 'its id: the same command with the same id is handled once')
    .option('--expected-sequence <sequence>', 'refuse it if the stream does not end there', whole)
    .option('--metadata <json>', 'what its events say about who sent it and why')
    .action(
      async (aggregate: string, id: string, name: string, json: string | undefined, options: RunOptions, self) => {
        if (options.sequence !== undefined && !options.dryRun) self.error('error: --sequence needs --dry-run')
        const session = sessionOf(runtime, options)
        const given = json === '-' ? await text(standardInput(session)) : json
        const data = given === undefined ? undefined : jsonOf('The data of the command', given)
        const { commandId, expectedSequence, metadata } = options
        const command = {
          ...{ aggregate, id, name },
          ...(data !== undefined && { data }),
          ...(commandId !== undefined && { commandId }),
          ...(expectedSequence !== undefined && { expectedSequence }),
          ...(metadata !== undefined && { metadata: jsonOf('--metadata', metadata) as CommandData['metadata'] & {} }),
        }
        runtime.exitCode = await withStore(session, options, (open) => send(open, command, options))
      },
    )
}

/** @returns the exit code */
async function send(session: StoreSession, given: CommandData, { dryRun, sequence }: RunOptions): Promise<number> {
  const { inspection, output, signal } = session
  const stream = inspection.stream(given.aggregate, given.id)
  const command = { ...given, aggregate: stream.aggregate }
  if (!dryRun) return tell(await (await inspection.aggregates()).dispatch(command), command, false, output)
  const trial = await fork(inspection, stream, sequence, { signal })
  try {
    return await tell(await trial.dispatch(command), command, true, output)
  } finally {
    await trial[Symbol.asyncDispose]()
  }
}

async function tell(
  outcome: Awaited<ReturnType<RunningDomain['dispatch']>>,
  { aggregate, id }: CommandData,
  isDry: boolean,
  output: Output,
): Promise<number> {
  const stream = streamText({ aggregate, id })
  if (!outcome.accepted) {
    const { code, details } = shown(outcome.rejection) as { readonly code: string; readonly details?: unknown }
    const told = { accepted: false, dryRun: isDry, rejection: { code, ...(details !== undefined && { details }) } }
    const reason = `${plain(code)}${details === undefined ? '' : ` ${jsonLine(details)}`}`
    const verdict = output.style('red', isDry ? 'would be rejected' : 'rejected')
    await output.result(told, `${verdict}: ${reason}`)
    return exitCodes.rejected
  }
  const { sequence, position, state } = outcome
  const events = outcome.events.map(({ type, data }) => ({ type, data: shown(data) }))
  // A fork has positions of its own.
  const place = isDry ? { sequence } : { sequence, position }
  await output.result({ accepted: true, dryRun: isDry, ...place, events, state: shown(state) }, () => {
    const verdict = output.style('green', isDry ? 'would be accepted' : 'accepted')
    const lines = events.map(({ type, data }) => `  ${plain(type)}  ${jsonLine(data)}`)
    const done = events.length === 0 ? ['  nothing to do'] : lines
    return [`${verdict}: ${stream} #${sequence}`, ...done, `  state: ${jsonLine(shown(state))}`].join('\n')
  })
  return exitCodes.done
}
