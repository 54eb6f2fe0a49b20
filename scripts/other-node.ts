/**
 * A version of Node that is not the one of this repository: found in the registry, and installed once into the cache
 * folder of the tests, as the npm package `node`.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findInstalled, installed } from '../test/support/servers/cache-folder.ts'

/** Runs npm in a folder, and gives what it prints. It throws if npm fails. */
export type Npm = (args: readonly string[], folder: string) => Promise<string>

/** Node, ready to be started, or why there is none. */
export type OtherNode =
  | { readonly version: string; readonly program: string }
  /** `isServed`: the registry has the version, so it should have worked. */
  | { readonly reason: string; readonly isServed: boolean }

const run = promisify(execFile)

const runNpm: Npm = async (args, folder) => {
  const { stdout } = await run('npm', args, { cwd: folder, timeout: 120_000 })
  return stdout
}

/** @param wanted a version (`22.18.0`), or a line (`26`), of which the newest version is taken */
export async function findNode(wanted: string, npm: Npm = runNpm): Promise<OtherNode> {
  const isExact = /^\d+\.\d+\.\d+$/.test(wanted)
  if (isExact && (await findInstalled(`node-${wanted}`)) !== undefined) return install(wanted, npm)
  let version: string | undefined
  try {
    const answer = await npm(
      ['view', `node@${wanted}`, 'version', '--json', '--fetch-retries=1', '--fetch-retry-mintimeout=1000'],
      '.',
    )
    version = newestOf(answer.trim() === '' ? [] : JSON.parse(answer))
  } catch (error) {
    return { reason: `the registry does not answer, or does not have it (${reasonOf(error)})`, isServed: false }
  }
  if (version === undefined) return { reason: 'the registry does not have it', isServed: false }
  return install(version, npm)
}

/** The newest of some versions, without those that are not released. The registry gives a single one as a text. */
export function newestOf(versions: string | readonly string[]): string | undefined {
  const released = [versions].flat().filter((version) => /^\d+\.\d+\.\d+$/.test(version))
  return released.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
}

/** The oldest version that a range such as `>=22.18` allows. */
export function oldestOf(range: string): string {
  const [, major, minor = '0', patch = '0'] = /^>=(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(range) ?? []
  if (major === undefined) throw new Error(`this is no range that begins with a version: ${range}`)
  return `${major}.${minor}.${patch}`
}

async function install(version: string, npm: Npm): Promise<OtherNode> {
  const programIn = (folder: string) => join(folder, 'node_modules/node/bin/node')
  try {
    const folder = await installed(`node-${version}`, async (fresh) => {
      // The package has a script that fetches the program for this platform.
      await writeFile(join(fresh, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }))
      await npm(['install', `node@${version}`, '--prefix', fresh, '--no-audit', '--no-fund', '--no-save'], fresh)
      const { stdout } = await run(programIn(fresh), ['--version'])
      if (stdout.trim() !== `v${version}`) throw new Error(`what was installed says that it is ${stdout.trim()}`)
    })
    return { version, program: programIn(folder) }
  } catch (error) {
    return { reason: `it cannot be installed (${reasonOf(error)})`, isServed: true }
  }
}

/** The line of a failure that says why: of npm's the first that is more than a code. */
function reasonOf(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).trim().split('\n')
  const said = lines.map((line) => /^npm error (?!code |errno |syscall |A complete log)(.+)$/.exec(line)?.[1])
  return (said.find((line) => line !== undefined) ?? lines.at(-1)!).slice(0, 200)
}
