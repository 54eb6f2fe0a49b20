/** Asks a running domain what it still has to do by itself: events to handle, and commands that are scheduled. */
import type { ProjectionStatus } from '../../projection/running/status.ts'
import type { Load, Managed, Reactions } from '../running.ts'

/** What the pool needs of a running domain. */
export interface OpenDomain {
  readonly projections: Pick<Managed<string>, 'status'>
  readonly reactions: Pick<Reactions<string>, 'status' | 'timers'>
  load(): Load
  stop(): Promise<void>
}

/** The names of the parts that work by themselves. */
export interface Parts {
  readonly projections: readonly string[]
  readonly reactions: readonly string[]
}

export interface Rest {
  /** Whether everything in the log is handled, and no command is in progress. */
  readonly isQuiet: boolean
  /** When its first scheduled command is due, in milliseconds since 1970. Infinite if there is none. */
  readonly dueAt: number
  /** Whether the domain could not say, because its store failed. */
  readonly isUnknown?: boolean
}

export async function restOf(bank: OpenDomain, { projections, reactions }: Parts): Promise<Rest> {
  if (bank.load().commandsInFlight > 0) return { isQuiet: false, dueAt: Number.POSITIVE_INFINITY }
  const [followers, reacting] = await Promise.all([
    Promise.all(projections.map((name) => bank.projections.status(name))),
    Promise.all(
      reactions.map(async (name) => {
        const status = await bank.reactions.status(name)
        // One that does not run sends nothing, however long the domain stays open.
        const { timers } = isAtWork(status) ? await bank.reactions.timers(name, { limit: 1 }) : { timers: [] }
        return { status, dueAt: timers[0]?.dueAt.getTime() ?? Number.POSITIVE_INFINITY }
      }),
    ),
  ])
  const statuses = [...followers, ...reacting.map(({ status }) => status)]
  return {
    isQuiet: statuses.every((status) => !isAtWork(status) || hasCaughtUp(status)),
    dueAt: Math.min(...reacting.map(({ dueAt }) => dueAt)),
  }
}

/** Whether it will handle events, here or in the process that leads. A pause lasts, also if the domain is stopped. */
function isAtWork({ state, pausedSince }: ProjectionStatus): boolean {
  if (state === 'paused' || pausedSince !== undefined) return false
  return state !== 'stopped' && state !== 'failed' && state !== 'outdated'
}

function hasCaughtUp({ state, lag, retrying }: ProjectionStatus): boolean {
  return (state === 'running' || state === 'standby') && lag.events === 0 && retrying === undefined
}
