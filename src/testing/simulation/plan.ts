/**
 * What is to happen in a run: what clients do, what befalls processes, what operators do, and which versions are
 * deployed. A plan is made before the run begins. It is plain data, so a failing plan can be made smaller and run
 * again. Chance within a run (delays, which call fails) follows from its seed.
 */
import { isDeepStrictEqual } from 'node:util'
import { InputError } from '../../domain/error.ts'
import { checkPlainCommand, type PlainCommand } from '../../domain/plain-command.ts'
import { Random } from '../random.ts'
import { inCrowds } from './crowds.ts'
import type { FaultRates } from './faults.ts'
import type { ProfileName } from './profiles.ts'

/** A projection or a reaction, by its key in the domain. */
export interface Part {
  readonly of: 'projections' | 'reactions'
  readonly key: string
}

/** What an operator does in one process. */
export type Operation = Part &
  (
    | { readonly kind: 'pause' | 'halt'; readonly forMs: number }
    | { readonly kind: 'rebuild' | 'retryParked' | 'skipParked' }
  )

/** Something that happens at a time, in milliseconds after faults begin. */
export type Action = { readonly atMs: number; readonly process: number } & (
  | {
      readonly kind: 'command'
      readonly client: number
      readonly command: PlainCommand
      readonly isRepeatable: boolean
    }
  | { readonly kind: 'repeat'; readonly client: number }
  /** A client sends what another one has sent, with the id of its own command. */
  | { readonly kind: 'reuse'; readonly client: number; readonly other: number }
  | { readonly kind: 'giveUp'; readonly client: number }
  | { readonly kind: 'state'; readonly aggregate: string; readonly id: string }
  | { readonly kind: 'crash' | 'stop' | 'freeze' | 'partition' | 'losePower'; readonly forMs: number }
  | { readonly kind: 'setClock'; readonly byMs: number }
  /** The line to another member of the cluster is cut. */
  | { readonly kind: 'cut'; readonly other: number; readonly forMs: number }
  /** The store is set back by a number of changes. Before its log is repaired, as far as it is, some time passes. */
  | { readonly kind: 'restore' | 'restoreLog'; readonly changes: number; readonly forMs: number }
  /** A write has landed at a wrong place. When somebody has named it, the store is set back like this. */
  | { readonly kind: 'misdirect'; readonly changes: number; readonly forMs: number }
  /** The process ends, in good order or not, and starts again with a version of the domain. */
  | { readonly kind: 'deploy'; readonly version: number; readonly isCrash: boolean }
  /** An operator forgets somebody. */
  | { readonly kind: 'forget'; readonly subject: string }
  | Operation
)

/** What clients do. */
export type OfClients = { readonly kind: 'command' | 'repeat' | 'reuse' | 'giveUp' | 'state' }

export interface Plan {
  readonly seed: number
  readonly profile: ProfileName
  readonly processes: number
  readonly rates: FaultRates
  readonly actions: readonly Action[]
}

export interface PlanOptions {
  readonly seed: number
  readonly profile: ProfileName
  readonly processes: number
  readonly steps: number
  readonly rates: FaultRates
  readonly command: (random: Random) => PlainCommand
  /** The projections and reactions of all versions. */
  readonly parts: readonly Part[]
  /** The keys of the projections with rows. */
  readonly rows: readonly string[]
  /** How many versions are deployed after the first. */
  readonly upgrades: number
  /** Whom operators forget, if they do. */
  readonly forget: ((random: Random) => string) | undefined
}

/**
 * No process stands still for longer than so long after the last command, in milliseconds. It misses whatever it can
 * miss within that time: its leases, and the time for which it may use a key, are shorter.
 */
const frozenMsMax = 8000

/** The mean pauses between commands, of which each run has one. */
const pausesMs = [2, 20, 100, 400]

