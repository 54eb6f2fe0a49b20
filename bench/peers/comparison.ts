/** What is compared on which store, what the peers' figures oblige us to, and the page that says so. */
import { machineLine, rounded, table } from '../report.ts'
import type { Answer, System } from './measure.ts'

export type ComparedStore = 'memory' | 'sqlite' | 'postgres'

/** A workload and who runs it, in turns. */
export interface Compared {
  readonly workload: string
  readonly systems: readonly System[]
  /** Commands in a round, the same for all: streams grow alike, whoever is faster. */
  readonly operations?: number
}

const both: readonly System[] = ['emmett', 'mneme']
const all: readonly System[] = ['emmett', 'castore', 'mneme']
const alone: readonly System[] = ['mneme']

export const comparison: Readonly<Record<ComparedStore, readonly Compared[]>> = {
  memory: [
    { workload: 'W2', systems: both },
    { workload: 'W4', systems: both },
    { workload: 'W5', systems: both },
    { workload: 'W6a', systems: both, operations: 100_000 },
    { workload: 'W6b', systems: both, operations: 100_000 },
    { workload: 'W6c', systems: alone, operations: 100_000 },
  ],
  sqlite: [
    { workload: 'W2', systems: both },
    { workload: 'W4', systems: both },
    { workload: 'W5', systems: both },
    { workload: 'W6a', systems: both, operations: 20_000 },
    { workload: 'W6b', systems: both, operations: 20_000 },
    { workload: 'W6c', systems: alone, operations: 20_000 },
    { workload: 'W7', systems: both },
  ],
  postgres: [
    { workload: 'W2', systems: all },
    { workload: 'W4', systems: both },
    { workload: 'W5', systems: all },
    { workload: 'W6a', systems: all, operations: 5000 },
    { workload: 'W6b', systems: both, operations: 5000 },
    { workload: 'W6c', systems: alone, operations: 50_000 },
    { workload: 'W6d', systems: alone, operations: 50_000 },
    { workload: 'W7', systems: both },
    { workload: 'W7-documents', systems: ['emmett'] },
  ],
}

/** Ours on a store, by a figure of a peer's on the same store, and how many times as fast it must be. */
interface Target {
  readonly store: ComparedStore
  readonly our: string
  readonly system: System
  readonly their: string
  readonly times: number
  /** What is known of why it is missed, where it is. */
  readonly limit?: string
}

const targets: readonly Target[] = [
  {
    store: 'memory',
    our: 'W6c',
    system: 'emmett',
    their: 'W6b',
    times: 20,
    limit: 'Validating, freezing and the garbage of both take most of the time of ours (`npm run bench -- --profile`).',
  },
  { store: 'sqlite', our: 'W6c', system: 'emmett', their: 'W6a', times: 40 },
  {
    store: 'sqlite',
    our: 'W7',
    system: 'emmett',
    their: 'W7',
    times: 100,
    limit: 'Ours is 1.6 times as fast as reading the same rows and upserting the same documents bare.',
  },
  { store: 'postgres', our: 'W6a', system: 'emmett', their: 'W6a', times: 15 },
  { store: 'postgres', our: 'W6a', system: 'castore', their: 'W6a', times: 6 },
  { store: 'postgres', our: 'W6c', system: 'emmett', their: 'W6b', times: 30 },
  { store: 'postgres', our: 'W6d', system: 'emmett', their: 'W6b', times: 20 },
  {
    store: 'postgres',
    our: 'W7',
    system: 'emmett',
    their: 'W7',
    times: 100,
    limit: 'That would be more events/s than are read from one stream without doing anything with them (W5).',
  },
  { store: 'postgres', our: 'W7', system: 'emmett', their: 'W7-documents', times: 100 },
]

