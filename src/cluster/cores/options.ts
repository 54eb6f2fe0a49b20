/** The options of `runOnAllCores`. */
import { availableParallelism } from 'node:os'
import { checkKeys, checkOption, checkSignal, checkWhole, refuseOption } from '../../domain/options.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { StoreFactory } from '../../store/store.ts'
import type { Cluster } from '../cluster.ts'
import { addressOf, type ClusterOptions, settleCluster } from '../options.ts'

/** What each process is given besides the running domain. */
export interface CoreContext {
  /** 1 for the first process, 2 for the second ... A process that replaces another one has its number. */
  readonly number: number
  /** Resolves when this process is to end. */
  readonly stopping: Promise<void>
  /** Aborted at the same time, for what takes a signal. */
  readonly signal: AbortSignal
}

/** What `start` of a domain gets from `runOnAllCores`. */
export interface StartedWith {
  readonly store?: StoreFactory
  readonly cluster?: Cluster
  readonly log?: Logger
}

/** A domain that runs. */
export interface Stoppable {
  stop(): Promise<void>
}

export interface CoresOptions<Options, Bank> {
  /** Where events are kept: SQLite, or a server. All processes share it, so it cannot be `memory()` or `file()`. */
  readonly store: StoreFactory
  /**
   * What each process does with the running domain: it serves requests, for instance. When `stopping` resolves, it
   * should end what it does. The domain is stopped after that. If it throws, its process is replaced. If it returns,
   * the process goes on, and answers commands of the others.
   */
  readonly run: (bank: Bank, context: CoreContext) => unknown
  /** How many processes. As many as the machine has cores by default. */
  readonly processes?: number
  /** More options of `start`, the same for each process. */
  readonly start?: Omit<Options, 'store' | 'cluster' | 'log'>
  /**
   * For processes of several machines on one store: the address of this machine with port 0, and a secret. By default,
   * only the processes of this machine are in the cluster.
   */
  readonly cluster?: ClusterOptions
  /** How many times processes may be replaced within a minute. After that, all are stopped. 10 by default. */
  readonly restartsMax?: number
  /** How long a process may take to end before it is killed, in milliseconds. 30,000 by default. */
  readonly stopTimeoutMs?: number
  /** Stops all processes when it is aborted, as SIGTERM and SIGINT do. */
  readonly signal?: AbortSignal
  /** Where warnings go. The console by default. */
  readonly log?: Logger
}

const known: readonly (keyof CoresOptions<unknown, unknown>)[] = [
  ...(['store', 'run', 'processes', 'start', 'cluster', 'restartsMax', 'stopTimeoutMs', 'signal', 'log'] as const),
]

export type SettledCores<Options, Bank> = Required<
  Omit<CoresOptions<Options, Bank>, 'cluster' | 'start' | 'signal'>
> & {
  /** Absent if only the processes of this machine are in the cluster. */
  readonly cluster: ClusterOptions | undefined
  readonly start: object
  readonly signal: AbortSignal | undefined
}

/** @throws DefinitionError `OPTION_INVALID` */
export function settleCores<Options, Bank>(options: CoresOptions<Options, Bank>): SettledCores<Options, Bank> {
  checkKeys('runOnAllCores(domain, options)', options, known)
  const { store, run, cluster, start = {}, signal, log = console } = options
  const { processes = availableParallelism(), restartsMax = 10, stopTimeoutMs = 30_000 } = options
  const shared = 'a store that several processes can share, such as sqlite(path) or postgres(url)'
  if (typeof store?.open !== 'function') refuseOption('store', shared, store)
  if (store.name === 'memory' || store.name === 'file') refuseOption('store', shared, `${store.name}(...)`)
  if (typeof run !== 'function') refuseOption('run', 'a function', run)
  checkOption('start', start, (found) => typeof found === 'object' && found !== null, 'a record of options')
  for (const option of ['store', 'cluster', 'log']) {
    if (Object.hasOwn(start, option)) refuseOption('start', `without ${option}, which stands beside it`, start)
  }
  checkOption('log', log, (found) => typeof found?.warn === 'function', 'a console, or anything with its warn')
  checkWhole('processes', processes, 1)
  checkWhole('restartsMax', restartsMax, 0)
  checkWhole('stopTimeoutMs', stopTimeoutMs, 1)
  checkSignal(signal)
  if (cluster !== undefined) {
    const { address, advertise } = settleCluster(cluster)
    const isFree = (found: unknown) => addressOf(found as string).port === 0
    const expected = 'an address with port 0, because each process needs a port'
    checkOption('cluster.address', address, isFree, expected)
    checkOption('cluster.advertise', advertise, isFree, expected)
  }
  return { store, run, cluster, start, signal, log, processes, restartsMax, stopTimeoutMs }
}
