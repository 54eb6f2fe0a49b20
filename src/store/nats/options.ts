/** The options of the NATS store. They are checked when the factory is made, before anything is opened. */
import { checkFlag, checkKeys, refuseOption } from '../../domain/options.ts'
import type { NatsConnection } from './database/driver.ts'

/** Options of `nats(place, options)`. All have a default. */
export interface NatsOptions {
  /**
   * The beginning of the names of the store's two JetStream streams and of their subjects, `mneme` by default. Several
   * stores may share an account, each with its own prefix.
   */
  readonly prefix?: string
  /**
   * On how many servers each message is kept, when opening makes the streams: 1 (the default), 3 or 5. With 3, the
   * store works on while one server is down, and with 5 while two are.
   */
  readonly replicas?: 1 | 3 | 5
  /**
   * How long a call waits for the servers, in milliseconds, 10,000 by default. After that the error is
   * `STORE_UNAVAILABLE`.
   */
  readonly timeoutMs?: number
  /** Whether opening makes missing JetStream streams, or refuses. True by default. */
  readonly migrate?: boolean
}

/** The options with their defaults. */
export interface Settings {
  readonly place: string | NatsConnection
  /** The name of the store in messages, without a password. */
  readonly label: string
  readonly prefix: string
  readonly replicas: number
  readonly timeoutMs: number
  readonly migrate: boolean
  /** How long it takes until all processes have heard of a reservation, in milliseconds. */
  readonly lookMs: number
}

const prefixDefault = 'mneme'
const timeoutMsDefault = 10_000
const lookMsDefault = 50

const known: readonly (keyof NatsOptions)[] = ['prefix', 'replicas', 'timeoutMs', 'migrate']

/** @throws DefinitionError `OPTION_INVALID` */
export function settingsOf(place: string | NatsConnection, options: NatsOptions): Settings {
  checkKeys('nats(place, options)', options, known)
  const { prefix = prefixDefault, replicas = 1, timeoutMs = timeoutMsDefault, migrate = true } = options
  if (typeof prefix !== 'string' || !/^[\w-]{1,64}$/.test(prefix)) {
    refuseOption('prefix', '1 to 64 letters, digits and characters of _-', prefix)
  }
  if (![1, 3, 5].includes(replicas)) refuseOption('replicas', '1, 3 or 5', replicas)
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) refuseOption('timeoutMs', 'a time in milliseconds', timeoutMs)
  checkFlag('migrate', migrate)
  const label = `nats (${hostsOf(place)}/${prefix})`
  return Object.freeze({ place, label, prefix, replicas, timeoutMs, migrate, lookMs: lookMsDefault })
}

/** @throws DefinitionError `OPTION_INVALID` */
function hostsOf(place: string | NatsConnection): string {
  if (typeof place === 'string')
    return urlsOf(place)
      .map(({ host }) => host)
      .join()
  if (typeof place?.getServer !== 'function') refuseOption('url', 'nats://... or a NatsConnection', String(place))
  return place.getServer()
}

/** A server in a URL of one or several. */
interface ServerUrl {
  readonly host: string
  readonly user: string | undefined
  readonly password: string | undefined
  readonly isSecure: boolean
}

/** The servers of a URL, separated by commas. @throws DefinitionError `OPTION_INVALID` */
export function urlsOf(place: string): readonly ServerUrl[] {
  const servers = place.split(',').map((each, i) => {
    const text = i > 0 && !each.includes('://') ? `${/^\w+/.exec(place)?.[0]}://${each}` : each
    const [, scheme, user, password, host] =
      /^(nats|tls):\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?([^/?#@,]+)\/?$/.exec(text.trim()) ??
      refuseOption('url', 'nats://host:port or tls://host:port, or several separated by commas', hidden(place))
    return {
      host: host!,
      user: user === undefined ? undefined : decodeURIComponent(user),
      password: password === undefined ? undefined : decodeURIComponent(password),
      isSecure: scheme === 'tls',
    }
  })
  return servers
}

/** A URL without users and passwords. */
const hidden = (url: string): string => url.replace(/\/\/[^@/]*@/g, '//')