const explanation: readonly string[] = [
  'Events/s for W2, W4, W5 and W7, commands/s for W6; medians of rounds, each workload in a process of its own, the systems',
  'taking turns in one run. The peers are used as their documentation shows, Emmett with changes in its favour: on SQLite all',
  'callers share one connection (its default setup fails with `SQLITE_BUSY`), on PostgreSQL it has 25 connections instead of',
  '10, a command that meets a conflict is tried again after 1 ms instead of 100, and its projections take batches of 1,000 without',
  'the pause between them. Its callers on the shared connection are answered when their part of a shared transaction is',
  'written, ours when it is on the disk. Where its overlapping transactions fail each other, the command is sent again. Castore',
  'has no order over all streams.',
  '',
  'A round of W6 is the same number of commands for all, so that streams grow alike, which matters, since the peers read the',
  'whole stream for each command: 100,000 on memory, 20,000 on SQLite, 5,000 on PostgreSQL, on 100 accounts (50,000 for what',
  "only ours runs there). Emmett's W7 writes rows by SQL, the fastest that its consumer takes; W7-documents makes documents by a",
  'function, as ours does. It catches up with 10,000 events, ours with 100,000, 1,000 accounts both times.',
]

/** What each system answered; nothing, if it was not asked. */
export type Answers = (system: System, workload: string, store: ComparedStore) => Answer | undefined

/** How an answer is shown. */
export function shown(answer: Answer | undefined): string {
  if (answer === undefined) return ''
  if ('failure' in answer) return `failed: ${answer.failure.split('\n')[0]}`
  const { value, failed } = answer
  return failed === 0 ? rounded(value) : `${rounded(value)} (${failed} failed and were sent again)`
}

function timesOf(our: Answer | undefined, their: Answer | undefined): number | undefined {
  if (our === undefined || their === undefined) return undefined
  return 'value' in our && 'value' in their ? our.value / their.value : undefined
}

/** A finished comparison. */
export interface Run {
  readonly stores: readonly ComparedStore[]
  readonly answers: Answers
  /** What was installed, with versions. */
  readonly packages: readonly string[]
  /** The servers it ran on, with versions. */
  readonly servers: readonly string[]
  /** Stores that were left out, and why. */
  readonly leftOut: readonly string[]
}

/** The page, in Markdown. */
export function report({ stores, answers, packages, servers, leftOut }: Run): string {
  const times = (value: number | undefined) => (value === undefined ? '' : `${rounded(value)}x`)
  const rows = stores.flatMap((store) =>
    comparison[store].flatMap(({ workload }) => {
      const [our, emmett, castore] = (['mneme', 'emmett', 'castore'] as const).map((system) =>
        answers(system, workload, store),
      )
      if (our === undefined && emmett === undefined) return []
      const ratios = [times(timesOf(our, emmett)), times(timesOf(our, castore))]
      return [[workload, store, shown(emmett), shown(castore), shown(our), ...ratios]]
    }),
  )
  const goals = targets
    .filter(({ store, our, system, their }) => {
      const sides = [answers('mneme', our, store), answers(system, their, store)]
      return stores.includes(store) && !sides.includes(undefined)
    })
    .map((target) => {
      const { store, our, system, their } = target
      const is = timesOf(answers('mneme', our, store), answers(system, their, store))
      const what = `our ${our} at least ${target.times}x ${system === 'emmett' ? "Emmett's" : "Castore's"} ${their}`
      return { store, what, is, isMet: is !== undefined && is >= target.times, limit: target.limit }
    })
  return [
    '# Beside the peers',
    '',
    `Written by \`npm run bench:peers\`, not by hand. ${machineLine(servers)}`,
    '',
    ...explanation,
    '',
    `What was installed: ${packages.join(', ')}.`,
    '',
    ...leftOut.flatMap((line) => [`Left out: ${line}.`, '']),
    ...table(['workload', 'store', 'Emmett', 'Castore', 'Mneme', 'times Emmett', 'times Castore'], rows),
    '',
    ...table(
      ['store', 'target', 'is', 'met'],
      goals.map(({ store, what, is, isMet }) => [store, what, times(is), isMet ? 'yes' : '**no**']),
    ),
    '',
    ...goals
      .filter(({ isMet, limit }) => !isMet && limit !== undefined)
      .map(({ store, what, limit }) => `- On ${store}, ${what}: ${limit}`),
    '',
  ].join('\n')
}
