/** Marks in objects that are no properties: neither copied, nor compared, nor seen by anybody else. */

/**
 * Gives back the object that it is to be: a class that extends it adds its private fields to an object that there is
 * already.
 */
export class Another {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is what it is for
    return object
  }
}
