/**
 * Keys of rows as they are stored. A projection keeps rows of its own beside its user's rows (`parked-events.ts`).
 * Their keys begin with a mark. A user's key that begins with the mark is stored with the mark twice. Every id can
 * therefore be a key, and no user's key is taken for one of the projection's own.
 */
import { checkId } from '../../domain/id.ts'

/** The first character of the keys of rows that are not the user's. */
export const ownMark = '\u0001'

/** Whether a stored key is one of the projection's own keys, not one of its user. */
export const isOwnKey = (stored: string): boolean => stored[0] === ownMark && stored[1] !== ownMark

/** The key under which a user's row is stored. */
export const storedKey = (key: string): string => (key[0] === ownMark ? ownMark + key : key)

/** The user's key of a stored row. */
export const userKey = (stored: string): string => (stored[0] === ownMark ? stored.slice(1) : stored)

/** @throws InputError `ID_INVALID` */
export function checkRowKey(key: unknown): asserts key is string {
  checkId('the key of a row', key)
}
