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
  toString(encoding?: 'base64url' | 'utf8', from?: number, to?: number): string
  subarray(from?: number, to?: number): Bytes
}
interface BytesClass {
  from(text: string, encoding: 'base64url'): Bytes
  allocUnsafe(length: number): Bytes
  /** Not from the pool that others share. */
  allocUnsafeSlow(length: number): Bytes
}
interface Platform {
  readonly process?: { getBuiltinModule?(name: string): unknown }
  readonly Buffer?: BytesClass
}

const keyBytes = 32
const idBytes = 16
const nonceBytes = 12
const tagBytes = 16
/** Enough for what is sealed together (`sealed-value.ts`). */
const deskBytes = 1024

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
  const fill = randomFiller(crypto, Buffer)
  const random = (length: number) => {
    const bytes = Buffer.allocUnsafe(length)
    fill(bytes, length)
    return bytes.toString('base64url')
  }
  const desk: Desk = { crypto, Buffer, fill, bytes: Buffer.allocUnsafeSlow(deskBytes) }
  return Object.freeze({
    newKey: () => random(keyBytes),
    newKeyId: () => random(idBytes),
    load: (key: string) => cipherKey(desk, Buffer.from(key, 'base64url')),
  })
}

/** What all keys share. */
interface Desk {
  readonly crypto: NodeCrypto
  readonly Buffer: BytesClass
  readonly fill: (bytes: Uint8Array, length: number) => void
  /** Where a nonce and what is encrypted with it are put together. Neither is secret. */
  readonly bytes: Bytes
}

function cipherKey({ crypto, Buffer, fill, bytes: shared }: Desk, secret: Uint8Array): CipherKey {
  const key = crypto.createSecretKey(secret)
  const nonce = shared.subarray(0, nonceBytes)
  return Object.freeze({
    seal(text: string): string {
      fill(nonce, nonceBytes)
      const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce)
      const encrypted = cipher.update(text, 'utf8')
      cipher.final()
      const tagAt = nonceBytes + encrypted.length
      const length = tagAt + tagBytes
      const sealed = length <= deskBytes ? shared : Buffer.allocUnsafe(length)
      if (sealed !== shared) sealed.set(nonce, 0)
      sealed.set(encrypted, nonceBytes)
      sealed.set(cipher.getAuthTag(), tagAt)
      return sealed.toString('base64url', 0, length)
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
function randomFiller(crypto: NodeCrypto, Buffer: BytesClass): Desk['fill'] {
  const pool = Buffer.allocUnsafeSlow(12_288)
  let used = pool.length
  return (bytes, length) => {
    if (used + length > pool.length) {
      crypto.randomFillSync(pool)
      used = 0
    }
    for (let i = 0; i < length; i++) {
      bytes[i] = pool[used]!
      pool[used++] = 0
    }
  }
}
