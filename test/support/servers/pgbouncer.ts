/**
 * PgBouncer in transaction mode, before a server of the tests' own: a connection to it gets any of a few sessions for
 * each transaction, another one every time. It is the `pgbouncer` on PATH, else the package of Debian, which is put
 * into the cache folder with the libraries that it needs.
 */
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { leftOut } from '../size.ts'
import { exists, installed } from './cache-folder.ts'
import { withClient } from './postgres-place.ts'
import { freePort, startPostgres } from './postgres-process.ts'
import { chooseRunner, embeddedPrograms } from './postgres-programs.ts'
import { nameOf } from './postgres-server.ts'
import type { FindServer, NoServer, TestServer } from './server.ts'
import { Watchdog } from './watchdog.ts'

const run = promisify(execFile)
const pollMs = 20
const startMsMax = 600_000
const pidFile = 'pgbouncer.pid'
/** Fewer than a store has connections. */
const sessions = 4

/** Before an ordinary PostgreSQL. */
export const findPgbouncer: FindServer = async () => {
  if (leftOut !== undefined) return { missing: leftOut, isExtra: true }
  const found = embeddedPrograms()
  if ('missing' in found) return found
  const server = await startPostgres(found)
  return pgbouncerBefore({ name: nameOf(found), url: server.url, close: () => server.close() })
}

/** Before a server, which is closed with it. */
export async function pgbouncerBefore(server: TestServer): Promise<TestServer | NoServer> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-pgbouncer-'))
  const watchdog = new Watchdog(folder, pidFile)
  const cleanUp = async () => {
    await server.close()
    await watchdog.dismiss()
    await rm(folder, { recursive: true, force: true })
  }
  let program: Program
  try {
    program = await programIn(folder)
  } catch (error) {
    await cleanUp()
    return { missing: `there is no pgbouncer on PATH, and its package could not be had: ${error}`, isExtra: true }
  }
  const pgbouncer = await start(program, folder, server.url)
  return {
    name: `PgBouncer ${program.version} before ${server.name}`,
    url: pgbouncer.url,
    close: async () => {
      await pgbouncer.stop()
      await cleanUp()
    },
  }
}

/** A program, and where the libraries are that it does not find by itself. */
interface Program {
  readonly command: string
  readonly environment: Readonly<Record<string, string>>
  readonly version: string
}

/** @param folder where it may be copied to: whoever runs it need not be able to read the cache */
async function programIn(folder: string): Promise<Program> {
  for (const path of (process.env['PATH'] ?? '').split(delimiter)) {
    const command = join(path, 'pgbouncer')
    if (path !== '' && (await exists(command))) return versioned(command, {})
  }
  await cp(await installed('pgbouncer-of-debian', unpackPackages), folder, { recursive: true, verbatimSymlinks: true })
  const libraries = await readdir(join(folder, 'usr', 'lib'))
  const paths = libraries.map((name) => join(folder, 'usr', 'lib', name))
  return versioned(join(folder, 'usr', 'sbin', 'pgbouncer'), { LD_LIBRARY_PATH: paths.join(delimiter) })
}

function versioned(command: string, environment: Readonly<Record<string, string>>): Program {
  const { stdout, error } = spawnSync(command, ['--version'], { env: environment, encoding: 'utf8' })
  const version = /PgBouncer ([\d.]+)/.exec(stdout ?? '')?.[1]
  if (version === undefined) throw new Error(`${command} does not run (${error?.message ?? 'it says no version'})`)
  return { command, environment, version }
}

/** Whichever version Debian has. */
async function unpackPackages(folder: string): Promise<void> {
  const depends = async () => (await run('apt-cache', ['depends', 'pgbouncer'])).stdout
  let said = await depends().catch(() => '')
  if (!said.includes('Depends') && process.getuid?.() === 0) {
    await run('apt-get', ['update'])
    said = await depends()
  }
  const libraries = Array.from(said.matchAll(/^ +Depends: (lib(?!c6)\S+)$/gm), ([, name]) => name!)
  await run('apt-get', ['download', 'pgbouncer', ...new Set(libraries)], { cwd: folder })
  for (const file of await readdir(folder)) {
    if (!file.endsWith('.deb')) continue
    await run('dpkg', ['-x', join(folder, file), folder])
    await rm(join(folder, file))
  }
}

/**
 * What it is told. Nobody is asked for a password; a session that one transaction has had is the next one's last
 * choice.
 */
const configuration = (target: URL, port: number, folder: string): string => `
[databases]
* = host=${target.hostname} port=${target.port} user=${target.username}
[pgbouncer]
pidfile = ${join(folder, pidFile)}
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${sessions}
min_pool_size = ${sessions}
max_client_conn = 500
server_round_robin = 1
server_login_retry = 1
`

async function start(
  program: Program,
  folder: string,
  target: string,
): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort()
  const runner = chooseRunner()
  const file = join(folder, 'pgbouncer.ini')
  await writeFile(file, configuration(new URL(target), port, folder))
  if (runner.uid !== undefined) execFileSync('chown', ['-R', `${runner.uid}:${runner.gid}`, folder])
  const child = spawn(program.command, [file], {
    ...runner,
    env: program.environment,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-10_000)
  })
  const url = new URL(target)
  url.port = `${port}`
  const deadline = performance.now() + startMsMax
  for (;;) {
    const answer = await withClient({ url: url.href }, (client) => client.query('SELECT 1')).catch(() => undefined)
    if (answer !== undefined) break
    if (child.exitCode !== null || performance.now() > deadline) throw new Error(`PgBouncer did not start:\n${said}`)
    await setTimeout(pollMs)
  }
  child.unref()
  ;(child.stderr as unknown as { unref?: () => void }).unref?.()
  return {
    url: url.href,
    stop: async () => {
      if (child.exitCode !== null) return
      child.ref()
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}
