/**
 * Measures the processor time that the compiler takes for a project that uses the package: 30 aggregates with 10
 * commands each. Beside it stands a project that only imports the packages. The compiler is the one of this repository,
 * and each one that is given.
 *
 *     npm run bench:types
 *     npm run bench:types -- --aggregates 10 --commands 5 --rounds 3
 *     npm run bench:types -- --compiler ../other/node_modules/typescript/bin/tsc
 *
 * TypeScript 7 checks the files of a project with four checkers. Each infers again whatever its files import, so they
 * take more processor time together than one alone. The compiler of this repository is measured in both ways.
 *
 * The times are those of the process and its children, so a machine that does other things disturbs them little.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build, root } from '../../scripts/package.ts'
import { median } from '../figure.ts'
import { emptyProject, projectOf } from './project.ts'

/** What checking the whole project may take, in seconds of processor time. */
const targetS = 1.5

const { values } = parseArgs({
  options: {
    aggregates: { type: 'string', default: '30' },
    commands: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '5' },
    compiler: { type: 'string', multiple: true, default: [] },
    keep: { type: 'boolean', default: false },
  },
})
const size = { aggregates: Number(values.aggregates), commands: Number(values.commands) }
const isWhole = size.aggregates === 30 && size.commands === 10

const cache = join(root, '.cache')
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'types-'))
try {
  install()
  const whole = write('whole', projectOf(size))
  const empty = write('empty', emptyProject)
  const compilers = [join(root, 'node_modules/typescript/bin/tsc'), ...values.compiler.map((path) => resolve(path))]
  for (const [i, compiler] of compilers.entries()) {
    const figures = { whole: measure(compiler, whole), empty: measure(compiler, empty) }
    const isMissed = i === 0 && isWhole && figures.whole.cpuS > targetS
    const { version } = figures.whole
    process.stdout.write(
      `TypeScript ${version}: ${size.aggregates} aggregates with ${size.commands} commands each ${shown(figures.whole)}; ` +
        `only the imports ${shown(figures.empty)}${isMissed ? ` (missed: at most ${targetS} s)` : ''}\n`,
    )
    if (isMissed) process.exitCode = 1
    if (i === 0) process.stdout.write(`With one checker: ${shown(measure(compiler, whole, '--singleThreaded'))}\n`)
  }
} finally {
  if (!values.keep) rmSync(folder, { recursive: true, force: true })
}

interface Checked {
  readonly version: string
  /** Seconds of processor time; a median. */
  readonly cpuS: number
  readonly wallS: number
  /** What the compiler says about itself. */
  readonly diagnostics: string
}

function shown({ cpuS, wallS, diagnostics }: Checked): string {
  const instantiations = diagnostics.match(/Instantiations:\s+(\d+)/)?.[1] ?? '?'
  const memory = diagnostics.match(/Memory used:\s+(\d+)K/)?.[1] ?? '0'
  return `${cpuS.toFixed(2)} s CPU (${wallS.toFixed(2)} s, ${instantiations} instantiations, ${Math.round(Number(memory) / 1024)} MB)`
}

/** Checks a project several times. @throws Error if it does not compile */
function measure(compiler: string, project: string, flags = ''): Checked {
  const node = JSON.stringify(process.execPath)
  const command = `${node} ${JSON.stringify(compiler)}`
  const version = sh(`${command} --version`).stdout.trim().replace('Version ', '')
  const runs = Array.from({ length: Number(values.rounds) }, () => {
    const startedAt = performance.now()
    // `times` prints the processor time of the shell, and then that of its children, each as user and system.
    const { status, stdout } = sh(`${command} -p ${JSON.stringify(project)} --extendedDiagnostics ${flags} && times`)
    if (status !== 0) throw new Error(`${project} does not compile:\n${stdout.slice(0, 4000)}`)
    const wallS = (performance.now() - startedAt) / 1000
    return { wallS, cpuS: cpuOf(stdout), diagnostics: stdout }
  })
  const { diagnostics } = runs[0]!
  return {
    version,
    diagnostics,
    cpuS: median(runs.map(({ cpuS }) => cpuS)),
    wallS: median(runs.map(({ wallS }) => wallS)),
  }
}

function sh(command: string): { readonly status: number | null; readonly stdout: string } {
  return spawnSync('sh', ['-c', command], { encoding: 'utf8' })
}

function cpuOf(stdout: string): number {
  const children = stdout.trim().split('\n').at(-1)!
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0)
}

/** The package as users have it: its declarations. */
function install(): void {
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'mneme'), { recursive: true })
  copyFileSync(join(root, 'package.json'), join(modules, 'mneme/package.json'))
  build(join(modules, 'mneme/dist'))
  for (const name of ['zod', '@types']) symlinkSync(join(root, 'node_modules', name), join(modules, name))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }\n')
}

function write(name: string, files: ReadonlyMap<string, string>): string {
  const project = join(folder, name)
  mkdirSync(project)
  for (const [file, text] of files) writeFileSync(join(project, file), text)
  const compilerOptions = {
    ...{ target: 'es2024', lib: ['es2024', 'esnext.disposable'], module: 'nodenext', types: ['node'] },
    ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
    ...{ noEmit: true, skipLibCheck: true, allowImportingTsExtensions: true },
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  return project
}
