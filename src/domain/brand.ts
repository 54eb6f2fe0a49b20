/**
 * Marks by which two copies of this package in one process know each other's things: `instanceof` asks for the mark
 * instead of for the class, of which each copy has its own. A class that somebody derives from one of these is still
 * known by itself.
 */

/** The mark that all things of a kind have, in every copy. */
const markOf = (kind: string): symbol => Symbol.for(`mneme ${kind}`)

/**
 * Lets `instanceof` of a class be true for what another copy of it has made.
 *
 * @param kind what it is called; with a number where copies of different versions must not meet
 */
export function brand(branded: abstract new (...args: never) => object, kind: string): void {
  const mark = markOf(kind)
  Object.defineProperty(branded.prototype, mark, { value: true })
  Object.defineProperty(branded, Symbol.hasInstance, {
    value(this: unknown, candidate: unknown): boolean {
      if (this !== branded) return Function.prototype[Symbol.hasInstance].call(this, candidate)
      return typeof candidate === 'object' && candidate !== null && mark in candidate
    },
  })
}
