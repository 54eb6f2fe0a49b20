/** Marks objects without adding a property. Other code cannot see, copy or compare the mark. */

/** A class that extends this adds its private fields to an existing object: the constructor returns that object. */
export class Another {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: returning the object is the purpose of this class
    return object
  }
}
