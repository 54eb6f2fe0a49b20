/**
 * Copies bytes that a caller passes to SQL. The caller may overwrite them, or transfer them to another thread, before
 * they are sent.
 */

/** @throws TypeError if their buffer was transferred, so that they are gone */
export function copyOfBytes(bytes: Uint8Array): Uint8Array {
  try {
    return new Uint8Array(bytes)
  } catch (cause) {
    throw new TypeError('the bytes are gone, because their buffer was transferred', { cause })
  }
}
