/** A line of things that wait: the first that came is taken first. */

/** So many empty places may stay. */
const emptyMax = 256

export class Line<Thing> {
  #things: (Thing | undefined)[] = []
  /** Where the first one is. */
  #from = 0

  get length(): number {
    return this.#things.length - this.#from
  }

  /** The first one, which stays. */
  get first(): Thing | undefined {
    return this.#things[this.#from]
  }

  add(thing: Thing): void {
    this.#things.push(thing)
  }

  /** Takes the first one. */
  take(): Thing | undefined {
    const thing = this.#things[this.#from]
    if (this.#from < this.#things.length) this.#things[this.#from++] = undefined
    // When most were taken, few have to be moved.
    if (this.#from >= emptyMax && this.#from * 2 >= this.#things.length) {
      this.#things = this.#things.slice(this.#from)
      this.#from = 0
    }
    return thing
  }
}
