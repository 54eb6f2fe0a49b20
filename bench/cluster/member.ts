/** A process that is a member of a measured cluster, and gives commands to it when it is told to. */
import type { StoreName } from '../figure.ts'
import { locate } from '../location.ts'
import { drive } from '../rounds.ts'
import { kinds, startMeasured } from './domain.ts'

/** What such a process is told, as JSON in its only argument. */
export interface MemberOrder {
  readonly store: StoreName
  readonly directory: string
  readonly url?: string
  /** The name of the place that all share. */
  readonly place: string
  readonly isMember: boolean
}

/** What it is told afterwards; then it says how much it has done. */
export interface DriveOrder {
  readonly kind: keyof typeof kinds
  readonly callers: number
  readonly roundMs: number
}

/** What it did. */
export interface Drive {
  /** Commands a second. */
  readonly rate: number
  readonly operations: number
  readonly cpuSeconds: number
}

const { place, isMember, ...where } = JSON.parse(process.argv[2]!) as MemberOrder
const bank = await startMeasured(locate(where, place).factory, isMember)
process.on('message', async ({ kind, callers, roundMs }: DriveOrder) => {
  const operation = () => kinds[kind](bank)
  const { operations, seconds, cpuSeconds } = await drive({ callers, operation, close: async () => {} }, roundMs)
  const done: Drive = { rate: operations / seconds, operations, cpuSeconds }
  process.send!(done)
})
process.once('SIGTERM', () => void bank.stop().then(() => process.exit()))
process.once('disconnect', () => process.exit())
process.send!('ready')
