/**
 * Bytes that a caller gives to SQL, copied at once: the caller may overwrite them, or hand them to another thread,
 * before they are sent.
 */

/** @throws TypeError if their buffer was handed over, so that they are gone */
export function copyOfBytes(bytes: Uint8Array): Uint8Array {
  try {
    return new Uint8Array(bytes)
  } catch (cause) {
    throw new TypeError('the bytes are gone: their buffer was handed over', { cause })
  }
}
