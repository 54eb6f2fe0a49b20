/** `mneme trace`: which commands led to which, as a tree. */
import type { Command } from 'commander'
import type { StreamId } from '../../../../src/index.ts'
import { ToolsError } from '../../errors.ts'
import { type CauseNode, type CauseTree, positionBefore, shownEvent, traceCauses } from '../../inspection/index.ts'
import { streamName, time, whole } from '../arguments.ts'
import { counted, type Output, plain, streamText } from '../output.ts'
import { showProgress } from '../progress.ts'
import {
  type CommonOptions,
  patientStoreOf,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface TraceCommandOptions extends CommonOptions {
  readonly stream?: StreamId
  readonly from?: number
  readonly since?: Date
  readonly to?: number
  readonly limit?: number
}

export function addTrace(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('trace'))
    .description('the tree of commands under a correlation, from its id or the id of any of its commands')
    .argument('<id>', 'a correlation id or a command id')
    .option('--stream <aggregate/id>', 'the stream of the command: its id is looked up there', streamName)
    .option('--from <position>', 'the first position that is looked at', whole)
    .option('--since <time>', 'only what was stored from this time on, such as 2026-01-31T12:00Z', time)
    .option('--to <position>', 'only what lies before this position', whole)
    .option('--limit <number>', 'at most so many events, 10,000 by default', whole)
    .action((id: string, options: TraceCommandOptions, command: Command) => {
      if (options.from !== undefined && options.since !== undefined)
        command.error('error: --from and --since are two ways to say the same')
      if (options.limit === 0) command.error('error: --limit must be at least 1')
      return withStore(sessionOf(runtime, options), options, (session) => print(session, id, options))
    })
}

async function print(session: StoreSession, id: string, options: TraceCommandOptions): Promise<void> {
  const { inspection, output } = session
  const tree = await traced(session, id, options)
  if (tree === undefined) {
    throw new ToolsError('NOT_FOUND', `No event has the correlation or the command id ${JSON.stringify(id)}`, {
      advice: 'A command that was rejected, or had nothing to do, leaves no event',
    })
  }
  const asJson = ({ commandId, stream, events, effects }: CauseNode): unknown => ({
    commandId,
    ...stream,
    events: events.map((event) => shownEvent(inspection, event)),
    effects: effects.map(asJson),
  })
  const { correlationId, roots, commands, isCut } = tree
  await output.result({ correlationId, commands, isCut, roots: roots.map(asJson) }, () => treeText(tree, output))
}

async function traced(
  session: StoreSession,
  id: string,
  { stream, from, since, to, limit }: TraceCommandOptions,
): Promise<CauseTree | undefined> {
  const { inspection, signal } = session
  const store = patientStoreOf(session)
  const first = since === undefined ? from : await positionBefore(store, since.getTime())
  let progress: ReturnType<typeof showProgress> | undefined
  let shownTotal: number | undefined
  try {
    return await traceCauses(store, id, {
      signal,
      ...(stream && { stream: inspection.stream(stream.aggregate, stream.id) }),
      ...(first !== undefined && { from: first }),
      ...(to !== undefined && { to }),
      ...(limit !== undefined && { eventsMax: limit }),
      onProgress(examined, total) {
        // The log may be read twice, from different places.
        if (total !== shownTotal) progress?.end()
        if (total !== shownTotal)
          progress = showProgress({ verb: 'reading', unit: 'events', total, stream: process.stderr })
        shownTotal = total
        progress?.at(examined)
      },
    })
  } finally {
    progress?.end()
  }
}

function treeText({ correlationId, roots, commands, isCut }: CauseTree, output: Output): string {
  const lines = [output.style('bold', `correlation ${plain(correlationId)}: ${counted(commands, 'command')}`)]
  // Not recursive, because a chain of causes may be long.
  const waiting = roots.toReversed().map((node) => ({ node, indent: '', isLast: true, isRoot: true }))
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, indent, isLast, isRoot } = next
    const branch = isRoot ? '' : isLast ? '└─ ' : '├─ '
    lines.push(`${indent}${branch}${nodeText(node, output)}`)
    const below = isRoot ? '' : `${indent}${isLast ? '   ' : '│  '}`
    for (const [i, effect] of [...node.effects.entries()].toReversed()) {
      waiting.push({ node: effect, indent: below, isLast: i === node.effects.length - 1, isRoot: false })
    }
  }
  if (isCut) lines.push('... and more: the tree was cut')
  return lines.join('\n')
}

function nodeText({ stream, events, commandId }: CauseNode, output: Output): string {
  const [first, last] = [events[0]!, events.at(-1)!]
  const sequences = first === last ? `#${first.sequence}` : `#${first.sequence}-${last.sequence}`
  const types = [...new Set(events.map(({ type }) => plain(type)))].join(', ')
  const place = output.style('dim', `position ${first.position}, command ${plain(commandId)}`)
  return `${streamText(stream)} ${sequences}  ${output.style('bold', types)}  ${place}`
}
