/** Turns the name of a tenant, which may be any text, into a name for its file, folder, schema or prefix. */
import { checkId } from '../../domain/id.ts'

/** The longest name of a tenant, in bytes of UTF-8. A file name may have 255 bytes, and each becomes at most three. */
const tenantBytesMax = 64

const encoder = new TextEncoder()

/**
 * Names that mean something else: devices of Windows, and names that PostgreSQL and SQLite keep for themselves. No
 * other name begins with the escaped form of a plain letter, so escaping the first one keeps all names different.
 */
const taken = /^(?:con|prn|aux|nul|com\d|lpt\d)$|^(?:pg|sqlite)_/

/**
 * A name for the store of a tenant that is safe as the name of a file, a folder, a schema or a prefix. It has only the
 * letters a to z, digits and `_`. Different tenants have different names, also on file systems that ignore the case or
 * the form of accents. Lower-case letters and digits stay as they are, and every other byte becomes `_` and two
 * hexadecimal digits.
 *
 *     tenantName('acme')   // acme
 *     tenantName('../Acme') // _2e_2e_2f_41cme
 *
 * @throws InputError `ID_INVALID` if it is not a text of 1 to 64 bytes
 */
export function tenantName(tenant: string): string {
  checkId('the name of a tenant', tenant, tenantBytesMax)
  const name = Array.from(encoder.encode(tenant), (byte) => (isPlain(byte) ? String.fromCharCode(byte) : escaped(byte)))
  if (taken.test(name.join(''))) name[0] = escaped(tenant.charCodeAt(0))
  return name.join('')
}

/** Whether it is one of a to z, or a digit. */
const isPlain = (byte: number): boolean => (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57)

const escaped = (byte: number): string => `_${byte.toString(16).padStart(2, '0')}`
