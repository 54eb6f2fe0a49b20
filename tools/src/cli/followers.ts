/** Projections and reactions by their names, and how the program shows where they are. */
import type { Command } from 'commander'
import type { Managed, ProjectionStatus } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import type { RunningDomain } from '../inspection/index.ts'
import { counted, type Output, oneLine, plain } from './output.ts'
import {
  type CommonOptions,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from './session.ts'

export type FollowerKind = 'projection' | 'reaction'

/** A projection or reaction, with its methods. */
export interface Follower {
  readonly kind: FollowerKind
  readonly name: string
  readonly managed: Managed<string>
}

/** All of a kind, or of both, in the order of the domain. */
export function followersOf(
  { inspection: { domain } }: StoreSession,
  { projections, reactions }: RunningDomain,
  kinds: readonly FollowerKind[],
): readonly Follower[] {
  const of = (kind: FollowerKind, named: object, managed: Managed<string>) =>
    kinds.includes(kind) ? Object.keys(named).map((name) => ({ kind, name, managed })) : []
  return [...of('projection', domain!.projections, projections), ...of('reaction', domain!.reactions, reactions)]
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

/** A status as JSON. What this process does is left out: it runs nothing. */
export function statusValue(kind: FollowerKind, name: string, status: ProjectionStatus): object {
  const { position, head, lag, parked, pausedSince, failure } = status
  const failed = failure && { failure: { code: failure.code, message: failure.message } }
  return { kind, name, position, head, lag, parked, ...(pausedSince && { pausedSince }), ...failed }
}

/** `balances  position 90 of 100, 10 events and 3 s behind, 2 parked` */
export function statusText(name: string, status: ProjectionStatus, output: Pick<Output, 'style'>): string {
  const { position, head, lag, parked, pausedSince, failure } = status
  const isBehind = lag.events > 0
  const seconds = (lag.ms / 1000).toLocaleString('en', { maximumFractionDigits: 1 })
  const behind = isBehind ? `${counted(lag.events, 'event')} and ${seconds} s behind` : 'caught up'
  const parts = [
    `position ${position.toLocaleString('en')} of ${head.toLocaleString('en')}`,
    output.style(isBehind ? 'yellow' : 'green', behind),
    ...(pausedSince ? [output.style('yellow', `paused since ${pausedSince.toISOString()}`)] : []),
    ...(parked > 0 ? [output.style('yellow', `${parked.toLocaleString('en')} parked`)] : []),
  ]
  const line = `${output.style('bold', plain(name))}  ${parts.join(', ')}`
  return failure === undefined ? line : `${line}\n  ${output.style('red', oneLine(failure.message))}`
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
  const running = await (kind === 'projection' ? inspection.projections() : inspection.everything())
  const { managed } = followerNamed(followersOf(session, running, [kind]), name)
  await managed[verb](name)
  const status = await managed.status(name)
  await output.result(statusValue(kind, name, status), () => statusText(name, status, output))
}
