/**
 * Small cases, explored in full: every order in which two processes, their calls to the store and a fault can happen,
 * with at most some preemptions. A preemption lets another process go on although the one before could. Most faults
 * that need an order need few of them.
 */
import { z } from 'zod'
import type { PlainCommand } from '../../../src/domain/plain-command.ts'
import { aggregate, domain, event, reaction, reject } from '../../../src/index.ts'
import type { Agenda, Entry } from '../../../src/testing/simulation/agenda.ts'
import type { Broken } from '../../../src/testing/simulation/checks.ts'
import type { EndOfRun, Invariants } from '../../../src/testing/simulation/end-of-run.ts'
import { noFaults } from '../../../src/testing/simulation/faults.ts'
import { withoutOutside } from '../../../src/testing/simulation/outside.ts'
import type { Action, Plan } from '../../../src/testing/simulation/plan.ts'
import { runPlan } from '../../../src/testing/simulation/run.ts'
import { type AnyDomain, Version } from '../../../src/testing/simulation/version.ts'

/** What is due within so many microseconds may happen in any order. */
const windowUs = 100_000
/** The number of things, from the first command on, whose order is explored. */
const horizon = 24

/** Lets one process go on as long as it can, except where it is told otherwise. */
class ChoosingAgenda implements Pick<Agenda, 'add' | 'take'> {
  readonly #preemptions: ReadonlyMap<number, number>
  #entries: Entry[] = []
  #current = ''
  #isOpen = false
  /** How many others could have gone on, at each place. */
  readonly alternatives: number[] = []

  /** @param preemptions at which place which of the others goes on, from 1 */
  constructor(preemptions: ReadonlyMap<number, number>) {
    this.#preemptions = preemptions
  }

  add(entry: Entry): void {
    this.#entries.push(entry)
  }

  take(): Entry | undefined {
    this.#entries = this.#entries.filter(({ isCancelled, owner }) => !(isCancelled || owner?.isDead))
    const ready = this.#ready()
    if (ready.length === 0) return undefined
    this.#isOpen ||= ready.some(({ label }) => label === 'command')
    let chosen = 0
    if (this.#isOpen && this.alternatives.length < horizon) {
      chosen = this.#preemptions.get(this.alternatives.length) ?? 0
      this.alternatives.push(ready.length - 1)
    }
    const entry = ready[chosen]!
    this.#current = whoseOf(entry)
    this.#entries.splice(this.#entries.indexOf(entry), 1)
    return entry
  }

  /** The next entry of each process that is due soon: first that of the one which went on before. */
  #ready(): readonly Entry[] {
    const sorted = this.#entries.toSorted((a, b) => a.at - b.at || a.tie - b.tie)
    const firsts = new Map<string, Entry>()
    for (const entry of sorted) {
      if (entry.at > sorted[0]!.at + windowUs) break
      if (!firsts.has(whoseOf(entry))) firsts.set(whoseOf(entry), entry)
    }
    const current = firsts.get(this.#current)
    const others = [...firsts.values()].filter((entry) => entry !== current)
    return current === undefined ? others : [current, ...others]
  }
}

/** The process that an entry belongs to; a call that arrives at the store belongs to its sender. */
const whoseOf = ({ label }: Entry): string => /\bp\d+\.\d+/.exec(label)?.[0] ?? label

// -- the cases -----------------------------------------------------------------------------------------------------

const Taken = event('Taken', z.object({ by: z.string() }))
const Returned = event('Returned', z.object({ by: z.string() }))
const by = z.object({ by: z.string() })
/** A thing that only one can have. */
const Thing = aggregate('thing', () => ({ by: '', changes: 0 }))
  .on(Taken, ({ changes }, data) => ({ by: data.by, changes: changes + 1 }))
  .on(Returned, ({ changes }) => ({ by: '', changes: changes + 1 }))
  .command('take', by, (thing, data) => (thing.by === '' ? Taken(data) : reject('Gone', { by: thing.by })))
  .command('return', by, (thing, data) => (thing.by === data.by ? Returned(data) : undefined))

type What = Action extends infer A ? (A extends Action ? Omit<A, 'atMs'> : never) : never

const ask = (client: number, process: number, name: 'take' | 'return', who: string, isRepeatable = false): What => {
  const command = { aggregate: 'thing', id: 't', name, data: { by: who } }
  return { process, kind: 'command', client, command, isRepeatable }
}

