/** `mneme state`: the state of an aggregate, at any sequence or time, and what has changed since another one. */
import type { Command } from 'commander'
import { type Changes, changesBetween, pathText, type StateView, stateAt } from '../../inspection/index.ts'
import { time, whole } from '../arguments.ts'
import { harmless, jsonLine, type Output, streamText } from '../output.ts'
import {
  type CommonOptions,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface StateOptions extends CommonOptions {
  readonly sequence?: number
  readonly at?: Date
  readonly diff?: number | true
}

export function addState(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('state'))
    .description('the state of an aggregate, computed by the code of the domain')
    .argument('<aggregate>', 'its key in the domain, or its stored name')
    .argument('<id>')
    .option('--sequence <sequence>', 'the state after the event with this sequence', whole)
    .option('--at <time>', 'the state at this time, such as 2026-01-31T12:00Z', time)
    .option(
      '--diff [sequence]',
      'what has changed since this sequence; without one, what the last event changed',
      whole,
    )
    .action((aggregate: string, id: string, options: StateOptions, command: Command) => {
      if (options.sequence !== undefined && options.at !== undefined) {
        command.error('error: --sequence and --at are two ways to say the same')
      }
      return withStore(sessionOf(runtime, options), options, (session) => print(session, aggregate, id, options))
    })
}

async function print(session: StoreSession, aggregate: string, id: string, options: StateOptions): Promise<void> {
  const { inspection, output } = session
  const { sequence, at, diff } = options
  const stream = inspection.stream(aggregate, id)
  const point = { ...(sequence !== undefined && { sequence }), ...(at && { time: at }) }
  const view = await stateAt(inspection, stream, point)
  if (view.sequence === 0) output.note(`${streamText(stream)} has no event there; this is its initial state.`)
  const { state, ...place } = view
  const shown = { ...place.stream, sequence: view.sequence, position: view.position }
  if (diff === undefined) {
    await output.result(
      { ...shown, state },
      () => `${headline(view, output)}\n${harmless(JSON.stringify(state, null, 2))}`,
    )
    return
  }
  const since = Math.min(diff === true ? Math.max(0, view.sequence - 1) : diff, view.sequence)
  const before = await stateAt(inspection, stream, { sequence: since })
  const changes = changesBetween(before.state, state)
  const text = () => `${headline(view, output)}, since #${since}\n${changesText(changes, output)}`
  await output.result({ ...shown, since, ...changes }, text)
}

const headline = ({ stream, sequence, position }: StateView, output: Pick<Output, 'style'>): string =>
  output.style('bold', `${streamText(stream)} #${sequence} (position ${position})`)

/** A line for each place: `balance: 100 -> 70`. */
function changesText({ changes, more }: Changes, output: Pick<Output, 'style'>): string {
  const lines = changes.map((change) => {
    const side = (color: 'red' | 'green', key: 'before' | 'after') =>
      key in change ? output.style(color, jsonLine(change[key])) : output.style('dim', 'nothing')
    return `  ${harmless(pathText(change.path))}: ${side('red', 'before')} -> ${side('green', 'after')}`
  })
  if (more > 0) lines.push(`  and ${more} more`)
  return lines.length === 0 ? '  nothing has changed' : lines.join('\n')
}
