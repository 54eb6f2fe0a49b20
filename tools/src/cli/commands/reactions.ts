/** `mneme reactions`: where reactions are, what they wait for, and their scheduled commands. */
import type { Command } from 'commander'
import { ProjectionError, type Reactions, type ScheduledCommand, type Waiting } from '../../../../src/index.ts'
import { shown, statusOf } from '../../inspection/index.ts'
import { whole } from '../arguments.ts'
import { confirm } from '../confirm.ts'
import { addPausing, followerNamed, followersOf, statusText, tellUnasked } from '../followers.ts'
import { jsonLine, type Output, plain, streamText } from '../output.ts'
import {
  type CommonOptions,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface PageOptions extends CommonOptions {
  readonly limit: number
}

interface WaitingOptions extends PageOptions {
  readonly key?: string
}

interface CancelOptions extends CommonOptions {
  readonly yes?: boolean
}

export function addReactions(program: Command, runtime: Runtime): void {
  const group = program.command('reactions').description('where reactions are, and what they wait for')
  withCommonOptions(group.command('list', { isDefault: true }))
    .description('all reactions')
    .action((options: CommonOptions) => withStore(sessionOf(runtime, options), options, list))
  withCommonOptions(group.command('waiting'))
    .description('what a reaction has still to do, and why it is not done')
    .argument('<name>')
    .option('--key <key>', 'only what belongs to the key of a state')
    .option('--limit <number>', 'at most so many', whole, 100)
    .action((name: string, options: WaitingOptions) =>
      withStore(sessionOf(runtime, options), options, (session) => waiting(session, name, options)),
    )
  addPausing(group, runtime, 'reaction')
  withCommonOptions(group.command('cancel'))
    .description('cancel a scheduled command, for ever, whichever process runs the reaction')
    .argument('<name>')
    .argument('<id>', 'its id, which timers shows')
    .option('--yes', 'do not ask')
    .action((name: string, id: string, options: CancelOptions) =>
      withStore(sessionOf(runtime, options), options, (session) => cancel(session, name, id, options)),
    )
  withCommonOptions(group.command('retry'))
    .description('let the process that runs it try what is parked again, or send a scheduled command now')
    .argument('<name>')
    .argument('[id]', 'of a scheduled command; without it, all that is parked')
    .action((name: string, id: string | undefined, options: CommonOptions) =>
      withStore(sessionOf(runtime, options), options, (session) => retry(session, name, id)),
    )
  withCommonOptions(group.command('timers'))
    .description('the scheduled commands of a reaction, in the order in which they are due')
    .argument('<name>')
    .option('--limit <number>', 'at most so many', whole, 100)
    .action((name: string, options: PageOptions) =>
      withStore(sessionOf(runtime, options), options, (session) => timers(session, name, options)),
    )
}

async function list({ inspection, output }: StoreSession): Promise<void> {
  const all = followersOf(inspection, ['reaction'])
  if (all.length === 0) output.note('The domain has no reactions.')
  for (const { kind, name } of all) {
    const status = await statusOf(inspection, kind, name)
    await output.result(status, () => statusText(status, output))
  }
}

/**
 * The reaction with a name. Nothing if it has never run, and asking would store where it begins.
 *
 * @param mayBegin whether that may be stored
 * @throws ToolsError `FOLLOWER_UNKNOWN`
 */
async function reactionNamed(
  { inspection }: StoreSession,
  name: string,
  mayBegin = false,
): Promise<Reactions<string> | undefined> {
  followerNamed(followersOf(inspection, ['reaction']), name)
  return (await inspection.reaction(name, mayBegin)).reactions
}

async function cancel(session: StoreSession, name: string, id: string, { yes }: CancelOptions): Promise<void> {
  const { output, signal } = session
  const reactions = (await reactionNamed(session, name, true))!
  if (!(await isScheduled(reactions, name, id, signal)))
    throw new ProjectionError('TIMER_UNKNOWN', { projection: name, id })
  await confirm(`The scheduled command ${plain(id)} of ${name} will never be sent.`, yes === true, signal)
  await reactions.cancelTimer(name, id)
  await output.result({ name, cancelled: id }, `the scheduled command ${plain(id)} was cancelled`)
}

/** Whether there is anything to ask about. */
async function isScheduled(
  reactions: Reactions<string>,
  name: string,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  for (let after: string | undefined; ; ) {
    signal.throwIfAborted()
    const page = await reactions.timers(name, { limit: timersPageMax, ...(after && { after }) })
    if (page.timers.some((timer) => timer.id === id)) return true
    after = page.next
    if (after === undefined) return false
  }
}

async function retry(session: StoreSession, name: string, id: string | undefined): Promise<void> {
  const { output } = session
  const reactions = (await reactionNamed(session, name, true))!
  if (id !== undefined) {
    await reactions.sendTimer(name, id)
    await output.result({ name, due: id }, `the scheduled command ${plain(id)} is due now`)
  } else {
    const handedBack = await reactions.handBack(name)
    await output.result({ name, handedBack }, `${handedBack.toLocaleString('en')} handed back to ${plain(name)}`)
  }
  const { pausedSince } = await reactions.status(name)
  if (pausedSince !== undefined) output.note(`It is paused since ${pausedSince.toISOString()}.`)
}

/** The most that the library returns in one page. */
const waitingPageMax = 200
const timersPageMax = 1000

async function waiting(session: StoreSession, name: string, { key, limit }: WaitingOptions): Promise<void> {
  const { output, signal } = session
  const reactions = await reactionNamed(session, name)
  if (reactions === undefined) return tellUnasked(name, output)
  let left = limit
  for (let after: string | undefined; left > 0; ) {
    signal.throwIfAborted()
    const options = {
      limit: Math.min(left, waitingPageMax),
      ...(key !== undefined && { key }),
      ...(after && { after }),
    }
    const page = await reactions.waiting(name, options)
    if (after === undefined && typeof page.leader === 'object') {
      output.note('Another process runs it. What that process has in progress is shown as unhandled.')
    }
    for (const item of page.waiting) await output.result(shown(item), () => waitingText(item, output))
    left -= page.waiting.length
    after = page.next
    if (after === undefined) return
  }
  output.note('There may be more: give a greater --limit.')
}

function waitingText(item: Waiting, output: Output): string {
  const { position, type, stream, why, stepsDone } = item
  const place = `${String(position).padStart(6)}  ${streamText(stream)}  ${output.style('bold', plain(type))}`
  const steps = stepsDone.length > 0 ? `, done: ${stepsDone.map(plain).join(', ')}` : ''
  return `${place}  ${output.style('yellow', why)}${detailsOf(item)}${steps}`
}

function detailsOf(item: Waiting): string {
  const commandOf = ({ aggregate, id, name }: { aggregate: string; id: string; name: string }) =>
    `${plain(name)} to ${streamText({ aggregate, id })}`
  switch (item.why) {
    case 'retrying':
      return `, ${item.attempts} failed (${plain(item.error)}), next at ${item.nextAt.toISOString()}`
    case 'queued':
      return ` behind position ${item.behind}`
    case 'failed':
      return ` (${plain(item.error)})`
    case 'parked': {
      const command = item.command === undefined ? '' : `, the command ${commandOf(item.command)}`
      return ` since ${item.parkedAt.toISOString()} (${plain(item.error)})${command}`
    }
    case 'scheduled':
      return `: ${commandOf(item.command)} at ${item.dueAt.toISOString()}`
    default:
      return ''
  }
}

async function timers(session: StoreSession, name: string, { limit }: PageOptions): Promise<void> {
  const { output, signal } = session
  const reactions = await reactionNamed(session, name)
  if (reactions === undefined) return tellUnasked(name, output)
  let left = limit
  for (let after: string | undefined; left > 0; ) {
    signal.throwIfAborted()
    const options = { limit: Math.min(left, timersPageMax), ...(after && { after }) }
    const page = await reactions.timers(name, options)
    for (const timer of page.timers) await output.result(shown(timer), () => timerText(timer, output))
    left -= page.timers.length
    after = page.next
    if (after === undefined) return
  }
  output.note('There may be more: give a greater --limit.')
}

function timerText({ id: timer, command, dueAt, key, position, failures }: ScheduledCommand, output: Output): string {
  const { aggregate, id, name, data } = command
  const given = data === undefined ? '' : ` ${jsonLine(shown(data))}`
  const sent = `${output.style('bold', plain(name))} to ${streamText({ aggregate, id })}${given}`
  const keyed = key === undefined ? '' : `, key ${plain(key)}`
  const failed = failures === 0 ? '' : output.style('yellow', `, ${failures} failed`)
  return `${dueAt.toISOString()}  ${timer}  ${sent}  from position ${position}${keyed}${failed}`
}
