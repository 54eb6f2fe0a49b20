/**
 * Real servers for the tests of stores. A kind of server is looked for in this order: a URL from the environment, a
 * binary on PATH, one that can be installed into a cache folder. Where there is none, its tests are reported as
 * skipped, with the reason; in CI that is a failure.
 */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { leftOut } from '../size.ts'

/** A server that runs for the tests of one file. */
export interface TestServer {
  /** What it is, with its version: `PostgreSQL 18.4`. */
  readonly name: string
  /** Where a client finds it. */
  readonly url: string
  /** What the test may do to it; absent for a server that somebody else runs. */
  readonly control?: ServerControl
  /** Ends it, and removes what it kept. */
  close(): Promise<void>
}

/** What a test can do to a server of its own. */
export interface ServerControl {
  /** Ends it by `kill -9`, and waits until it is gone. */
  kill(): Promise<void>
  /** Starts it again on the same port and data, and waits until it answers. */
  start(): Promise<void>
  /** Stops its processes (SIGSTOP); connections hang. */
  pause(): void
  /** Lets them go on (SIGCONT). */
  resume(): void
}

/** Why there is no server. */
export interface NoServer {
  readonly missing: string
  /** Whether it is more than a store needs, and only to be had on some systems: CI goes on without it. */
  readonly isExtra?: boolean
}

/** Starts a server, if there is one. */
export type FindServer<Server extends TestServer = TestServer> = () => Promise<Server | NoServer>

/** A server that runs in this process's name, and how many groups of tests use it. */
interface Shared {
  readonly found: ReturnType<FindServer>
  users: number
}

/** One of a kind at a time. */
const running = new Map<FindServer, Shared>()

/**
 * Declares tests on a server, which is started before them and ended after them; groups of a file that use it at the
 * same time share it. To be awaited at the top of a test file.
 *
 * @param title what the tests are listed under
 */
export async function onServer<Server extends TestServer>(
  title: string,
  find: FindServer<Server>,
  declare: (server: Server) => void,
): Promise<void> {
  const shared = running.get(find) ?? { found: find(), users: 0 }
  running.set(find, shared)
  shared.users++
  const found = (await shared.found) as Server | NoServer
  if ('missing' in found) {
    // A test that fails is reported with its reason. An error at the top of a file is not.
    if (process.env['CI'] === 'true' && found.isExtra !== true) test(title, () => assert.fail(found.missing))
    else test(title, { skip: found.missing }, () => {})
    return
  }
  process.stdout.write(`${serverLine}${found.name}\n`)
  describe(`${title} (${found.name})`, () => {
    after(async () => {
      if (--shared.users > 0) return
      running.delete(find)
      await found.close()
    })
    declare(found)
  })
}

/** Starts a server in the full run only: the quick run does on another store what is tested on it. */
export const inFull =
  <Server extends TestServer>(find: FindServer<Server>): FindServer<Server> =>
  async () =>
    leftOut === undefined ? find() : { missing: leftOut }

/** How a line begins that names a server; the report gathers them. */
export const serverLine = 'tests run on '
