/**
 * Answers of a process to those who ask whether it lives and whether it can take requests, such as Kubernetes or a load
 * balancer. The answers are those of the web platform, so any server can give them.
 */
import { isStopping } from '../application/inside.ts'
import type { Managed } from '../application/running.ts'
import type { ClusterStatus } from '../cluster/status.ts'
import { MnemeError } from '../domain/error.ts'
import { checkKeys, checkOption, checkWhole } from '../domain/options.ts'
import type { ProjectionStatus } from '../projection/running/status.ts'
import { startTimer, stopTimer } from '../runtime/timers.ts'

/** What is asked of a running domain. */
export interface Examined {
  head(): Promise<number>
  readonly cluster: { status(): ClusterStatus }
  readonly projections: Pick<Managed<string>, 'names' | 'status'>
  readonly reactions: Pick<Managed<string>, 'names' | 'status'>
}

export interface HealthOptions {
  /** How long the store may take to answer, in milliseconds. 1,000 by default. */
  readonly timeoutMs?: number
  /**
   * Projections and reactions without which the process takes no requests: it is not ready while one of them has failed
   * or is further behind than `lagMsMax`. None by default, because commands do not need them, and because a projection
   * that fails does so in every process: none would be left.
   */
  readonly needs?: readonly string[]
  /** How old the oldest unhandled event of those may be, in milliseconds. No limit by default. */
  readonly lagMsMax?: number
}

/** Answers a request. */
type Handler = (request: Request) => Promise<Response>

export interface Health {
  /** 200 as long as the process can answer at all. */
  readonly live: Handler
  /** 200 if the process can take requests, otherwise 503. */
  readonly ready: Handler
}

/** `warn`: the process can take requests, but somebody should look. */
type Status = 'pass' | 'warn' | 'fail'

interface Check {
  readonly status: Status
  readonly [fact: string]: unknown
}

/**
 * Handlers for liveness and readiness. The process is ready when its domain does not stop, the store answers, the rows
 * of its projections have this program's revision, and it is a member of its cluster.
 *
 *     const { live, ready } = health(bank)
 *     if (new URL(request.url).pathname === '/readyz') return ready(request)
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function health(running: Examined, options: HealthOptions = {}): Health {
  checkKeys('health(running, options)', options, ['timeoutMs', 'needs', 'lagMsMax'])
  const { timeoutMs = 1000, needs = [], lagMsMax = Number.POSITIVE_INFINITY } = options
  checkWhole('timeoutMs', timeoutMs, 1)
  checkWhole('lagMsMax', options.lagMsMax, 0)
  const { projections, reactions } = running
  const names = [...projections.names, ...reactions.names]
  const areKnown = (found: readonly string[]) => Array.isArray(found) && found.every((name) => names.includes(name))
  checkOption('needs', needs, areKnown, `names of projections and reactions: ${names.join(', ')}`)
  const followers = (kind: 'projection' | 'reaction', of: Examined['projections']) =>
    of.names.map((name) => {
      const examine = async () => judge(await of.status(name), needs.includes(name), lagMsMax)
      return [`${kind} ${name}`, examine] as const
    })
  const checks: readonly (readonly [name: string, examine: () => Promise<Check>])[] = [
    ['domain', async () => (isStopping(running) ? { status: 'fail', code: 'STOPPED' } : { status: 'pass' })],
    ['store', async () => ({ status: 'pass', head: await running.head() })],
    ['cluster', async () => membership(running.cluster.status())],
    ...followers('projection', projections),
    ...followers('reaction', reactions),
  ]
  return Object.freeze({
    live: only(async () => answer({})),
    ready: only(async () => {
      const found = checks.map(async ([name, examine]) => [name, await within(timeoutMs, examine)] as const)
      return answer(Object.fromEntries(await Promise.all(found)))
    }),
  })
}

function judge(
  { state, position, lag, parked, pausedSince, failure }: ProjectionStatus,
  isNeeded: boolean,
  lagMsMax: number,
): Check {
  // Rows of an older revision cannot be read.
  const isUnfit = state === 'preparing' || (isNeeded && (state === 'failed' || lag.ms > lagMsMax))
  const isOdd = state === 'failed' || parked > 0 || pausedSince !== undefined || failure !== undefined
  const status = isUnfit ? 'fail' : isOdd ? 'warn' : 'pass'
  const paused = pausedSince && { pausedSince }
  return { status, state, position, lag, parked, ...paused, ...(failure !== undefined && { code: failure.code }) }
}

function membership({ self, members, epoch }: ClusterStatus): Check {
  const isMember = members.some(({ id, isLeaving }) => id === self && !isLeaving)
  return { status: isMember ? 'pass' : 'fail', members: members.length, epoch }
}

/** A check that fails if it takes too long. Messages of errors are left out, because the answer may be public. */
async function within(timeoutMs: number, examine: () => Promise<Check>): Promise<Check> {
  const late = Promise.withResolvers<Check>()
  const timer = startTimer(() => late.resolve({ status: 'fail', code: 'TIMEOUT' }), timeoutMs)
  const code = (error: unknown) => (error instanceof MnemeError ? error.code : 'UNKNOWN')
  const failed = (error: unknown): Check => ({ status: 'fail', code: code(error) })
  try {
    return await Promise.race([examine().catch(failed), late.promise])
  } finally {
    stopTimer(timer)
  }
}

function answer(checks: Readonly<Record<string, Check>>): Response {
  const all = Object.values(checks).map(({ status }) => status)
  const status = all.includes('fail') ? 'fail' : all.includes('warn') ? 'warn' : 'pass'
  return new Response(JSON.stringify({ status, checks }), { status: status === 'fail' ? 503 : 200, headers })
}

const headers = { 'content-type': 'application/health+json', 'cache-control': 'no-store' }

/** A handler that answers only requests that read. */
function only(handle: () => Promise<Response>): Handler {
  return async ({ method }) => {
    if (method === 'GET') return handle()
    if (method !== 'HEAD') return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } })
    const { status } = await handle()
    return new Response(null, { status, headers })
  }
}
