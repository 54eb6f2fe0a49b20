/** Lists the scheduled commands of a reaction, in pages. */
import { checkCursor, checkKeys, checkOption } from '../../domain/options.ts'
import { unboxed } from '../../domain/personal-fields.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { ProjectionStore, Row } from '../../store/store.ts'
import type { RowPlace } from '../stored/row-value.ts'
import { commandOf, idOfTimer, positionOfTimer, timerIn, timerPrefix } from '../stored/timer-row.ts'

const limitDefault = 100
const limitMax = 1000

/** A scheduled command that is not sent yet. */
export interface ScheduledCommand {
  /** Identifies it within its reaction, also when it gets another time. */
  readonly id: string
  readonly command: PlainCommand
  /** When it is sent, or sent again. */
  readonly dueAt: Date
  /** The key by which its handler moves or cancels it, if it has one. */
  readonly key?: string
  /** The position of the event whose handler has scheduled it. */
  readonly position: number
  /** How often it has failed. */
  readonly failures: number
}

export interface TimersOptions {
  /** `next` of the page before. */
  readonly after?: string
  /** The most commands of the page: 100 by default, at most 1,000. */
  readonly limit?: number
}

/** Scheduled commands, in the order in which they are due. */
export interface TimersPage {
  readonly timers: readonly ScheduledCommand[]
  /** Where the next page begins. Absent if no command is left. */
  readonly next?: string
}

/**
 * @param name the name under which the reaction is stored
 * @throws DefinitionError `OPTION_INVALID`; InputError `CURSOR_INVALID`; StoreError `STORE_CORRUPT` if a stored one is
 *   damaged
 */
export async function listTimers(store: ProjectionStore, name: string, options: TimersOptions): Promise<TimersPage> {
  checkKeys('timers(name, options)', options, ['after', 'limit'])
  const { after = timerPrefix, limit = limitDefault } = options
  checkCursor(options.after, (cursor) => /^timer \d{16} \d{16}:\d{6}$/.test(cursor))
  const isLimit = (found: number) => Number.isSafeInteger(found) && found >= 1 && found <= limitMax
  checkOption('limit', limit, isLimit, `a whole number from 1 to ${limitMax}`)
  const { rows, next } = await store.listRows(name, { prefix: timerPrefix, after, limit })
  const timers = rows.map((row) => scheduledOf({ store, storage: name }, row))
  return { timers, ...(next !== undefined && { next }) }
}

function scheduledOf(place: RowPlace, row: Row): ScheduledCommand {
  const timer = timerIn(place, row)
  const { dueAt, userKey, tries = 0 } = timer
  return {
    id: idOfTimer(row.key),
    command: unboxed(commandOf(timer)) as PlainCommand,
    dueAt: new Date(dueAt),
    ...(userKey !== undefined && { key: userKey }),
    position: positionOfTimer(row.key),
    failures: tries,
  }
}
