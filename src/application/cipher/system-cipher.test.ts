import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import test from 'node:test'
import { nonceBytes, ShortTexts, tagBytes, textBytesMax } from './short-texts.ts'
import { systemCipher } from './system-cipher.ts'

const bytesOf = (hex: string) => Buffer.from(hex, 'hex')

function aes(key: Uint8Array): crypto.CipherGCM | crypto.Cipheriv {
  return crypto.createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
}

/** What Node makes of a text: nonce, encrypted text, tag. */
function platformSeals(key: Uint8Array, nonce: Uint8Array, text: Uint8Array): Buffer {
  const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce)
  return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()])
}

/** Opens a text by hand, with Node. */
function platformOpens(key: string, sealed: string): string {
  const all = Buffer.from(sealed, 'base64url')
  const decipher = crypto.createDecipheriv('aes-256-gcm', Buffer.from(key, 'base64url'), all.subarray(0, nonceBytes))
  decipher.setAuthTag(all.subarray(-tagBytes))
  return Buffer.concat([decipher.update(all.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString('utf8')
}

/** One text, sealed with a given nonce. */
function sealedWith(key: Uint8Array, nonce: Uint8Array, text: Uint8Array): Buffer {
  const bytes = Buffer.alloc(nonceBytes + text.length + tagBytes, 0xff)
  bytes.set(text, nonceBytes)
  new ShortTexts(aes(key), () => nonce).seal(bytes, text.length)
  return bytes
}

// Test cases 13, 14 and 15 of "The Galois/Counter Mode of Operation (GCM)" by McGrew and Viega.
const zeros = '0'.repeat(64)
const published = [
  { key: zeros, nonce: '0'.repeat(24), text: '', sealed: '', tag: '530f8afbc74536b9a963b4f1c4cb738b' },
  {
    key: zeros,
    nonce: '0'.repeat(24),
    text: '0'.repeat(32),
    sealed: 'cea7403d4d606b6e074ec5d3baf39d18',
    tag: 'd0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    key: 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
    nonce: 'cafebabefacedbaddecaf888',
    text: 'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255',
    sealed:
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad',
    tag: 'b094dac5d93471bdec1a502270e3cc6c',
  },
]

for (const [i, { key, nonce, text, sealed, tag }] of published.entries()) {
  test(`a short text is sealed as in the published test case ${13 + i}`, () => {
    const found = sealedWith(bytesOf(key), bytesOf(nonce), bytesOf(text))
    assert.equal(found.toString('hex'), nonce + sealed + tag)
  })
}

test('short texts of every length are sealed as Node seals them, with random keys and nonces', () => {
  for (let length = 0; length <= textBytesMax; length++) {
    const [key, nonce, text] = [crypto.randomBytes(32), crypto.randomBytes(nonceBytes), crypto.randomBytes(length)]
    assert.deepEqual(sealedWith(key, nonce, text), platformSeals(key, nonce, text), `${length} bytes`)
  }
})

test('what a key seals is opened by Node, whatever follows what', () => {
  const cipher = systemCipher()
  const key = cipher.newKey()
  const loaded = cipher.load(key)
  for (let i = 0; i < 400; i++) {
    const text = ['x', 'é', '€', '𝄞', '\ud800'][i % 5]!.repeat((i * 37) % 300)
    const sealed = loaded.seal(text)
    assert.equal(platformOpens(key, sealed), text.toWellFormed())
    assert.equal(loaded.open(sealed), text.toWellFormed())
  }
})

test('no nonce is used twice, and the same text looks different each time', () => {
  const cipher = systemCipher()
  const keys = [cipher.load(cipher.newKey()), cipher.load(cipher.newKey())]
  const nonces = new Set<string>()
  const texts = new Set<string>()
  for (let i = 0; i < 2000; i++) {
    const sealed = keys[i % 2]!.seal('a'.repeat(i % 90))
    nonces.add(sealed.slice(0, 16))
    texts.add(sealed.slice(16))
  }
  assert.deepEqual([nonces.size, texts.size], [2000, 2000])
})

test('a text that was changed in any byte, or sealed with another key, is not opened', () => {
  const cipher = systemCipher()
  const key = cipher.load(cipher.newKey())
  const sealed = key.seal('"ada@example.org"')
  assert.throws(() => cipher.load(cipher.newKey()).open(sealed))
  const bytes = Buffer.from(sealed, 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const other = Buffer.from(bytes)
    other[i]! ^= 1
    assert.throws(() => key.open(other.toString('base64url')), `byte ${i}`)
  }
})

test('more keys than can be ready take turns', () => {
  const cipher = systemCipher()
  const keys = Array.from({ length: 1100 }, () => cipher.load(cipher.newKey()))
  for (let turn = 0; turn < 2; turn++) {
    for (const [i, key] of keys.entries()) assert.equal(key.open(key.seal(`${turn} ${i}`)), `${turn} ${i}`)
  }
})

test('on a platform whose AES for single blocks is another one, the platform seals short texts too', (t) => {
  const { createCipheriv } = crypto
  const broken = {
    ...crypto,
    createCipheriv: (name: string, key: any, nonce: any) => {
      if (name === 'aes-256-ecb') return createCipheriv('aes-128-ecb', Buffer.alloc(16), null)
      return createCipheriv(name, key, nonce)
    },
  }
  t.mock.method(process, 'getBuiltinModule', () => broken)
  const cipher = systemCipher()
  const key = cipher.newKey()
  assert.equal(platformOpens(key, cipher.load(key).seal('Ada')), 'Ada')
})
