/** When a scheduled command is due. */
import { checkKeys, checkOption, refuseOption } from '../../domain/options.ts'
import type { Due } from '../../domain/reaction.ts'
import { momentOf } from '../stored/timer-row.ts'

/** @param recordedAt when the event was recorded. @throws DefinitionError `OPTION_INVALID` */
export function timeOf(due: Due, recordedAt: Date): number {
  if (due instanceof Date) {
    checkOption('due', due, () => Number.isFinite(due.getTime()), 'a valid Date or { afterMs }')
    return momentOf(due.getTime())
  }
  if (typeof due !== 'object' || due === null) {
    refuseOption('due', 'a Date or { afterMs: milliseconds }, in schedule(command, due)', due)
  }
  checkKeys('schedule(command, due)', due, ['afterMs'])
  const { afterMs } = due
  if (!Number.isFinite(afterMs)) {
    refuseOption('afterMs', 'a finite number of milliseconds, in schedule(command, { afterMs })', afterMs)
  }
  return momentOf(recordedAt.getTime() + afterMs)
}
