/**
 * Runs a domain in a simulated world, in which everything goes wrong that can go wrong: calls to the store fail, come
 * late or lose their answers, processes crash, freeze and are stopped, clocks jump. One seed decides the whole run. A
 * run that fails can therefore be repeated. The kernel, the projections, the reactions and the store's rules are the
 * real ones; only time, chance and the way to the store are simulated.
 */
import type { Domain } from '../../application/domain.ts'
import type { Aggregates, ProjectionsByName, ReactionsByName } from '../../application/running.ts'
import { type StartOptions, settle } from '../../application/start-options.ts'
import type { CommandOf } from '../../domain/command.ts'
import { hasCode } from '../../domain/error.ts'
import { checkFlag, checkKeys, checkOption, checkWhole, refuseOption } from '../../domain/options.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import { limitsOf } from '../../kernel/limits.ts'
import type { Random } from '../random.ts'
import { withCrowdLimit } from './crowds.ts'
import type { Invariants } from './end-of-run.ts'
import { drawFaults, type FaultRates, ratesOf } from './faults.ts'
import { minimised } from './minimise.ts'
import { withoutOutside } from './outside.ts'
import { checkPlanned, makePlan, type Part, type Plan, type PlanOptions } from './plan.ts'
import { canHoldCluster, drawProfile, type ProfileName, possible, profileNames, profiles } from './profiles.ts'
import { partsOf, rowsOf } from './read-side.ts'
import { type Run, type RunOptions, runPlan } from './run.ts'
import { seedVariable } from './seeds.ts'
import { type AnyDomain, Version } from './version.ts'

export interface SimulateOptions<A, P, R, C extends CommandOf<A> = CommandOf<A>> {
  readonly domain: Domain<A, P, R>
  /**
   * Newer versions of the domain, the next one first. Each is rolled out in the middle of the run, one process after
   * the other, while others still run the version before. It may be rolled back once. At the end all processes run the
   * last one. Commands are those of `domain`, so every version must know them.
   */
  readonly upgrades?: readonly AnyDomain[]
  /** What the next client asks for. It may remember what it has returned; take all chance from `random`. */
  readonly command: (random: Random) => C
  /** Chooses the plan, the faults, and all chance within the run. */
  readonly seed: number
  /** Commands of clients, 40 by default. */
  readonly steps?: number
  /** Processes that share the store, 2 by default. */
  readonly processes?: number
  /**
   * The store whose behaviour is simulated: what it does at one moment or in parts, what is lost on the way to it, whom
   * it wakes, whose clock its leases go by, and how many processes it allows. The seed chooses it if it is not given. A
   * store in a file has one process, and one in memory neither crashes nor loses anything. With `file-on-disk`, which
   * the seed never chooses, the file store itself runs, on a simulated disk that loses its power.
   */
  readonly profile?: ProfileName
  /**
   * Whether the processes are members of one cluster, which send each command to the member that owns its stream. Links
   * between them break, and lines are cut. Only stores that several processes can share have clusters: `sqlite`,
   * `postgres`, `mongodb` and `nats`.
   */
  readonly cluster?: boolean
  /** How often what goes wrong. By default the seed draws it: anything from calm to hostile. */
  readonly faults?: Partial<FaultRates>
  /**
   * Whom an operator forgets next: a subject of personal fields. Without it nobody is forgotten. Take all chance from
   * `random`.
   */
  readonly forget?: (random: Random) => string
  /** Commands that are sent before faults begin, one after the other. */
  readonly first?: readonly CommandOf<A>[]
  /** Options with which each process starts the domain. */
  readonly options?: Pick<StartOptions, 'snapshotEvery' | 'passivateAfterMs' | 'leaseMs' | 'pollIntervalMs' | 'limits'>
  /**
   * What must be so at the end, when faults are over and everything has come to rest, by names for the reader. One that
   * returns false or throws fails the run. So does one that returns a promise: it must answer at once.
   */
  readonly invariants?: Invariants
  /**
   * Called before each run: the first, and those that make a failing run smaller. Empties what handlers of yours write
   * to outside Mneme.
   */
  readonly reset?: () => void
  /** Whether a failure tells the smallest run that breaks the promise, or the run itself. `true` by default. */
  readonly minimise?: boolean
}

