/**
 * A PostgreSQL server as processes of the tests' own: on a free port of the loopback, with durable writes, and with
 * data in a temporary folder that goes away, whatever becomes of the tests.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Client } from 'pg'
import { freshCluster, type Installation } from './postgres-programs.ts'
import type { ServerControl } from './server.ts'
import { Watchdog } from './watchdog.ts'

const startTimeoutMs = 600_000
const pollMs = 20
const startTriesMax = 3

/** How a server differs from an ordinary one. */
export interface PostgresOptions {
  /** Parameters of the server, as in `postgresql.conf`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Puts files into the data folder before the server starts. */
  readonly prepare?: (data: string) => Promise<void>
  /** What its URL ends in: `?sslmode=no-verify`. */
  readonly query?: string
}

/** Starts a server on a fresh cluster. */
export async function startPostgres(
  installation: Installation,
  { settings = {}, prepare = async () => {}, query = '' }: PostgresOptions = {},
): Promise<PostgresProcess> {
  const data = await mkdtemp(join(tmpdir(), 'mneme-postgres-'))
  await freshCluster(installation, data, prepare)
  const watchdog = new Watchdog(data, 'postmaster.pid')
  for (let tries = 1; ; tries++) {
    const server = new PostgresProcess(installation, { data, port: await freePort(), settings, query, watchdog })
    try {
      await server.start()
      return server
    } catch (error) {
      if (tries < startTriesMax) continue
      await server.close()
      throw error
    }
  }
}

/** A port that nobody uses at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Where a server runs. */
interface Berth {
  readonly data: string
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  readonly query: string
  readonly watchdog: Watchdog
}

/** A server as processes, which a test may kill, start again, stop and continue. */
export class PostgresProcess implements ServerControl {
  readonly url: string
  readonly #installation: Installation
  readonly #berth: Berth
  #child: ReturnType<typeof spawn> | undefined

  constructor(installation: Installation, berth: Berth) {
    this.#installation = installation
    this.#berth = berth
    this.url = `postgres://postgres@127.0.0.1:${berth.port}/postgres${berth.query}`
  }

  async start(): Promise<void> {
    const { data, port } = this.#berth
    const own = {
      ...{ listen_addresses: '127.0.0.1', port: `${port}`, unix_socket_directories: '', fsync: 'on' },
      // What it shares lies beside its data, so a server that is killed leaves nothing in the machine's memory.
      dynamic_shared_memory_type: 'mmap',
    }
    const settings = Object.entries({ ...own, ...this.#berth.settings })
    const flags = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const { folder, runner } = this.#installation
    const child = spawn(join(folder, 'postgres'), ['-D', data, ...flags], {
      ...runner,
      cwd: data,
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
    if (!this.#isRunning()) return
    this.resume()
    await this.#end('SIGQUIT', [this.#child!.pid!])
  }

  /** Ends it, and removes its data. */
  async close(): Promise<void> {
    await this.stop()
    const { data, watchdog } = this.#berth
    await watchdog.dismiss()
    await rm(data, { recursive: true, force: true })
  }

  pause(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const pid of this.#processes()) signal(pid, 'SIGCONT')
  }

  #isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
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
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 30_000 })
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