/** What happens in each case, one thing after the other if nothing is preempted. */
const happenings: Readonly<Record<string, readonly What[]>> = {
  'two processes, a command to each': [ask(1, 0, 'take', 'ada'), ask(2, 1, 'take', 'bob')],
  'a thing is taken here, returned there, and taken here': [
    ask(1, 0, 'take', 'ada'),
    ask(2, 1, 'return', 'ada'),
    ask(3, 0, 'take', 'bob'),
  ],
  'a command, a crash of its process, and the command again': [
    ask(1, 0, 'take', 'ada', true),
    { process: 0, kind: 'crash', forMs: 0 },
    { process: 1, kind: 'repeat', client: 1 },
  ],
}

/** A small case. */
export interface Case {
  readonly domain: AnyDomain
  /** Commands that are answered before. */
  readonly first: readonly PlainCommand[]
  readonly actions: readonly Action[]
  readonly invariants: Invariants
  /** More preemptions would make too many orders. */
  readonly preemptionsMax: number
}

const inOrder = (all: readonly What[]): readonly Action[] => all.map((each, i) => ({ ...each, atMs: 1 + i / 1000 }))

/** Somebody asks for the thing. The reaction takes it, and tells whether it was there. */
const Asked = event('Asked', z.object({}))
const Told = event('Told', z.object({ isTaken: z.boolean() }))
const Wish = aggregate('wish', () => ({ told: [] as readonly boolean[] }))
  .on(Asked)
  .on(Told, ({ told }, { isTaken }) => ({ told: [...told, isTaken] }))
  .command('ask', z.object({}), () => Asked({}))
  .command('tell', z.object({ isTaken: z.boolean() }), (_, data) => Told(data))
const aggregates = { thing: Thing, wish: Wish }
const Granting = reaction('granting', aggregates).on(Asked, async ({ stream: { id } }, { dispatch }) => {
  const { accepted } = await dispatch({ aggregate: 'thing', id: 't', name: 'take', data: { by: 'wish' } })
  await dispatch({ aggregate: 'wish', id, name: 'tell', data: { isTaken: accepted } })
})

/** A process stands still in the middle of the reaction, and another one takes over when the thing was given back. */
const takeover: readonly Action[] = [
  {
    ...{ atMs: 1, process: 1, kind: 'command', client: 1, isRepeatable: false },
    command: { aggregate: 'wish', id: 'w', name: 'ask', data: {} },
  },
  { atMs: 1.001, process: 1, kind: 'freeze', forMs: 4000 },
  { ...ask(2, 0, 'return', 'ada'), atMs: 500 } as Action,
]

const isOneWay = ({ states, events }: EndOfRun): boolean => {
  const told = [...states('wish').values()].map((each) => each.told)
  const taken = events.filter(({ type, metadata }) => type === 'Taken' && metadata['causationId']).length
  return told.every(({ length }) => length === 1) && told.filter(([isTaken]) => isTaken).length === taken
}

export const cases: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    Object.entries(happenings).map(([name, all]) => [
      name,
      {
        domain: domain({ aggregates: { thing: Thing } }),
        first: [],
        actions: inOrder(all),
        invariants: {},
        preemptionsMax: 3,
      },
    ]),
  ),
  'an event, and a process that is overtaken in the middle of its reaction': {
    domain: domain({ aggregates, reactions: { granting: Granting } }),
    first: [{ aggregate: 'thing', id: 't', name: 'take', data: { by: 'ada' } }],
    actions: takeover,
    invariants: { 'every wish ends one way': isOneWay },
    preemptionsMax: 1,
  },
}

/** What exploring a case came to. */
export interface Explored {
  /** How many orders were tried. */
  readonly orders: number
  /** The first order that broke a promise. */
  readonly broken: Broken | undefined
}

/** Tries every order of a case with at most so many preemptions, up to the first that breaks a promise. */
export function explore({ domain, first, actions, invariants, ...most }: Case, wanted: number): Promise<Explored> {
  const preemptionsMax = Math.min(wanted, most.preemptionsMax)
  const plan: Plan = { seed: 1, profile: 'postgres', processes: 2, rates: noFaults, actions }
  const options = {
    versions: [new Version(0, domain, true)],
    isCluster: false,
    first,
    options: { leaseMs: 1000 },
    invariants,
    reset: () => {},
  }
  return withoutOutside(async () => {
    let orders = 0
    const left: ReadonlyMap<number, number>[] = [new Map()]
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const agenda = new ChoosingAgenda(next)
      const { broken } = await runPlan({ ...options, agenda }, plan)
      orders++
      if (broken !== undefined) return { orders, broken }
      if (next.size === preemptionsMax) continue
      const from = Math.max(-1, ...next.keys()) + 1
      for (let place = from; place < agenda.alternatives.length; place++) {
        for (let other = 1; other <= agenda.alternatives[place]!; other++) left.push(new Map([...next, [place, other]]))
      }
    }
    return { orders, broken: undefined }
  })
}
