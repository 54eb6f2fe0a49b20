/**
 * Servers that speak MongoDB's protocol, each a process of the tests' own on a free port of the loopback, with its data
 * in a temporary folder that goes away with it.
 *
 * - `findMongodb`: `MNEME_MONGODB_URL`; a `mongod` on PATH, as a replica set of one; else SecantusDB, a server on
 *   WiredTiger that answers as a replica set, with transactions, change streams and failpoints: `secantusd-rs` if it is
 *   in the cache folder or on PATH, else its Python package, which is installed into the cache folder (15 s, once).
 * - `findFerretdb`: FerretDB 1.24 on SQLite, another implementation: a single server without transactions, change
 *   streams and the names of violated indexes. Built by `go` into the cache folder (80 s, once).
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { MongoClient, MongoClientOptions } from 'mongodb'
import { leftOut } from '../size.ts'
import { exists, findInstalled, installed } from './cache-folder.ts'
import type { FindServer, NoServer, ServerControl, TestServer } from './server.ts'

const run = promisify(execFile)
const startTimeoutMs = 600_000
const pollMs = 20
const startTriesMax = 3
/** A signal takes a moment to reach all threads of a process. */
const pauseMsMax = 2000
const secantusVersion = '0.7.0b3'
/**
 * Made by `cargo install --ignore-rust-version --root` in the cache folder, by whoever wants the tests to be faster.
 */
const secantusCrate = 'secantus-mdb-0.5.3-beta.193'
const ferretdbVersion = '1.24.0'

/** A program that is a server, and how it is started. */
interface Program {
  readonly name: string
  readonly command: string
  argumentsFor(port: number, data: string): readonly string[]
  /** What is to be done once it listens for the first time. */
  prepare?(url: string): Promise<void>
}

export const findMongodb: FindServer = async () => {
  const url = process.env['MNEME_MONGODB_URL']
  if (url !== undefined) return external(url)
  if (leftOut !== undefined) return { missing: leftOut }
  const mongod = await onPath('mongod')
  if (mongod !== undefined) return start(mongodProgram(mongod))
  const secantus = await findSecantus()
  return 'missing' in secantus ? secantus : start(secantus)
}

export const findFerretdb: FindServer = async () => {
  if (leftOut !== undefined) return { missing: leftOut }
  if ((await onPath('go')) === undefined) return { missing: 'FerretDB is built by go, which is not on PATH' }
  try {
    const folder = await installed(`ferretdb-${ferretdbVersion}`, buildFerretdb)
    return await start({
      name: `FerretDB ${ferretdbVersion}`,
      command: join(folder, 'ferretdb'),
      argumentsFor: (port, data) => [`127.0.0.1:${port}`, `file:${data}/`],
    })
  } catch (error) {
    return { missing: `FerretDB could not be built: ${said(error)}` }
  }
}

async function buildFerretdb(folder: string): Promise<void> {
  const source = join(folder, 'source')
  await cp(join(import.meta.dirname, 'ferretdb'), source, { recursive: true })
  await run('go', ['build', '-mod=mod', '-o', join(folder, 'ferretdb'), '.'], { cwd: source })
  await rm(source, { recursive: true })
}

async function findSecantus(): Promise<Program | NoServer> {
  const kept = await findInstalled(secantusCrate)
  const native = kept === undefined ? await onPath('secantusd-rs') : join(kept, 'bin', 'secantusd-rs')
  if (native !== undefined) return secantusProgram(native, [])
  const python = await onPath('python3')
  if (python === undefined) return { missing: 'there is no mongod, no secantusd-rs and no python3 on PATH' }
  try {
    const folder = await installed(`secantusdb-${secantusVersion}`, async (empty) => {
      await run(python, ['-m', 'venv', empty])
      await run(join(empty, 'bin', 'python'), ['-m', 'pip', 'install', '-q', `secantusdb==${secantusVersion}`])
    })
    // Its script names the folder that it was made in, which has moved since.
    return secantusProgram(join(folder, 'bin', 'python'), ['-c', 'from secantus.cli import main; main()'])
  } catch (error) {
    return { missing: `SecantusDB could not be installed: ${said(error)}` }
  }
}

function secantusProgram(command: string, before: readonly string[]): Program {
  const help = spawnSync(command, [...before, '--help'], { encoding: 'utf8' }).stdout ?? ''
  const flags = ['--sync-on-commit', '--enable-test-commands'].filter((flag) => help.includes(flag))
  return {
    name: before.length === 0 ? 'SecantusDB (secantusd-rs)' : `SecantusDB ${secantusVersion}`,
    command,
    argumentsFor: (port, data) => [
      ...[...before, '--host', '127.0.0.1', '--port', `${port}`],
      ...['--storage-path', join(data, 'storage'), ...flags],
    ],
  }
}

