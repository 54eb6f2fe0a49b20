/**
 * Texts on a socket. A frame is the length of its text (4 bytes), a proof (16 bytes) and the text. The proof is made of
 * the key of the link, the direction and the number of the frame. So nobody without the secret can make, change, leave
 * out or repeat a frame. Frames are not encrypted.
 *
 * The first frame of each side is empty: it only shows that the side has the secret. Before it, a reader takes nothing
 * else, so a stranger cannot fill its memory.
 */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

/** The longest text, in bytes. */
const textBytesMax = 1024 * 1024
const proofBytes = 16
const headBytes = 4 + proofBytes

/** Which side sends. */
export type Side = 'client' | 'server'

function proofOf(key: KeyObject, side: Side, number: number, text: Buffer): Buffer {
  return createHmac('sha256', key).update(`${side} ${number} `).update(text).digest().subarray(0, proofBytes)
}

export class FrameWriter {
  readonly #key: KeyObject
  readonly #side: Side
  #number = 0

  constructor(key: KeyObject, side: Side) {
    this.#key = key
    this.#side = side
  }

  /** The bytes of a text. @throws RangeError if it is too long */
  frame(text: string): Buffer {
    const length = Buffer.byteLength(text)
    if (length > textBytesMax) throw new RangeError(`A text of ${length} bytes is too long for a link`)
    const frame = Buffer.allocUnsafe(headBytes + length)
    frame.writeUInt32BE(length)
    frame.write(text, headBytes)
    proofOf(this.#key, this.#side, this.#number++, frame.subarray(headBytes)).copy(frame, 4)
    return frame
  }
}

export class FrameReader {
  readonly #key: KeyObject
  readonly #side: Side
  #number = 0
  #chunks: Buffer[] = []
  #size = 0
  /** The bytes that have to be there before something can be read. */
  #needed = headBytes

  /** @param side the side that sends */
  constructor(key: KeyObject, side: Side) {
    this.#key = key
    this.#side = side
  }

  /** The texts that are complete with some more bytes. @throws Error if a frame is not from the other side */
  read(bytes: Buffer): readonly string[] {
    this.#chunks.push(bytes)
    this.#size += bytes.length
    if (this.#size < this.#needed) return []
    let all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    const texts: string[] = []
    this.#needed = headBytes
    while (all.length >= headBytes) {
      const length = all.readUInt32BE(0)
      if (length > (this.#number === 0 ? 0 : textBytesMax)) throw new Error('A frame is too long')
      this.#needed = headBytes + length
      if (all.length < this.#needed) break
      const body = all.subarray(headBytes, this.#needed)
      if (!timingSafeEqual(proofOf(this.#key, this.#side, this.#number++, body), all.subarray(4, headBytes))) {
        throw new Error('A frame has a wrong proof: the other side has another secret, or somebody changed the frame')
      }
      texts.push(body.toString())
      all = all.subarray(this.#needed)
      this.#needed = headBytes
    }
    this.#chunks = all.length === 0 ? [] : [all]
    this.#size = all.length
    return texts
  }
}
