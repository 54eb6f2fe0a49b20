/**
 * A PostgreSQL of two: a primary, and a standby that has each commit on its disk before the primary says that it is
 * done. Clients know one address, which leads to the primary until a test lets it lead elsewhere, as a load balancer or
 * a name would.
 *
 * A standby begins as a copy of the empty cluster that the primary began as, and is sent the whole log; the servers
 * keep all of it. So there is no backup to take, and a standby that comes later follows all failovers before.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { CuttingProxy } from './cutting-proxy.ts'
import { withClient } from './postgres-place.ts'
import { type PostgresProcess, startPostgres } from './postgres-process.ts'
import { embeddedPrograms, type Installation } from './postgres-programs.ts'
import { nameOf } from './postgres-server.ts'
import type { FindServer, TestServer } from './server.ts'

const pollMs = 20
const waitMsMax = 120_000

const settings = {
  synchronous_standby_names: '*',
  wal_keep_size: '4GB',
  // How long a standby rests that has come to the end of what was written before a failover.
  wal_retrieve_retry_interval: '50ms',
} as const

export class PostgresPair implements TestServer {
  readonly name: string
  readonly address: CuttingProxy
  readonly #installation: Installation
  #primary: PostgresProcess
  #standby: PostgresProcess | undefined

  private constructor(installation: Installation, primary: PostgresProcess, address: CuttingProxy) {
    this.name = `${nameOf(installation)} with a standby`
    this.address = address
    this.#installation = installation
    this.#primary = primary
  }

  static async start(installation: Installation): Promise<PostgresPair> {
    const primary = await startPostgres(installation, { settings })
    const pair = new PostgresPair(installation, primary, await CuttingProxy.before(primary.url))
    await pair.addStandby()
    return pair
  }

  /** The address that clients know. */
  get url(): string {
    return this.address.url
  }

  get primary(): PostgresProcess {
    return this.#primary
  }

  get standby(): PostgresProcess {
    if (this.#standby === undefined) throw new Error('there is no standby')
    return this.#standby
  }

  /**
   * The primary is gone from one moment to the next, with its disk. Its processes are stopped first: one that outlived
   * another would see that it is gone, and might still say something.
   */
  async losePrimary(): Promise<void> {
    this.#primary.pause()
    await this.#primary.kill()
    await this.#primary.close()
  }

  /** Makes the standby the primary. It has no standby itself then, and commits wait until there is one. */
  async promote(): Promise<void> {
    this.#primary = this.standby
    this.#standby = undefined
    // Waited for in other statements: what is left of the log may have to wait until this one is over.
    await withClient(this.#primary, (client) => client.query('SELECT pg_promote(wait => false)'))
    await this.#until('SELECT NOT pg_is_in_recovery()')
  }

  /** Waits until so many transactions on the primary wait for the standby. */
  commitsWait(count = 1): Promise<void> {
    return this.#until(`SELECT count(*) >= ${count} FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
  }

  /** Starts a standby, and waits until the primary waits for it. */
  async addStandby(): Promise<void> {
    const { hostname, port, username } = new URL(this.#primary.url)
    const primary_conninfo = `host=${hostname} port=${port} user=${username}`
    const prepare = (data: string) => writeFile(join(data, 'standby.signal'), '')
    this.#standby = await startPostgres(this.#installation, { settings: { ...settings, primary_conninfo }, prepare })
    await this.#until(`SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'`)
  }

  async close(): Promise<void> {
    await this.address.close()
    await this.#standby?.close()
    await this.#primary.close()
  }

  /** Waits until the primary says yes. */
  #until(question: string): Promise<void> {
    return withClient(this.#primary, async (client) => {
      const deadline = performance.now() + waitMsMax
      for (;;) {
        const { rows } = await client.query({ text: question, rowMode: 'array' })
        if (rows[0]![0] === true) return
        if (performance.now() > deadline) throw new Error(`still not so after ${waitMsMax} ms: ${question}`)
        await setTimeout(pollMs)
      }
    })
  }
}

export const findPostgresPair: FindServer<PostgresPair> = async () => {
  const installation = embeddedPrograms()
  return 'missing' in installation ? installation : PostgresPair.start(installation)
}