function mongodProgram(command: string): Program {
  const version = /v(\d[\w.-]*)/.exec(spawnSync(command, ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? 'unknown'
  return {
    name: `MongoDB ${version}`,
    command,
    argumentsFor: (port, data) => [
      ...['--bind_ip', '127.0.0.1', '--port', `${port}`, '--dbpath', data, '--replSet', 'mneme', '--nounixsocket'],
      ...['--setParameter', 'enableTestCommands=1'],
    ],
    prepare: async (url) => {
      const host = new URL(url).host
      await using client = await (await clientOf(url, { directConnection: true })).connect()
      const config = { _id: 'mneme', members: [{ _id: 0, host }] }
      await client.db('admin').command({ replSetInitiate: config })
    },
  }
}

async function onPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await exists(join(folder, name)))) return join(folder, name)
  }
  return undefined
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 1000)

async function external(url: string): Promise<TestServer> {
  await using client = await (await clientOf(url)).connect()
  const { version } = await client.db('admin').command({ buildInfo: 1 })
  return { name: `MongoDB ${version} at MNEME_MONGODB_URL`, url, close: async () => {} }
}

async function start(program: Program): Promise<TestServer> {
  const data = await mkdtemp(join(tmpdir(), 'mneme-mongodb-'))
  let server: ServerProcess | undefined
  for (let tries = 1; server === undefined; tries++) {
    const place = join(data, `${tries}`)
    await mkdir(place)
    server = await ServerProcess.start(program, place, await freePort()).catch((error: unknown) => {
      if (tries === startTriesMax) throw error
      return undefined
    })
  }
  const running = server
  return {
    name: program.name,
    url: running.url,
    control: running,
    close: async () => {
      await running.stop()
      await rm(data, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A server as a process, which a test may kill, start again, stop and continue. */
class ServerProcess implements ServerControl {
  readonly url: string
  readonly #program: Program
  readonly #data: string
  readonly #port: number
  #child: ReturnType<typeof spawn> | undefined
  #watchdog: ReturnType<typeof spawn> | undefined

  private constructor(program: Program, data: string, port: number) {
    this.#program = program
    this.#data = data
    this.#port = port
    this.url = `mongodb://127.0.0.1:${port}/`
  }

  static async start(program: Program, data: string, port: number): Promise<ServerProcess> {
    const server = new ServerProcess(program, data, port)
    await server.start(async () => program.prepare?.(server.url))
    return server
  }

  async start(prepare: () => Promise<void> = async () => {}): Promise<void> {
    const { command, name } = this.#program
    const child = spawn(command, this.#program.argumentsFor(this.#port, this.#data), {
      cwd: this.#data,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-10_000)
      })
      ;(stream as unknown as { unref?: () => void }).unref?.()
    }
    child.unref()
    this.#child = child
    this.#watchdog = watch(child.pid!, dirname(this.#data))
    const deadline = performance.now() + startTimeoutMs
    const until = async (isSo: () => Promise<boolean>) => {
      while (!(await isSo())) {
        if (child.exitCode !== null || performance.now() > deadline)
          throw new Error(`${name} did not start:\n${output}`)
        await setTimeout(pollMs)
      }
    }
    await until(() => answers(this.url, false))
    await prepare()
    await until(() => answers(this.url, true))
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.resume()
    await this.#end('SIGKILL')
  }

  pause(): void {
    this.#child!.kill('SIGSTOP')
    const deadline = performance.now() + pauseMsMax
    while (!hasStopped(this.#child!.pid!) && performance.now() < deadline);
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async #end(how: NodeJS.Signals): Promise<void> {
    const exited = once(this.#child!, 'exit')
    this.#child!.ref()
    this.#child!.kill(how)
    await exited
    this.#watchdog?.kill('SIGKILL')
  }
}

/** Whether all threads of a process stand still; where that cannot be seen, they are taken to. */
function hasStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return true
  return readdirSync(tasks).every((task) => /\) [tTZX] /.test(readFileSync(join(tasks, task, 'stat'), 'utf8')))
}

/** A process that ends the server and removes its data when the tests' process is gone, however it went. */
function watch(pid: number, data: string): ReturnType<typeof spawn> {
  const program = `
    const { rmSync } = require('node:fs')
    process.stdin.resume().on('end', () => {
      try { process.kill(${pid}, 'SIGKILL') } catch {}
      setTimeout(() => rmSync(process.argv[1], { recursive: true, force: true, maxRetries: 5 }), 200)
    })`
  const watchdog = spawn(process.execPath, ['-e', program, data], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  watchdog.unref()
  ;(watchdog.stdin as unknown as { unref?: () => void }).unref?.()
  return watchdog
}

/** The driver is loaded only where there is a server: that takes as long as a small test. */
async function clientOf(url: string, options: MongoClientOptions = {}): Promise<MongoClient> {
  const driver = await import('mongodb')
  return new driver.MongoClient(url, options)
}

/** Whether a server answers at all, or takes writes. */
async function answers(url: string, writable: boolean): Promise<boolean> {
  const client = await clientOf(url, {
    directConnection: true,
    serverSelectionTimeoutMS: 1000,
    connectTimeoutMS: 1000,
  })
  try {
    await client.connect()
    const { isWritablePrimary } = await client.db('admin').command({ hello: 1 })
    return !writable || isWritablePrimary === true
  } catch {
    return false
  } finally {
    await client.close().catch(() => {})
  }
}
