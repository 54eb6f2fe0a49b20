/**
 * The operators of `find`, and the refusal of misspelt ones. A row may hold records, so a record without an operator
 * may be a value to be equal to. But a misspelt operator must not count as such a value. If the initial row shows what
 * a field holds, that decides; otherwise the names of the record's keys do. A record that is refused can be written as
 * `{ in: [record] }`.
 */
import { DefinitionError } from '../../domain/error.ts'
import { isRecord } from '../../domain/field-path.ts'
import { checkKeys, checkOption, nearestOf, refuseOption } from '../../domain/options.ts'

export const operators: readonly string[] = ['gt', 'gte', 'lt', 'lte', 'not', 'in', 'startsWith', 'includes']

/** Words of other libraries for operators, in lower case, with the operator of the same meaning. */
const foreign: ReadonlyMap<string, string | undefined> = new Map([
  ['greater', 'gt'],
  ['greaterthan', 'gt'],
  ['greaterorequal', 'gte'],
  ['greaterthanorequal', 'gte'],
  ['less', 'lt'],
  ['lessthan', 'lt'],
  ['lessorequal', 'lte'],
  ['lessthanorequal', 'lte'],
  ['ne', 'not'],
  ['neq', 'not'],
  ['isnot', 'not'],
  ['notequal', 'not'],
  ['notequals', 'not'],
  ['eq', undefined],
  ['equal', undefined],
  ['equals', undefined],
  ['prefix', 'startsWith'],
  ['beginswith', 'startsWith'],
  ['contains', 'includes'],
  ['like', 'includes'],
  ['nin', undefined],
  ['notin', undefined],
])

/** Words that are often names of fields too. They are refused only if a field is known to be simple. */
const ambiguous: ReadonlyMap<string, string> = new Map([
  ['above', 'gt'],
  ['below', 'lt'],
  ['min', 'gte'],
  ['max', 'lte'],
])

/**
 * Refuses a comparison with an unknown operator, or with a value that cannot be compared.
 *
 * @param where the field, such as `where.balance`
 * @param wanted the value that it must have, or a comparison
 * @param initial the field in the initial row
 * @throws DefinitionError `OPTION_INVALID`
 */
export function checkWanted(where: string, wanted: unknown, initial: unknown): void {
  if (!isRecord(wanted)) return
  // A record with an operator among its keys was meant as a comparison. Any other key in it is a misspelt operator.
  if (!Object.keys(wanted).some((key) => operators.includes(key))) {
    checkRecord(where, wanted, initial)
    return
  }
  checkKeys(where, wanted, operators)
  const { in: oneOf, not, startsWith, includes, ...bounds } = wanted
  checkOption(`${where}.in`, oneOf, Array.isArray, 'a list of values')
  for (const [operator, part] of Object.entries({ startsWith, includes })) {
    checkOption(`${where}.${operator}`, part, (found) => typeof found === 'string', 'a text')
  }
  if (isRecord(not)) checkRecord(`${where}.not`, not, initial)
  for (const [operator, bound] of Object.entries(bounds)) {
    checkOption(`${where}.${operator}`, bound, isBound, 'a text, a number, a bigint, a boolean or a Date')
  }
}

/** A record without an operator is a value to be equal to, unless it looks like a misspelt comparison. */
function checkRecord(where: string, record: object, initial: unknown): void {
  const keys = Object.keys(record)
  const strange = isSimple(initial) ? keys[0] : isRecord(initial) ? undefined : keys.find(isForeign)
  const needed = `one of ${operators.join(', ')}, in ${where} (a record to be equal to is written { in: [record] })`
  if (strange !== undefined) {
    const nearest = nearestOperator(strange)
    const facts = { option: strange, expected: needed, ...(nearest !== undefined && { nearest }) }
    throw new DefinitionError('OPTION_INVALID', facts)
  }
  if (isSimple(initial)) {
    refuseOption(where, `a value, or ${needed}`, record)
  }
}

const plainWord = (key: string): string => key.replace(/^\$/, '').replaceAll(/[_-]/g, '').toLowerCase()
const isForeign = (key: string): boolean => key.startsWith('$') || foreign.has(plainWord(key))
const nearestOperator = (key: string): string | undefined => {
  const word = plainWord(key)
  return foreign.has(word) ? foreign.get(word) : (ambiguous.get(word) ?? nearestOf(word, operators))
}

const isSimple = (value: unknown): boolean =>
  ['string', 'number', 'bigint', 'boolean'].includes(typeof value) || value instanceof Date
const isBound = (value: unknown): boolean => value === null || isSimple(value)
