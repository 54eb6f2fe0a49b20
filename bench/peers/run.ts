/**
 * Mneme beside Emmett's published packages: the same workloads in the same run, each in a process of its own, taking turns.
 * Installs the packages on first use, and writes `bench/peers/results.md`.
 *
 *     npm run bench:peers
 *     npm run bench:peers -- --quick --store sqlite
 */
import { fork, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { StoreName } from '../figure.ts'
import { machineLine, rounded, table } from '../report.ts'
import type { Answer, Order } from './measure.ts'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, store: { type: 'string' } } })
const folder = import.meta.dirname
const compared = ['W2', 'W4', 'W5', 'W6a', 'W6b'] as const
const stores = (['memory', 'sqlite'] as const).filter((store) => (values.store ?? store) === store)

/** Ours on a store, by a figure of Emmett's on the same store, and how many times as fast it must be. */
const targets = [
  { store: 'memory', our: 'W6c', their: 'W6b', times: 20 },
  { store: 'sqlite', our: 'W6c', their: 'W6a', times: 40 },
] as const

/** Commands in a round of W6, the same for both: streams grow alike, whoever is faster. */
const commandsOf = { memory: 100_000, sqlite: 20_000 } as const

/** Some of Emmett's rounds on SQLite never end. */
const timeoutMs = 240_000

const explanation: readonly string[] = [
  'Events/s for W2, W4 and W5, commands/s for W6; medians of rounds, each workload in a process of its own, the two systems',
  'taking turns in one run. Emmett is used as its documentation shows, with two changes in its favour: on SQLite all',
  'callers share one connection (its default setup fails with `SQLITE_BUSY`), and a command that meets a conflict is tried again',
  'after 1 ms instead of 100. Its callers on the shared connection are answered when their part of a shared transaction is',
  'written, ours when it is on the disk. Where its overlapping transactions fail each other, the command is sent again.',
  'A round of W6 is the same number of commands for both: 100,000 on memory, 20,000 on SQLite, on 100 accounts. So both end with',
  'streams of the same length, which matters, since Emmett reads the whole stream for each command.',
]

install()
const cache = join(folder, '../../.cache')
mkdirSync(cache, { recursive: true })
const directory = mkdtempSync(join(cache, 'peers-'))
const answers = new Map<string, Answer>()
try {
  for (const store of stores) {
    for (const workload of compared) {
      await measure('emmett', workload, store)
      await measure('mneme', workload, store)
    }
    await measure('mneme', 'W6c', store)
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
const page = report()
process.stdout.write(`\n${page}`)
if (!values.quick && values.store === undefined) writeFileSync(join(folder, 'results.md'), page)

/** The lock file says exactly what; it names no registry, so npm takes whichever it is set up for. */
function install(): void {
  if (existsSync(join(folder, 'node_modules/@event-driven-io/emmett-sqlite'))) return
  process.stdout.write('Installing the peers; SQLite for Node may have to be compiled, which takes minutes.\n')
  const { status } = spawnSync('npm', ['ci'], { cwd: folder, stdio: 'inherit' })
  if (status === 0) return
  process.stderr.write('The peers could not be installed; this benchmark needs them and a network.\n')
  process.exit(1)
}

async function measure(system: Order['system'], workload: string, store: StoreName): Promise<void> {
  const { quick } = values
  const commands = workload.startsWith('W6')
    ? { operations: commandsOf[store as 'memory' | 'sqlite'] / (quick ? 20 : 1) }
    : {}
  const rounds = quick ? 1 : workload.startsWith('W6') ? 3 : 5
  const setting = { store, directory, roundMs: quick ? 100 : 1000, rounds, scale: 1, ...commands }
  const order: Order = { system, workload, setting }
  const answer = await answerTo(order)
  answers.set(`${system} ${workload} ${store}`, answer)
  process.stdout.write(`${store} ${workload} ${system}: ${shown(answer)}\n`)
}

/** Emmett prints every conflict, so what the process prints is dropped. */
function answerTo(order: Order): Promise<Answer> {
  const child = fork(join(folder, 'measure.ts'), [JSON.stringify(order)], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const timer = setTimeout(() => child.kill(), timeoutMs)
  return new Promise<Answer>((resolve) => {
    child.once('message', (answer) => resolve(answer as Answer))
    child.once('exit', (code, signal) => resolve({ failure: `its process ended (${signal ?? code})` }))
  }).finally(() => clearTimeout(timer))
}

function answered(system: Order['system'], workload: string, store: StoreName): Answer {
  return answers.get(`${system} ${workload} ${store}`)!
}

function shown(answer: Answer): string {
  if ('failure' in answer) return `failed: ${answer.failure.split('\n')[0]}`
  const { value, failed } = answer
  return failed === 0 ? rounded(value) : `${rounded(value)} (${failed} failed and were sent again)`
}

function timesOf(our: Answer, their: Answer): number | undefined {
  return 'value' in our && 'value' in their ? our.value / their.value : undefined
}

function report(): string {
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  const versions = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`)
  const rows = stores.flatMap((store) =>
    [...compared, 'W6c'].map((workload) => {
      const ours = answered('mneme', workload, store)
      const theirs = workload === 'W6c' ? undefined : answered('emmett', workload, store)
      const times = theirs && timesOf(ours, theirs)
      return [
        workload,
        store,
        theirs === undefined ? '' : shown(theirs),
        shown(ours),
        times === undefined ? '' : `${rounded(times)}x`,
      ]
    }),
  )
  const goals = targets
    .filter(({ store }) => stores.includes(store))
    .map(({ store, our, their, times }) => {
      const is = timesOf(answered('mneme', our, store), answered('emmett', their, store))
      const met = is !== undefined && is >= times ? 'yes' : '**no**'
      return [store, `our ${our} at least ${times}x its ${their}`, is === undefined ? '' : `${rounded(is)}x`, met]
    })
  return [
    '# Beside a peer',
    '',
    `Written by \`npm run bench:peers\`, not by hand. ${machineLine()}`,
    '',
    ...explanation,
    '',
    `What was installed: ${versions.join(', ')}.`,
    '',
    ...table(['workload', 'store', 'Emmett', 'Mneme', 'times'], rows),
    '',
    ...table(['store', 'target', 'is', 'met'], goals),
    '',
  ].join('\n')
}
