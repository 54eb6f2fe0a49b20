/**
 * The package as users will get it. `stage` builds it into a folder of its own, so that two runs never meet in `dist`,
 * and `pack` makes the tarball. Run by itself, this file packs and lets publint and attw look at the result.
 */
import { execFileSync, type StdioOptions, spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { buildSync } from 'esbuild'
import { buildPage } from './page.ts'

/** The repository, with a slash at the end. */
export const root: string = join(import.meta.dirname, '../')

const binary = (name: string): string => join(root, 'node_modules/.bin', name)

/** Compiles `src` into a folder, and puts the text of each thread's program where it is started from. */
export function build(outDir: string, isChecked = true): void {
  const flags = isChecked ? [] : ['--noCheck']
  runOrThrow(binary('tsc'), ['-p', 'tsconfig.build.json', '--outDir', outDir, ...flags], root)
  embedThreads(outDir)
}

/**
 * Compiles the tools (`tools/src`) into a folder. In the repository they import the library by the paths of its
 * entries, so that Node runs them as they are. In the package they import it by its name.
 */
export function buildTools(outDir: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-tools-build-'))
  try {
    runOrThrow(binary('tsc'), ['-p', 'tools/tsconfig.build.json', '--outDir', folder], root)
    const compiled = join(folder, 'tools/src')
    for (const file of globSync('**/*.{js,d.ts}', { cwd: compiled })) {
      const to = join(outDir, file)
      mkdirSync(dirname(to), { recursive: true })
      writeFileSync(to, asInstalled(readFileSync(join(compiled, file), 'utf8')))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A file, or what was compiled from it, as it is in the project of a user, where the packages are installed. */
export function asInstalled(source: string): string {
  return source
    .replace(/(['"])(?:\.\.\/)+src\/http\/client\/index\.[tj]s\1/g, '$1mneme/http/client$1')
    .replace(/(['"])(?:\.\.\/)+src\/(?:store\/)?(\w+)\/index\.[tj]s\1/g, '$1mneme/$2$1')
    .replace(/(['"])(?:\.\.\/)+src\/index\.[tj]s\1/g, '$1mneme$1')
    .replace(/(['"])(?:\.\.\/)+tools\/src\/index\.[tj]s\1/g, '$1mneme-tools$1')
}

/** Compiles everything, tests and examples too, into a folder in which it can run as it does here. */
export function buildAll(outDir: string): void {
  const emitting = ['--noEmit', 'false', '--noCheck', '--rewriteRelativeImportExtensions', '--rootDir', '.']
  runOrThrow(binary('tsc'), ['-p', 'tsconfig.json', ...emitting, '--outDir', outDir], root)
  embedThreads(join(outDir, 'src'))
  writeFileSync(join(outDir, 'package.json'), '{ "type": "module" }\n')
  symlinkSync(join(root, 'node_modules'), join(outDir, 'node_modules'))
}

function embedThreads(outDir: string): void {
  for (const [room, thread] of [
    ['writer', 'writer'],
    ['reading', 'reader'],
  ]) {
    const folder = join(outDir, 'store/sqlite', room!)
    const program = programText(join(folder, `${thread}-thread.js`))
    writeFileSync(join(folder, `${thread}-program.js`), `export const ${thread}Program = ${JSON.stringify(program)};\n`)
  }
}

/**
 * A program with all that it imports, as one text that runs as a module and as a script: no platform agrees with
 * another on which of the two a thread's text is. So what it takes from the platform it asks for by a function that
 * both have.
 */
export function programText(entry: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'es2024',
    // The same wherever it is made: it names the files that it took in, and would ask a tsconfig.json above them.
    absWorkingDir: dirname(entry),
    tsconfigRaw: {},
    banner: { js: `'use strict';{const require=(name)=>process.getBuiltinModule(name);` },
    footer: { js: '}' },
  })
  return outputFiles[0]!.text
}

/**
 * Builds the package into a folder, with the files that go with it, and packs it. Gives the tarball's path.
 *
 * @param isChecked whether the compiler looks for faults too, which takes most of the time
 */
export function pack(folder: string, isChecked = true): string {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly files: readonly string[]
  }
  for (const file of ['package.json', 'README.md', 'LICENSE', ...files]) {
    if (file !== 'dist') cpSync(join(root, file), join(folder, file), { recursive: true })
  }
  build(join(folder, 'dist'), isChecked)
  return packed(folder)
}

/** The same for the package of the tools. */
export function packTools(folder: string): string {
  for (const file of ['tools/package.json', 'tools/README.md', 'LICENSE']) {
    cpSync(join(root, file), join(folder, basename(file)))
  }
  buildTools(join(folder, 'dist'))
  buildPage(join(folder, 'dist/studio/page'))
  return packed(folder)
}

/** The same for the package that begins projects, with the template. */
export function packCreate(folder: string): string {
  for (const file of ['create-mneme/package.json', 'create-mneme/README.md', 'LICENSE']) {
    cpSync(join(root, file), join(folder, basename(file)))
  }
  runOrThrow(binary('tsc'), ['-p', 'create-mneme/tsconfig.build.json', '--outDir', join(folder, 'dist')], root)
  writeTemplate(join(folder, 'template'))
  return packed(folder)
}

/** Writes the example that new projects begin with, as they import the packages. */
export function writeTemplate(folder: string): void {
  const from = join(root, 'examples/starter')
  for (const file of globSync('**/*.*', { cwd: from }).concat('gitignore')) {
    const to = join(folder, file)
    mkdirSync(dirname(to), { recursive: true })
    writeFileSync(to, asInstalled(readFileSync(join(from, file), 'utf8')))
  }
}

function packed(folder: string): string {
  const answer = execFileSync('npm', ['pack', '--json', '--ignore-scripts'], { cwd: folder, stdio: quiet })
  const [tarball] = JSON.parse(answer.toString()) as readonly { readonly filename: string }[]
  return join(folder, tarball!.filename)
}

const quiet: StdioOptions = ['ignore', 'pipe', 'ignore']

function runOrThrow(command: string, args: readonly string[], cwd: string): void {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`)
}

/** Whether the tools that know how packages break find nothing. Prints what they say. */
function isSound(checks: readonly (readonly [tool: string, ...args: string[]])[]): boolean {
  const results = checks.map(([tool, ...args]) => spawnSync(binary(tool), args, { stdio: 'inherit' }))
  return results.every(({ status }) => status === 0)
}

const asPublished = (tarball: string) => ['publint', 'run', '--strict', tarball] as const
/** A package that is only run has nothing to import. */
const asImported = (tarball: string) => ['attw', '--profile', 'esm-only', '--no-emoji', tarball] as const

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-package-'))
  try {
    const imported = [pack(join(folder, 'mneme')), packTools(join(folder, 'tools'))]
    const tarballs = [...imported, packCreate(join(folder, 'create'))]
    if (!isSound([...tarballs.map(asPublished), ...imported.map(asImported)])) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
