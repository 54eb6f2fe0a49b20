/** Projections and reactions by their names, and how the program shows where they are. */
import type { Command } from 'commander'
import type { Managed } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import { domainOf, type FollowerKind, type FollowerStatus, type Inspection, statusOf } from '../inspection/index.ts'
import { counted, type Output, oneLine, plain } from './output.ts'
import {
  type CommonOptions,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from './session.ts'

/** A projection or reaction of the domain. */
export interface Follower {
  readonly kind: FollowerKind
  readonly name: string
}

/**
 * All of a kind, or of both, in the order of the domain.
 *
 * @throws ToolsError `DOMAIN_NEEDED`
 */
export function followersOf(inspection: Inspection, kinds: readonly FollowerKind[]): readonly Follower[] {
  const { projections, reactions } = domainOf(inspection)
  const of = (kind: FollowerKind, named: object) =>
    kinds.includes(kind) ? Object.keys(named).map((name) => ({ kind, name })) : []
  return [...of('projection', projections), ...of('reaction', reactions)]
}

/**
 * The one with a name.
 *
 * @throws ToolsError `FOLLOWER_UNKNOWN`
 */
export function followerNamed(followers: readonly Follower[], name: string): Follower {
  const found = followers.filter((follower) => follower.name === name)
  if (found.length === 1) return found[0]!
  const known = followers.map((follower) => follower.name).join(', ')
  throw found.length === 0
    ? new ToolsError('FOLLOWER_UNKNOWN', `The domain has nothing named ${JSON.stringify(name)} here`, {
        advice: known === '' ? 'It has none' : `It has ${known}`,
      })
    : new ToolsError('FOLLOWER_UNKNOWN', `A projection and a reaction are named ${JSON.stringify(name)}`, {
        advice: 'Say which one with --kind projection or --kind reaction',
      })
}

/** The methods of one, to change something. Where a reaction begins may be stored by that. */
export const managed = async (inspection: Inspection, { kind, name }: Follower): Promise<Managed<string>> =>
  kind === 'projection'
    ? (await inspection.projections()).projections
    : (await inspection.reaction(name, true)).reactions!

/** Tells that of a reaction nothing can be shown. */
export function tellUnasked(name: string, output: Output): void {
  output.note(`${name} has never run: what it does depends on when it begins.`)
}

/** `balances  position 90 of 100, 10 events and 3 s behind, 2 parked` */
export function statusText(status: FollowerStatus, output: Pick<Output, 'style'>): string {
  const { name, position, head, lag, parked = 0, pausedSince, failure } = status
  const parts = [
    ...('beginning' in status ? [output.style('yellow', beginningText(status.beginning))] : []),
    `position ${position?.toLocaleString('en') ?? 'unknown'} of ${head.toLocaleString('en')}`,
    ...(lag === undefined ? [] : [output.style(lag.events > 0 ? 'yellow' : 'green', lagText(lag))]),
    ...(pausedSince === undefined ? [] : [output.style('yellow', `paused since ${pausedSince}`)]),
    ...(parked > 0 ? [output.style('yellow', `${parked.toLocaleString('en')} parked`)] : []),
  ]
  const line = `${output.style('bold', plain(name))}  ${parts.join(', ')}`
  return failure === undefined ? line : `${line}\n  ${output.style('red', oneLine(failure.message))}`
}

function lagText({ events, ms }: FollowerStatus['lag'] & {}): string {
  const seconds = (ms / 1000).toLocaleString('en', { maximumFractionDigits: 1 })
  return events > 0 ? `${counted(events, 'event')} and ${seconds} s behind` : 'caught up'
}

function beginningText(beginning: FollowerStatus['beginning']): string {
  if (beginning === 'first') return 'has never run, begins with the first event'
  if (beginning === 'now') return 'has never run, begins with what is new then'
  return `has never run, begins at ${typeof beginning === 'object' ? beginning.time : `position ${beginning}`}`
}

/** Adds the commands that pause all processes at a projection or reaction, and let them continue. */
export function addPausing(group: Command, runtime: Runtime, kind: FollowerKind): void {
  const add = (verb: 'pause' | 'resume', description: string) =>
    withCommonOptions(group.command(verb))
      .description(description)
      .argument('<name>')
      .action((name: string, options: CommonOptions) =>
        withStore(sessionOf(runtime, options), options, (session) => setPaused(session, kind, name, verb)),
      )
  add('pause', 'let no process handle events, also after restarts, until it is resumed')
  add('resume', 'let the processes that run it continue')
}

async function setPaused(session: StoreSession, kind: FollowerKind, name: string, verb: 'pause' | 'resume') {
  const { inspection, output } = session
  const follower = followerNamed(followersOf(inspection, [kind]), name)
  await (await managed(inspection, follower))[verb](name)
  const status = await statusOf(inspection, kind, name)
  await output.result(status, () => statusText(status, output))
}
