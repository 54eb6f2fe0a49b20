/** AES-256-GCM of Node, Deno or Bun. */
import { DefinitionError } from '../../domain/error.ts'
import type { Cipher, CipherKey } from '../../runtime/cipher.ts'
import { runtimeName } from '../../runtime/platform.ts'
import { type BlockCipher, nonceBytes, ShortTexts, tagBytes, textBytesMax } from './short-texts.ts'

/** The part of `node:crypto` that is used. This layer imports no module of Node, so its types are written here. */
interface NodeCrypto {
  createSecretKey(key: Uint8Array): object
  createCipheriv(name: 'aes-256-gcm', key: object, nonce: Uint8Array): Encryption
  createCipheriv(name: 'aes-256-ecb', key: object, nonce: null): BlockCipher & { setAutoPadding(on: boolean): void }
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
  write(text: string, at: number): number
}
interface BytesClass {
  from(text: string, encoding: 'base64url'): Bytes
  allocUnsafe(length: number): Bytes
  allocUnsafeSlow(length: number): Bytes
}
interface Platform {
  readonly process?: { getBuiltinModule?(name: string): unknown }
  readonly Buffer?: BytesClass
}

const keyBytes = 32
const idBytes = 16
/** How many keys are ready for short texts. Each then takes about 2 KB more. */
const readyMax = 1000

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
  const platform = new PlatformCipher(crypto, Buffer)
  return Object.freeze({
    newKey: () => platform.random(keyBytes).toString('base64url'),
    newKeyId: () => platform.random(idBytes).toString('base64url'),
    load: (key: string) => new SystemKey(platform, Buffer.from(key, 'base64url')),
  })
}

/** What all keys share. */
class PlatformCipher {
  readonly crypto: NodeCrypto
  readonly Buffer: BytesClass
  /** Makes bytes that cannot be guessed. */
  readonly random: (length: number) => Bytes
  /** Where short texts are encrypted. A character has at most three bytes. */
  readonly sheet: Bytes
  /** Whether encrypting short texts gives what the platform gives. If not, the platform encrypts them too. */
  readonly #isSame: boolean
  /** The keys that are ready for short texts. The place of the one that has been ready for longest comes next. */
  readonly #ready: WeakRef<SystemKey>[] = []
  #next = 0

  constructor(crypto: NodeCrypto, Buffer: BytesClass) {
    this.crypto = crypto
    this.Buffer = Buffer
    this.random = randomBytes(crypto, Buffer)
    this.sheet = Buffer.allocUnsafeSlow(nonceBytes + 3 * textBytesMax + tagBytes)
    this.#isSame = this.#compare()
  }

  /** Writes a text on the sheet. @returns how many bytes it has; `undefined` if it is not short */
  write(text: string): number | undefined {
    if (!this.#isSame || text.length > textBytesMax) return undefined
    const length = this.sheet.write(text, nonceBytes)
    if (length <= textBytesMax) return length
    this.sheet.fill(0)
    return undefined
  }

  /** Makes a key ready for short texts. If too many are, the one that has been ready for longest is no longer. */
  prepare(key: SystemKey, secret: object): ShortTexts {
    this.#ready[this.#next]?.deref()?.rest()
    this.#ready[this.#next] = new WeakRef(key)
    this.#next = (this.#next + 1) % readyMax
    return this.#shortTexts(secret, this.random)
  }

  /** Encrypts any text. */
  seal(secret: object, nonce: Uint8Array, text: string): Bytes {
    const cipher = this.crypto.createCipheriv('aes-256-gcm', secret, nonce)
    const encrypted = cipher.update(text, 'utf8')
    cipher.final()
    const sealed = this.Buffer.allocUnsafe(nonceBytes + encrypted.length + tagBytes)
    sealed.set(nonce, 0)
    sealed.set(encrypted, nonceBytes)
    sealed.set(cipher.getAuthTag(), nonceBytes + encrypted.length)
    return sealed
  }

  #shortTexts(secret: object, random: (length: number) => Uint8Array): ShortTexts {
    const aes = this.crypto.createCipheriv('aes-256-ecb', secret, null)
    aes.setAutoPadding(false)
    return new ShortTexts(aes, random)
  }

  /**
   * Encrypts some texts in both ways: a value that was not encrypted as the platform does it could not be read again.
   */
  #compare(): boolean {
    try {
      const secret = this.crypto.createSecretKey(this.random(keyBytes))
      const nonces = this.random(comparedTexts.length * nonceBytes)
      let drawn = 0
      const short = this.#shortTexts(secret, (length) => {
        drawn += length
        return nonces.subarray(drawn - length, drawn)
      })
      return comparedTexts.every((text, i) => {
        short.seal(this.sheet, this.sheet.write(text, nonceBytes))
        const nonce = nonces.subarray(i * nonceBytes, (i + 1) * nonceBytes)
        return this.seal(secret, nonce, text).every((byte, at) => byte === this.sheet[at])
      })
    } catch {
      return false
    }
  }
}

/** They need as many nonces as are drawn for one text and then two. */
const comparedTexts = ['a text of two blocks and more, all of them full.', 'a text of two blocks', '']

class SystemKey implements CipherKey {
  readonly #platform: PlatformCipher
  readonly #secret: object
  #short: ShortTexts | undefined

  constructor(platform: PlatformCipher, bytes: Uint8Array) {
    this.#platform = platform
    this.#secret = platform.crypto.createSecretKey(bytes)
  }

  seal(text: string): string {
    const platform = this.#platform
    const { sheet } = platform
    const length = platform.write(text)
    if (length === undefined) {
      return platform.seal(this.#secret, platform.random(nonceBytes), text).toString('base64url')
    }
    this.#short ??= platform.prepare(this, this.#secret)
    this.#short.seal(sheet, length)
    return sheet.toString('base64url', 0, nonceBytes + length + tagBytes)
  }

  open(sealed: string): string {
    const { crypto, Buffer } = this.#platform
    const all = Buffer.from(sealed, 'base64url')
    const decipher = crypto.createDecipheriv('aes-256-gcm', this.#secret, all.subarray(0, nonceBytes))
    decipher.setAuthTag(all.subarray(all.length - tagBytes))
    const text = decipher.update(all.subarray(nonceBytes, all.length - tagBytes))
    decipher.final()
    return text.toString('utf8')
  }

  /** Is no longer ready, until the next short text. */
  rest(): void {
    this.#short = undefined
  }
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
