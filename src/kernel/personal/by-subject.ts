/** Groups personal values by whose they are: each subject has a key of its own. */
import type { SealedValue } from '../../domain/sealed-value.ts'

/** The values of each subject. A command usually has those of one. */
export function bySubject(values: readonly SealedValue[]): Iterable<readonly [string, readonly SealedValue[]]> {
  const subject = values[0]?.subject
  if (subject === undefined) return []
  if (values.every((value) => value.subject === subject)) return [[subject, values]]
  return Map.groupBy(values, (value) => value.subject)
}
