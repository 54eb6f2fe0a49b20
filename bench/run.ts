/**
 * The benchmark: every workload on every store, each in a process of its own, with a floor beside it where there is
 * one. Writes `bench/results.md`, or with a selection only prints.
 *
 *     npm run bench
 *     npm run bench -- --only W6c,W1 --store sqlite
 *     npm run bench -- --quick
 *     npm run bench -- --only W6c --store memory --profile    (CPU profiles, in .cache/profiles)
 *
 * PostgreSQL and NATS are started for it, unless `MNEME_POSTGRES_URL` and `MNEME_NATS_URL` name them. MongoDB is only
 * used where `MNEME_MONGODB_URL` names one.
 */
import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Figure, type StoreName, storeNames } from './figure.ts'
import type { Answer, Order } from './measure.ts'
import { workloads } from './plan.ts'
import { report } from './report.ts'
import { startServers } from './servers.ts'
import type { Setting } from './setting.ts'
import { targetsOf } from './target.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    store: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    profile: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})

const { quick } = values
const chosen = selected(
  values.only,
  workloads.map(({ id }) => id),
  '--only',
)
const stores = selected(values.store, storeNames, '--store') as readonly StoreName[]
const isWhole = values.only === undefined && values.store === undefined && !quick

const startedAt = performance.now()
const figures: Figure[] = []
const failures: string[] = []
// Not in the system's folder for temporary files, which may be in memory.
const cache = join(import.meta.dirname, '../.cache')
mkdirSync(cache, { recursive: true })
const directory = mkdtempSync(join(cache, 'bench-'))
const servers = await startServers(stores, basename(directory))
const leftOut = Object.entries(servers.missing).map(([store, reason]) => `${store}: ${reason}`)
for (const line of leftOut) process.stdout.write(`${line}, so it is left out\n`)
try {
  for (const store of stores) if (servers.missing[store] === undefined) await measureAll(store)
} finally {
  await servers.close()
  rmSync(directory, { recursive: true, force: true })
}

const minutes = (performance.now() - startedAt) / 60_000
const page = report({ figures, failures, leftOut, servers: Object.values(servers.names), minutes })
if (isWhole || values.write) writeFileSync(join(import.meta.dirname, 'results.md'), page)
else process.stdout.write(`\n${page}`)
if (failures.length > 0) process.exitCode = 1

async function measureAll(store: StoreName): Promise<void> {
  const url = servers.urls[store]
  const setting: Setting = {
    store,
    directory,
    ...(url !== undefined && { url }),
    roundMs: quick ? 100 : 600,
    rounds: Number(values.rounds ?? (quick ? 1 : 5)),
    scale: quick ? 0.02 : 1,
  }
  for (const { id, stores: own = storeNames } of workloads) {
    if (!chosen.includes(id) || !own.includes(store)) continue
    const answer = await measure({ workload: id, setting })
    if ('failure' in answer) {
      failures.push(`${id} on ${store}: ${answer.failure}`)
      process.stdout.write(`${store} ${id} FAILED: ${answer.failure}\n`)
      continue
    }
    figures.push(...answer.figures)
    for (const figure of answer.figures) process.stdout.write(`${lineOf(figure)}\n`)
  }
}

/** Measures in a process of its own. */
function measure(order: Order): Promise<Answer> {
  const name = `${order.workload}-${order.setting.store}.cpuprofile`
  const profiling = ['--cpu-prof', `--cpu-prof-dir=${join(cache, 'profiles')}`, `--cpu-prof-name=${name}`]
  const execArgv = ['--expose-gc', ...(values.profile ? profiling : [])]
  const child = fork(join(import.meta.dirname, 'measure.ts'), [JSON.stringify(order)], { execArgv })
  return new Promise((resolve) => {
    child.once('message', (answer) => resolve(answer as Answer))
    child.once('exit', (code, signal) => resolve({ failure: `its process ended (${signal ?? code})` }))
  })
}

function lineOf(figure: Figure): string {
  const { store, id, value, unit, floor } = figure
  const rounded = value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
  const beside = floor === undefined ? '' : `, ${floor.ratio.toFixed(2)} of the floor`
  const missed = targetsOf(figure).filter((target) => !target.isMet(figure))
  return `${store} ${id}: ${rounded} ${unit}${beside}${missed.map(({ what }) => ` (missed: ${what})`).join('')}`
}

function selected(given: string | undefined, known: readonly string[], option: string): readonly string[] {
  if (given === undefined) return known
  const names = given.split(',')
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return names
  process.stderr.write(`${option} knows ${known.join(', ')}, not ${unknown}\n`)
  return process.exit(2)
}
