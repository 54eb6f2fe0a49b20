/** AES-256-GCM of Node, Deno or Bun. */
import { DefinitionError } from '../domain/error.ts'
import type { Cipher, CipherKey } from '../runtime/cipher.ts'
import { runtimeName } from '../runtime/platform.ts'

/** The part of `node:crypto` that is used. This layer imports no module of Node, so its types are written here. */
interface NodeCrypto {
  createSecretKey(key: Uint8Array): object
  createCipheriv(name: 'aes-256-gcm', key: object, nonce: Uint8Array): Encryption
  createDecipheriv(name: 'aes-256-gcm', key: object, nonce: Uint8Array): Decryption
  randomFillSync(bytes: Uint8Array): void
}
interface Encryption {
  update(text: string, encoding: 'utf8'): Bytes
  final(): Bytes
  getAuthTag(): Bytes
}
interface Decryption {
  setAuthTag(tag: Uint8Array): void
  update(bytes: Uint8Array): Bytes
  final(): Bytes
}
interface Bytes extends Uint8Array {
  toString(encoding?: 'base64url' | 'utf8'): string
}
interface BytesClass {
  from(text: string, encoding: 'base64url'): Bytes
  allocUnsafe(length: number): Bytes
}
interface Platform {
  readonly process?: { getBuiltinModule?(name: string): unknown }
  readonly Buffer?: BytesClass
}

const keyBytes = 32
const idBytes = 16
const nonceBytes = 12
const tagBytes = 16

/**
 * @throws DefinitionError `RUNTIME_UNSUPPORTED` on a platform without synchronous encryption, such as a browser
 */
export function systemCipher(): Cipher {
  const { process, Buffer } = globalThis as unknown as Platform
  const crypto = process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined
  if (crypto === undefined || Buffer === undefined) {
    const what = 'Encryption of personal fields'
    throw new DefinitionError('RUNTIME_UNSUPPORTED', { what, needs: 'node:crypto', found: runtimeName() })
  }
  const random = randomBytes(crypto, Buffer)
  return Object.freeze({
    newKey: () => random(keyBytes).toString('base64url'),
    newKeyId: () => random(idBytes).toString('base64url'),
    load: (key: string) => cipherKey(crypto, Buffer, random, Buffer.from(key, 'base64url')),
  })
}

function cipherKey(
  crypto: NodeCrypto,
  Buffer: BytesClass,
  random: (length: number) => Bytes,
  bytes: Uint8Array,
): CipherKey {
  const key = crypto.createSecretKey(bytes)
  return Object.freeze({
    seal(text: string): string {
      const nonce = random(nonceBytes)
      const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce)
      const encrypted = cipher.update(text, 'utf8')
      cipher.final()
      const sealed = Buffer.allocUnsafe(nonceBytes + encrypted.length + tagBytes)
      sealed.set(nonce, 0)
      sealed.set(encrypted, nonceBytes)
      sealed.set(cipher.getAuthTag(), nonceBytes + encrypted.length)
      return sealed.toString('base64url')
    },
    open(sealed: string): string {
      const all = Buffer.from(sealed, 'base64url')
      const decipher = crypto.createDecipheriv('aes-256-gcm', key, all.subarray(0, nonceBytes))
      decipher.setAuthTag(all.subarray(all.length - tagBytes))
      const text = decipher.update(all.subarray(nonceBytes, all.length - tagBytes))
      decipher.final()
      return text.toString('utf8')
    },
  })
}

/** Random bytes, from a pool: each call of the platform costs as much as many bytes. */
function randomBytes(crypto: NodeCrypto, Buffer: BytesClass): (length: number) => Bytes {
  const pool = Buffer.allocUnsafe(12_288)
  let used = pool.length
  return (length) => {
    if (used + length > pool.length) {
      crypto.randomFillSync(pool)
      used = 0
    }
    const bytes = Buffer.allocUnsafe(length)
    bytes.set(pool.subarray(used, used + length))
    pool.fill(0, used, used + length)
    used += length
    return bytes
  }
}