export function makePlan(options: PlanOptions): Plan {
  const { seed, profile, processes, steps, rates, command } = options
  const random = new Random(seed)
  const pauseMs = random.pick(pausesMs)
  const actions: Action[] = []
  let atMs = 0
  const process = () => random.int(0, processes - 1)
  for (let client = 1; client <= steps; client++) {
    // Sometimes many come at once, sometimes nobody for long.
    atMs += random.chance(0.3) ? 0 : -pauseMs * Math.log(1 - random.next())
    const asked: unknown = command(random)
    checkPlanned(asked)
    const isRepeatable = random.chance(0.5)
    actions.push({ atMs, process: process(), kind: 'command', client, command: asked, isRepeatable })
    const { aggregate, id } = asked
    if (random.chance(0.2)) actions.push({ atMs, process: process(), kind: 'state', aggregate, id })
    if (random.chance(rates.repeat) && isRepeatable) {
      actions.push({ atMs: atMs + random.int(0, 500), process: process(), kind: 'repeat', client })
    }
    // Often while what clients have set off is under way.
    const soonMs = atMs + 30 * random.next()
    if (random.chance(rates.crash)) {
      actions.push({ atMs: soonMs, process: process(), kind: 'crash', forMs: random.int(0, 3000) })
    }
    if (random.chance(rates.stop)) {
      actions.push({ atMs: soonMs, process: process(), kind: 'stop', forMs: random.int(0, 1000) })
    }
    if (random.chance(rates.freeze)) {
      actions.push({ atMs: soonMs, process: process(), kind: 'freeze', forMs: random.int(10, 30_000) })
    }
    if (random.chance(rates.setClock)) {
      actions.push({ atMs, process: process(), kind: 'setClock', byMs: random.int(-60_000, 60_000) })
    }
    if (random.chance(rates.partition)) {
      actions.push({ atMs: soonMs, process: process(), kind: 'partition', forMs: random.int(10, 20_000) })
    }
    for (const operation of operations(random, options)) actions.push({ atMs, process: process(), ...operation })
  }
  const thawsAt = atMs + frozenMsMax
  const thawed = (action: Action): Action =>
    action.kind === 'freeze' ? { ...action, forMs: Math.min(action.forMs, thawsAt - action.atMs) } : action
  const deployments = deploymentsUntil(atMs, new Random(seed ^ 0x5eed), options)
  const restores = lossesUntil(atMs, new Random(seed ^ 0x01d), options, ['restore', 'restoreLog'])
  const damages = lossesUntil(atMs, new Random(seed ^ 0x3ec), options, ['misdirect'])
  const sent = inCrowds(actions.map(thawed), seed)
  const givenUp = givingUp(sent, new Random(seed ^ 0x91e), options)
  const reuses = reusing(sent, new Random(seed ^ 0x7e05e), options)
  const cuts = cutsUntil(atMs, new Random(seed ^ 0xc07), options)
  const forgettings = forgettingsUntil(atMs, new Random(seed ^ 0xf0), options)
  const failures = powerFailuresUntil(atMs, new Random(seed ^ 0xda7c), options)
  return {
    seed,
    profile,
    processes,
    rates,
    actions: [sent, deployments, restores, damages, givenUp, reuses, cuts, forgettings, failures]
      .flatMap((some) => [...some])
      .sort((a, b) => a.atMs - b.atMs),
  }
}

/**
 * Refuses what is no command, and what the simulation gives to a command itself.
 *
 * @throws InputError `COMMAND_MALFORMED`
 */
export function checkPlanned(asked: unknown): asserts asked is PlainCommand {
  const malformed = (reason: string): never => {
    throw new InputError('COMMAND_MALFORMED', { reason })
  }
  if (asked instanceof Promise) {
    // Nobody else hears of its failure.
    void asked.catch(() => {})
    malformed('it is a promise, and a simulation needs the command at once')
  }
  checkPlainCommand(asked)
  for (const part of ['commandId', 'signal'] as const) {
    if (asked[part] !== undefined) malformed(`it has a ${part}, which a simulation gives to its commands itself`)
  }
}

/** Backups that are restored, and what makes that necessary. */
function* lossesUntil(
  endMs: number,
  random: Random,
  { steps, rates }: PlanOptions,
  kinds: readonly ('restore' | 'restoreLog' | 'misdirect')[],
): Generator<Action> {
  for (let step = 0; step < steps; step++) {
    for (const kind of kinds) {
      if (!random.chance(rates[kind])) continue
      const [atMs, changes] = [endMs * random.next(), random.int(1, random.pick([10, 50, 200]))]
      yield { atMs, process: 0, kind, changes, forMs: random.int(0, 3000) }
    }
  }
}

