/** The options of `cluster`. */
import { checkKeys, checkOption, checkWhole } from '../domain/options.ts'

export interface ClusterOptions {
  /**
   * Where this member listens, as `host:port`. With port 0, a free one is chosen. Other members connect there, so it
   * must be an address that they can reach; otherwise set `advertise` too.
   */
  readonly address: string
  /**
   * The address that other members use, if it is not `address`: behind a proxy, or in a container. It must lead to this
   * member and no other. Port 0 stands for the port that was chosen.
   */
  readonly advertise?: string
  /** The same for all members, at least 16 characters. Members that do not have it are refused. */
  readonly secret: string
  /**
   * How long a member may give no sign of life before others take over its streams, in milliseconds. 3,000 by default.
   * A member whose process has ended is replaced at once.
   */
  readonly leaseMs?: number
  /** How long a command looks for its owner before it fails, in milliseconds. 30,000 by default. */
  readonly routeTimeoutMs?: number
}

const known: readonly (keyof ClusterOptions)[] = ['address', 'advertise', 'secret', 'leaseMs', 'routeTimeoutMs']
const addressForm = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/@]+):\d{1,5}$/

/** A host and a port. */
export interface Address {
  readonly host: string
  readonly port: number
}

export function addressOf(text: string): Address {
  const at = text.lastIndexOf(':')
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) }
}

/** @throws DefinitionError `OPTION_INVALID` */
export function settleCluster(options: ClusterOptions): Required<Omit<ClusterOptions, 'advertise'>> & {
  readonly advertise: string | undefined
} {
  checkKeys('cluster(options)', options, known)
  const { address, advertise, secret, leaseMs = 3000, routeTimeoutMs = 30_000 } = options
  checkRequired('address', address, isAddress, expected)
  checkOption('advertise', advertise, isAddress, expected)
  const unreachable = 'others cannot connect to an address that means all'
  if (advertise === undefined && isEverywhere(address)) {
    checkRequired('advertise', 'absent', () => false, `given with ${address}: ${unreachable}`)
  }
  checkOption('advertise', advertise, (found) => !isEverywhere(found), `that of this machine: ${unreachable}`)
  const isSecret = (found: unknown) => typeof found === 'string' && found.length >= 16
  // The message must not show it.
  checkRequired('secret', isSecret(secret) ? secret : typeof secret, isSecret, 'a text of 16 characters or more')
  checkWhole('leaseMs', leaseMs, 100)
  checkWhole('routeTimeoutMs', routeTimeoutMs, 1)
  return { address, advertise, secret, leaseMs, routeTimeoutMs }
}

const expected = 'a host and a port, such as "10.0.0.5:7400" or "[fd00::5]:7400"'

const isAddress = (found: unknown): boolean =>
  typeof found === 'string' && addressForm.test(found) && addressOf(found).port < 65_536 && hostOf(found) !== undefined

/** The host in its usual form, as in a URL: an IP address may be written in many ways. */
function hostOf(address: string): string | undefined {
  const url = `http://${address}`
  return URL.canParse(url) ? new URL(url).hostname : undefined
}

/** Whether an address means all addresses of the machine. The last one is that of IPv4, as IPv6 has it. */
const isEverywhere = (address: string): boolean => ['0.0.0.0', '[::]', '[::ffff:0:0]'].includes(hostOf(address) ?? '')

function checkRequired(option: string, found: unknown, isGood: (found: unknown) => boolean, expected: string): void {
  checkOption(option, found ?? 'absent', isGood, expected)
}
