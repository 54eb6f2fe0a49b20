/**
 * The order of values, as texts. Two values are in the order of their texts, by the codes of their characters. The
 * texts are ASCII, so every store has them in the same order, whatever its collation. Both a sort in memory and the
 * entries of an index use them, so both give the same order.
 *
 * First comes a missing value (`undefined` and `null` are the same), then booleans, numbers, bigints, texts, dates, and
 * everything else. Numbers are ordered by size, NaN last, and -0 is 0. Texts are ordered by code point, dates by time,
 * invalid dates last. Records, lists, Maps and Sets have no order among themselves.
 *
 * A text is as short as it can be, because it may be stored: of a long text only the first `unitsMax` units count.
 */

/** The UTF-16 units of a text that count for its order. */
export const unitsMax = 100
/** The digits of a bigint that count, beside their number. */
const digitsMax = 100
const digitsOfLength = 7
/** The end of a part. It sorts before every unit of a text. */
const end = '\u0002'
/** Sorts after every text that continues here. */
export const afterAll = '\u007f'

const kinds = { missing: '0', boolean: '1', number: '2', bigint: '3', text: '4', date: '5', other: '6' } as const

/** The order of a value among all values. No such text is the beginning of another one. */
export function orderKey(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return kinds.missing
    case 'boolean':
      return kinds.boolean + (value ? '1' : '0')
    case 'number':
      return kinds.number + ofNumber(value)
    case 'bigint':
      return kinds.bigint + ofBigint(value)
    case 'string':
      return kinds.text + ofText(value.slice(0, unitsMax)) + end
    default:
      if (value === null) return kinds.missing
      return value instanceof Date ? kinds.date + ofNumber(value.getTime()) : kinds.other
  }
}

/** The order of a row's key. Long keys that begin alike are told apart by a digest. */
export function orderKeyOfRow(key: string): string {
  const start = ofText(key.slice(0, unitsMax)) + end
  return key.length <= unitsMax ? start : `${start.slice(0, -1)}${longKeyMark}${digestOf(key)}${end}`
}

/** It sorts after every unit, so a longer key comes after one that ends here. */
const longKeyMark = '~~'

/** Whether a text may be the order of a value. */
export const isOrderKey = (text: string): boolean => valueForm.test(text)

/** Whether a text may be the order of a row's key. */
export const isOrderKeyOfRow = (text: string): boolean => rowForm.test(text)

/** The texts of all texts with this beginning begin with this one, as far as units count. */
export const orderKeyOfStart = (start: string): string => kinds.text + ofText(start.slice(0, unitsMax))

/** Compares texts by code point: negative, 0 or positive. */
export function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (left !== right) return inOrder(left) - inOrder(right)
  }
  return a.length - b.length
}

const surrogatesFrom = 0xd800
const afterSurrogates = 0xe000
const surrogates = afterSurrogates - surrogatesFrom
const unitMost = 0xffff

/** UTF-16 has the surrogates before the last units of the basic plane. By code point they come after them. */
function inOrder(unit: number): number {
  if (unit < surrogatesFrom) return unit
  return unit < afterSurrogates ? unit + (unitMost + 1 - afterSurrogates) : unit - surrogates
}

const bits = new DataView(new ArrayBuffer(8))

function ofNumber(number: number): string {
  if (Number.isNaN(number)) return '~'
  bits.setFloat64(0, number === 0 ? 0 : number)
  const raw = bits.getBigUint64(0)
  const isNegative = raw >> 63n === 1n
  return (isNegative ? ~raw & 0xffff_ffff_ffff_ffffn : raw | (1n << 63n)).toString(16).padStart(16, '0')
}

function ofBigint(number: bigint): string {
  const digits = `${number < 0n ? -number : number}`
  const text = `${String(digits.length).padStart(digitsOfLength, '0')}${digits.slice(0, digitsMax)}${end}`
  return number < 0n ? `0${[...text].map(complement).join('')}` : `1${text}`
}

/** Turns the order of digits round. The end of a negative number sorts after its digits. */
const complement = (digit: string): string => (digit === end ? afterAll : String(9 - Number(digit)))

/** Printable ASCII stands for itself. What comes before it gets a mark before, what comes after it gets one behind. */
function ofText(text: string): string {
  if (plain.test(text)) return text
  let made = ''
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < firstPlain) made += `\u0003${String.fromCharCode(unit + 0x40)}`
    else if (unit < wideMark) made += text[i]
    else made += `~${ofUnit(inOrder(unit))}`
  }
  return made
}

const unitForm = '(?:[ -}]|\\x03[@-_]|~[-0-9A-Z_a-z]{3})'
const bigintForm = `1\\d{${digitsOfLength}}\\d{1,${digitsMax}}${end}|0\\d{${digitsOfLength}}\\d{1,${digitsMax}}${afterAll}`
const valueForm = new RegExp(
  `^(?:0|1[01]|[25](?:~|[0-9a-f]{16})|3(?:${bigintForm})|4${unitForm}{0,${unitsMax}}${end}|6)$`,
)
const rowForm = new RegExp(`^${unitForm}{1,${unitsMax}}(?:~~[0-9a-z]{22})?${end}$`)

const firstPlain = 0x20
const wideMark = 0x7e
const plain = /^[ -}]*$/
/** 64 characters in the order of their codes. */
const alphabet = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'

const ofUnit = (unit: number): string => alphabet[unit >> 12]! + alphabet[(unit >> 6) & 63]! + alphabet[unit & 63]!

/** 106 bits of a text: two runs of a hash whose parts are mixed (cyrb53). */
function digestOf(text: string): string {
  return [0, 1].map((seed) => hash(text, seed).toString(36).padStart(11, '0')).join('')
}

function hash(text: string, seed: number): number {
  let [a, b] = [0xdeadbeef ^ seed, 0x41c6ce57 ^ seed]
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return 4294967296 * (2097151 & b) + (a >>> 0)
}