/** What a run was, if it kept all promises. */
export interface SimulationReport {
  readonly seed: number
  /** The store whose behaviour was simulated. */
  readonly profile: ProfileName
  /** A number over all that happened: runs with the same one were the same. */
  readonly hash: number
  /** How many things happened: calls that arrived or were answered, timers, sendings. */
  readonly happened: number
  /** Events in the log at the end. */
  readonly events: number
  /** How often each fault happened. */
  readonly faults: Readonly<Record<string, number>>
  /** How often rare things came about that a test should have met, such as "a commit conflicts". */
  readonly marks: Readonly<Record<string, number>>
}

/** A simulated run broke a promise. The message says which, and tells the smallest run found that breaks it. */
export class SimulationFailed extends Error {
  override readonly name = 'SimulationFailed'
  readonly seed: number
  /** The promise, or the invariant, by its name. */
  readonly broken: string
  /** What happened in that run, line by line. */
  declare readonly transcript: readonly string[]
  /** How many actions of clients and faults it has. */
  readonly actions: number

  constructor(seed: number, plan: Plan, { broken, lines }: Run, asked?: number) {
    const actions = plan.actions.length
    const told =
      asked === undefined
        ? `The run has ${actions} actions:`
        : `The smallest run found that breaks it has ${actions} of ${asked} actions:`
    const shown =
      lines.length > linesShown ? [`(${lines.length - linesShown} lines before)`, ...lines.slice(-linesShown)] : lines
    const message = [
      `Seed ${seed} breaks a promise: ${broken!.check}.`,
      `${broken!.message}`,
      '',
      told,
      ...shown,
      '',
      `To repeat it: simulate({ ..., seed: ${seed} }). If the seeds come from seeds(...): ${seedVariable}=${seed} npm test`,
    ]
    super(message.join('\n'), broken!.cause === undefined ? {} : { cause: broken!.cause })
    this.seed = seed
    this.broken = broken!.check
    // The message has it, so it is not shown once more.
    Object.defineProperty(this, 'transcript', { value: lines, enumerable: false })
    this.actions = actions
  }
}

const linesShown = 120
/** So much may happen in all runs that make a plan smaller. */
const minimisingMax = 2_000_000
const known = [
  'domain',
  'upgrades',
  'command',
  'seed',
  'steps',
  'processes',
  'profile',
  'cluster',
  'faults',
  'forget',
  'first',
  'options',
  'invariants',
  'reset',
  'minimise',
] as const
const knownOfStart = ['snapshotEvery', 'passivateAfterMs', 'leaseMs', 'pollIntervalMs', 'limits'] as const

/**
 * Simulates one run.
 *
 *     for (let seed = 1; seed <= 100; seed++) {
 *       await simulate({ domain: Bank, seed, command: (random) => ({ aggregate: 'account', id: 'ada', name: 'deposit', data: { amount: random.int(1, 9) } }) })
 *     }
 *
 * While it runs, `Date.now`, `new Date()`, `Math.random`, `setTimeout`, `fetch`, `node:fs` and the like throw, so runs
 * of one process wait for each other.
 *
 * @throws SimulationFailed; DefinitionError `OPTION_INVALID`; InputError `COMMAND_MALFORMED` for what is no command
 */
export async function simulate<
  A extends Aggregates,
  P extends ProjectionsByName,
  R extends ReactionsByName,
  const C extends CommandOf<A>,
