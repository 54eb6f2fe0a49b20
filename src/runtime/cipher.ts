/**
 * Encryption of personal values. It is synchronous, because decisions and folds are, and because a promise for each
 * field would cost more than the encryption. The platform's own `crypto.subtle` has only promises.
 */

/** A key that is ready to use. */
export interface CipherKey {
  /** Encrypts a text. The same text gives another result each time. */
  seal(text: string): string
  /** Decrypts. Throws if the text was not encrypted with this key, or was changed. */
  open(sealed: string): string
}

/** AES-256-GCM, with keys as texts in base64url. */
export interface Cipher {
  /** Makes a key that cannot be guessed. */
  newKey(): string
  /** Makes an id of 22 letters, digits, `-` or `_`. */
  newKeyId(): string
  /** Makes a key ready to use. */
  load(key: string): CipherKey
}