/** Clients that give their commands up: most of them while the commands are under way. */
function* givingUp(actions: readonly Action[], random: Random, { rates }: PlanOptions): Generator<Action> {
  for (const action of actions) {
    if (action.kind !== 'command' || !random.chance(rates.giveUp)) continue
    const { atMs, process, client } = action
    yield { atMs: atMs + random.int(0, random.pick([5, 50, 1000])), process, kind: 'giveUp', client }
  }
}

/** Clients that use an id for another command to the same aggregate, a while after their own. */
function* reusing(actions: readonly Action[], random: Random, { rates }: PlanOptions): Generator<Action> {
  const asked = actions.filter((action) => action.kind === 'command')
  for (const { atMs, process, client, command, isRepeatable } of asked) {
    if (!isRepeatable || !random.chance(rates.reuse)) continue
    const others = asked.filter(
      (other) => isSameStream(other.command, command) && !isDeepStrictEqual(other.command.data, command.data),
    )
    if (others.length === 0) continue
    const other = random.pick(others).client
    yield { atMs: atMs + random.int(0, random.pick([50, 1000])), process, kind: 'reuse', client, other }
  }
}

const isSameStream = (one: PlainCommand, other: PlainCommand): boolean =>
  one.aggregate === other.aggregate && one.id === other.id

/** Lines between members of a cluster that are cut. */
function* cutsUntil(endMs: number, random: Random, { steps, rates, processes }: PlanOptions): Generator<Action> {
  if (processes === 1) return
  for (let step = 0; step < steps; step++) {
    if (!random.chance(rates.cut)) continue
    const process = random.int(0, processes - 1)
    const other = (process + random.int(1, processes - 1)) % processes
    yield { atMs: endMs * random.next(), process, kind: 'cut', other, forMs: random.int(10, 20_000) }
  }
}

/** People who are forgotten. */
function* forgettingsUntil(endMs: number, random: Random, options: PlanOptions): Generator<Action> {
  const { steps, rates, processes, forget } = options
  if (forget === undefined) return
  for (let step = 0; step < steps; step++) {
    if (!random.chance(rates.forget)) continue
    const [atMs, process] = [endMs * random.next(), random.int(0, processes - 1)]
    yield { atMs, process, kind: 'forget', subject: forget(random) }
  }
}

/** Failures of the power, often soon after clients have asked for something. */
function* powerFailuresUntil(endMs: number, random: Random, { steps, rates }: PlanOptions): Generator<Action> {
  for (let step = 0; step < steps; step++) {
    if (!random.chance(rates.losePower)) continue
    yield { atMs: endMs * random.next(), process: 0, kind: 'losePower', forMs: random.int(0, 3000) }
  }
}

/** What operators do at one moment: mostly nothing. */
function* operations(random: Random, { rates, parts, rows }: PlanOptions): Generator<Operation> {
  if (rows.length > 0) {
    if (random.chance(rates.rebuild)) yield { kind: 'rebuild', of: 'projections', key: random.pick(rows) }
    if (random.chance(rates.skipParked)) yield { kind: 'skipParked', of: 'projections', key: random.pick(rows) }
  }
  if (parts.length > 0) {
    if (random.chance(rates.pause)) yield { kind: 'pause', ...random.pick(parts), forMs: random.int(10, 10_000) }
    if (random.chance(rates.halt)) yield { kind: 'halt', ...random.pick(parts), forMs: random.int(10, 10_000) }
    if (random.chance(rates.retryParked)) yield { kind: 'retryParked', ...random.pick(parts) }
  }
}

/** Each version goes to one process after the other, and may be rolled back once before it stays. */
function* deploymentsUntil(endMs: number, random: Random, options: PlanOptions): Generator<Action> {
  const { processes, upgrades, rates } = options
  for (let version = 1; version <= upgrades; version++) {
    const places = Array.from({ length: processes }, (_, place) => place)
    if (random.chance(0.5)) places.reverse()
    let atMs = (endMs * (version - random.next())) / upgrades
    const deploy = (process: number, to: number): Action => {
      atMs += random.chance(0.3) ? 0 : random.int(1, 500)
      return { atMs, process, kind: 'deploy', version: to, isCrash: random.chance(0.3) }
    }
    if (random.chance(rates.rollBack)) {
      const reached = places.slice(0, random.int(1, processes))
      for (const place of reached) yield deploy(place, version)
      for (const place of reached) yield deploy(place, version - 1)
    }
    for (const place of places) yield deploy(place, version)
  }
}
