/**
 * What each real store shows at the port, as far as stores differ there. A simulated store behaves as its profile says,
 * and the conformance kit holds it and the real store to the same cases.
 *
 * What becomes of files is left out: it is a matter of the file store and SQLite, which have crash tests of their own.
 */
import { Random } from '../random.ts'
import type { FaultRates } from './faults.ts'

export interface Profile {
  /**
   * How calls reach it. Within the process an answer comes at once, and the data ends with the process, so nothing
   * crashes. A disk may be slow, or refuse a call; then it is certain that nothing was stored. And nothing of a process
   * reaches it after the process has ended. On a network everything may happen.
   */
  readonly way: 'within the process' | 'disk' | 'network'
  /** Whether only one process can have it open. When that one has ended, its leases have ended too. */
  readonly singleWriter: boolean
  /** Whether followers are woken by everybody's appends, or by those of their own process. */
  readonly hints: 'of everybody' | 'of the same process'
  /** Whether the commits of a batch are there together, or one after the other, so that a part may be stored. */
  readonly batches: 'whole' | 'in parts'
  /** Whether pages end before their limit if they are large, or if filters leave much out. */
  readonly pages: 'full' | 'cut'
  /** Whether every append knows which streams are reserved, or a process notices it late (`late-reservations.ts`). */
  readonly reservations: 'known' | 'noticed late'
  /** The clock of leases: that of the machine of all processes, which may be set wrong, or one of its own. */
  readonly clock: 'of the machine' | 'of a server'
  /** Whether handlers write tables of their own in transactions (`transact`). */
  readonly hasSql: boolean
  /**
   * Whether it looks itself what became of an append without an answer, and appends again. Then what this call has
   * stored may count as stored before. It also knows when nobody was there to take an append, so nothing was stored.
   */
  readonly looksItself: boolean
  /** Whether it is the store itself that runs, on a simulated disk, and not a store that behaves like it. */
  readonly isItself: boolean
}

const aDisk = {
  way: 'disk',
  hints: 'of the same process',
  batches: 'whole',
  pages: 'cut',
  reservations: 'known',
  clock: 'of the machine',
  looksItself: false,
  isItself: false,
} as const
const aServer = {
  way: 'network',
  singleWriter: false,
  hints: 'of everybody',
  pages: 'cut',
  reservations: 'known',
  clock: 'of a server',
  looksItself: false,
  isItself: false,
} as const

/** The store whose behaviour is simulated, or that runs itself on a simulated disk (`file-on-disk`). */
export type ProfileName = 'memory' | 'file' | 'file-on-disk' | 'sqlite' | 'postgres' | 'mongodb' | 'nats'

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  memory: {
    way: 'within the process',
    singleWriter: false,
    hints: 'of everybody',
    batches: 'whole',
    pages: 'full',
    reservations: 'known',
    clock: 'of the machine',
    hasSql: false,
    looksItself: false,
    isItself: false,
  },
  file: { ...aDisk, singleWriter: true, hasSql: false },
  'file-on-disk': { ...aDisk, singleWriter: true, pages: 'full', hasSql: false, isItself: true },
  sqlite: { ...aDisk, singleWriter: false, hasSql: true },
  postgres: { ...aServer, batches: 'whole', hasSql: true },
  mongodb: { ...aServer, batches: 'in parts', reservations: 'noticed late', hasSql: false },
  nats: { ...aServer, batches: 'in parts', reservations: 'noticed late', hasSql: false, looksItself: true },
}

export const profileNames = Object.keys(profiles) as readonly ProfileName[]

/** Where more can go wrong, there are more runs. */
const weights: Readonly<Record<ProfileName, number>> = {
  memory: 1,
  file: 2,
  // Its runs take longer, so they are asked for by name.
  'file-on-disk': 0,
  sqlite: 3,
  postgres: 7,
  mongodb: 4,
  nats: 3,
}

/** The profile of a seed. The members of a cluster share a store, and a process that ends leaves the others. */
export function drawProfile(seed: number, isCluster: boolean): ProfileName {
  const random = new Random(seed ^ 0x5708e)
  const names = isCluster ? profileNames.filter(canHoldCluster) : profileNames
  return random.pick(names.flatMap((name) => Array.from({ length: weights[name] }, () => name)))
}

export const canHoldCluster = (name: ProfileName): boolean =>
  !profiles[name].singleWriter && profiles[name].way !== 'within the process'

const onNetworksOnly = ['loseAnswer', 'actLater', 'duplicate', 'loseHint', 'partition', 'standStill'] as const
const inClustersOnly = ['breakLink', 'cut'] as const
const notWithin = ['slow', 'failBefore', 'crash', 'restore', 'restoreLog'] as const
/** A store that runs itself has a disk that fails, and no call of its users fails otherwise. */
const notOnDisks = ['failBefore'] as const
const onDisksOnly = ['failDisk', 'losePower', 'misdirect'] as const

/** The rates without what cannot happen to a store. */
export function possible(rates: FaultRates, { way, isItself }: Profile, isCluster: boolean): FaultRates {
  const none = [
    ...(way === 'network' ? [] : onNetworksOnly),
    ...(way === 'within the process' ? notWithin : []),
    ...(isItself ? notOnDisks : onDisksOnly),
    ...(isCluster ? [] : inClustersOnly),
  ]
  return { ...rates, ...Object.fromEntries(none.map((name) => [name, 0])) }
}
