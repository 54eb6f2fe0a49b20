/**
 * Lets two copies of this package in one process recognise each other's objects. Each copy has its own classes, so
 * `instanceof` checks a mark instead of the class. For subclasses, `instanceof` works as usual.
 */

/** The mark of a kind. It is the same in every copy. */
const markOf = (kind: string): symbol => Symbol.for(`mneme ${kind}`)

/**
 * Makes `instanceof` of a class true for objects from another copy of the package too.
 *
 * @param kind the name of the kind; with a number if different versions must not recognise each other
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