>(options: SimulateOptions<A, P, R, C>): Promise<SimulationReport> {
  checkKeys('simulate(options)', options ?? null, known)
  checkParts(options)
  const { domain, command, seed, steps = 40, processes = 2, first = [], invariants = {}, minimise = true } = options
  const { upgrades = [], reset = () => {}, cluster: isCluster = false, forget } = options
  const { profile = drawProfile(seed, isCluster) } = options
  checkOption('domain', domain ?? null, isDomain, 'what domain(...) returns')
  checkOption('upgrades', upgrades, areDomains, 'a list of what domain(...) returns')
  checkOption('command', command ?? null, (found) => typeof found === 'function', 'a function that returns a command')
  checkOption('forget', forget, (found) => typeof found === 'function', 'a function that returns whom to forget')
  checkWhole('seed', seed ?? null, 0)
  checkWhole('steps', steps, 1)
  checkWhole('processes', processes, 1)
  checkFlag('minimise', minimise)
  checkFlag('cluster', isCluster)
  const names = isCluster ? profileNames.filter(canHoldCluster) : profileNames
  checkOption('profile', profile, (found) => names.includes(found), names.join(', '))
  const behaviour = profiles[profile]
  const rates = possible(
    options.faults === undefined ? drawFaults(seed) : ratesOf(options.faults),
    behaviour,
    isCluster,
  )
  const domains = [domain as AnyDomain, ...upgrades]
  const versions = domains.map((each, number) => new Version(number, each, number === upgrades.length))
  const parts = versions.flatMap((version) => partsOf(version.domain))
  const isFirst = ({ of, key }: Part, i: number) => parts.findIndex((each) => each.of === of && each.key === key) === i
  const planOptions: PlanOptions = {
    seed,
    profile,
    processes: behaviour.singleWriter ? 1 : processes,
    steps,
    rates,
    command: command as (random: Random) => PlainCommand,
    parts: parts.filter(isFirst),
    rows: [...new Set(versions.flatMap((version) => rowsOf(version.domain).map(([key]) => key)))],
    upgrades: upgrades.length,
    forget,
  }
  const given: RunOptions = {
    versions,
    isCluster,
    first: first as readonly PlainCommand[],
    options: withCrowdLimit(options.options ?? {}, seed),
    invariants,
    reset,
  }
  return await withoutOutside(async () => {
    const plan = makePlan(planOptions)
    const run = await runPlan(given, plan)
    if (run.broken === undefined) return reportOf(plan, run)
    if (!minimise) throw new SimulationFailed(seed, plan, run)
    const { kind } = run.broken
    let spent = 0
    const fails = async (candidate: Plan) => {
      // A run that never comes to rest is long.
      if (spent > minimisingMax) return false
      const { broken, count } = await runPlan(given, candidate)
      spent += count
      return broken?.kind === kind
    }
    const smallest = await minimised(plan, fails)
    throw new SimulationFailed(seed, smallest, await runPlan(given, smallest), plan.actions.length)
  })
}

/** Checks the options that have parts of their own. @throws DefinitionError `OPTION_INVALID` */
function checkParts({
  first,
  invariants,
  options,
  reset,
}: Pick<SimulateOptions<any, any, any>, 'first' | 'invariants' | 'options' | 'reset'>) {
  checkOption('first', first, Array.isArray, 'a list of commands')
  for (const [i, command] of (first ?? []).entries()) checkFirst(i, command)
  checkOption('invariants', invariants, areInvariants, 'a record of functions, by the name of what must be so')
  checkKeys('options', options, knownOfStart)
  settle(options ?? {})
  limitsOf(options?.limits ?? {})
  checkOption('reset', reset, (found) => typeof found === 'function', 'a function')
}

/** @throws DefinitionError `OPTION_INVALID` */
function checkFirst(i: number, command: unknown): void {
  try {
    checkPlanned(command)
  } catch (cause) {
    refuseOption(
      `first[${i}]`,
      `a command: ${hasCode(cause, 'COMMAND_MALFORMED') ? cause.facts.reason : cause}`,
      command,
    )
  }
}

const isDomain = (given: unknown): boolean => typeof (given as AnyDomain | null)?.start === 'function'
const areInvariants = (given: unknown): boolean =>
  typeof given === 'object' && given !== null && Object.values(given).every((each) => typeof each === 'function')
const areDomains = (given: unknown): boolean => Array.isArray(given) && given.every(isDomain)

function reportOf({ seed, profile }: Plan, { hash, count, events, faults, marks }: Run): SimulationReport {
  const counts = { faults: Object.fromEntries(faults), marks: Object.fromEntries(marks) }
  return { seed, profile, hash, happened: count, events, ...counts }
}
