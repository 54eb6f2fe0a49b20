/**
 * Keys of rows as they are stored. A projection keeps something of its own beside its user's rows (`parked-events.ts`),
 * under keys that begin with a mark. A user's key that begins so is stored with the mark twice: every id is a good key,
 * and none is taken for the projection's own.
 */
import { checkId } from '../../domain/id.ts'

/** What begins the keys of rows that are not the user's. */
export const ownMark = '\u0001'

/** Whether a stored row is one of the projection's own, not of its user's. */
export const isOwnKey = (stored: string): boolean => stored[0] === ownMark && stored[1] !== ownMark

/** The key under which a user's row is stored. */
export const storedKey = (key: string): string => (key[0] === ownMark ? ownMark + key : key)

/** The user's key of a stored row. */
export const userKey = (stored: string): string => (stored[0] === ownMark ? stored.slice(1) : stored)

/** @throws InputError `ID_INVALID` */
export function checkRowKey(key: unknown): asserts key is string {
  checkId('the key of a row', key)
}
