/**
 * Mneme beside the peers' published packages: the same workloads in the same run, each in a process of its own, taking
 * turns. Installs the packages on first use, and writes `bench/peers/results.md`.
 *
 *     npm run bench:peers
 *     npm run bench:peers -- --quick --store sqlite
 *     npm run bench:peers -- --store postgres --only W6a,W6c
 */
import { fork, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { startServers } from '../servers.ts'
import { type Compared, type ComparedStore, comparison, report, shown } from './comparison.ts'
import type { Answer, Order, System } from './measure.ts'

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, store: { type: 'string' }, only: { type: 'string' } },
})
const folder = import.meta.dirname
const { quick } = values
const isWhole = !quick && values.store === undefined && values.only === undefined

/** Some of Emmett's rounds on SQLite never end. */
const timeoutMs = 480_000

const packages = install()
const cache = join(folder, '../../.cache')
mkdirSync(cache, { recursive: true })
const directory = mkdtempSync(join(cache, 'peers-'))
const wanted = (['memory', 'sqlite', 'postgres'] as const).filter((store) => (values.store ?? store) === store)
const servers = await startServers(wanted, basename(directory))
const stores = wanted.filter((store) => servers.missing[store] === undefined)
const answers = new Map<string, Answer>()
try {
  for (const store of stores) {
    for (const compared of comparison[store]) {
      if (values.only !== undefined && !values.only.split(',').includes(compared.workload)) continue
      for (const system of compared.systems) await measure(system, compared, store)
    }
  }
} finally {
  await servers.close()
  rmSync(directory, { recursive: true, force: true })
}
const page = report({
  stores,
  answers: (system, workload, store) => answers.get(`${system} ${workload} ${store}`),
  packages: packages.map(({ name, version }) => `${name} ${version}`),
  servers: Object.values(servers.names),
  leftOut: Object.entries(servers.missing).map(([store, reason]) => `${store}, since ${reason}`),
})
process.stdout.write(`\n${page}`)
if (isWhole) writeFileSync(join(folder, 'results.md'), page)

/**
 * Installs what is not there in the version that is asked for. The lock file says exactly what; it names no registry,
 * so npm takes whichever it is set up for.
 */
function install(): readonly { readonly name: string; readonly version: string }[] {
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  const needed = Object.entries(dependencies).map(([name, version]) => ({ name, version }))
  if (needed.every(({ name, version }) => installedVersion(name) === version)) return needed
  process.stdout.write('Installing the peers; SQLite for Node may have to be compiled, which takes minutes.\n')
  const { status } = spawnSync('npm', ['ci'], { cwd: folder, stdio: 'inherit' })
  if (status === 0) return needed
  process.stderr.write('The peers could not be installed; this benchmark needs them and a network.\n')
  return process.exit(1)
}

function installedVersion(name: string): string | undefined {
  const path = join(folder, 'node_modules', name, 'package.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }).version : undefined
}

async function measure(system: System, { workload, operations }: Compared, store: ComparedStore): Promise<void> {
  const url = servers.urls[store]
  const setting = {
    store,
    directory,
    roundMs: quick ? 100 : 1000,
    rounds: quick ? 1 : /^W[67]/.test(workload) ? 3 : 5,
    scale: 1,
    ...(url !== undefined && { url }),
    ...(operations !== undefined && { operations: operations / (quick ? 20 : 1) }),
  }
  const answer = await answerTo({ system, workload, setting })
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
