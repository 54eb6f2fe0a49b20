/**
 * The domain of the replays in the kernel: a line that gets longer, and a seat that is taken and freed. Processes run
 * it on a stage.
 */
import { z } from 'zod'
import { aggregate, type Domain, domain, event, type Running, reject } from '../../../src/index.ts'
import { recorder } from '../kernel/rig.ts'
import type { Stage } from './stage.ts'

const Grew = event('Grew', z.object({}))
const Line = aggregate('line', () => ({}))
  .on(Grew)
  .command('grow', z.object({ by: z.int() }), (_, { by }) => Array.from({ length: by }, () => Grew({})))

const Taken = event('Taken', z.object({}))
const Freed = event('Freed', z.object({}))
const Seat = aggregate('seat', () => ({ isTaken: false }))
  .on(Taken, () => ({ isTaken: true }))
  .on(Freed, () => ({ isTaken: false }))
  .command('take', z.object({}), ({ isTaken }) => (isTaken ? reject('SeatTaken') : Taken({})))
  .command('free', z.object({}), ({ isTaken }) => (isTaken ? Freed({}) : reject('SeatFree')))

const aggregates = { line: Line, seat: Seat }
const Lines: Domain<typeof aggregates, {}> = domain({ aggregates })

export type RunningLines = Running<typeof aggregates, {}>

/** Starts a process on a stage. It never gives up. */
export const startLines = (stage: Stage, process: string): Promise<RunningLines> =>
  Lines.start({
    store: stage.storeOf(process),
    environment: stage.environment,
    limits: { appendTriesMax: Number.POSITIVE_INFINITY, conflictTriesMax: Number.POSITIVE_INFINITY },
    projections: 'manual',
    log: recorder(),
  })
