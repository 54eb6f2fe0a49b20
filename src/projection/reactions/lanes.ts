/**
 * Which of many tasks may begin, if several are done at once. They are given in an order, and have keys: a task may
 * begin when all tasks before it that hold one of its keys are done. Of those that may begin, the first one does.
 */

/** What a task holds until it is done, and what it waits for. */
export interface Keys {
  readonly holds: readonly string[]
  /** The same, and perhaps others. */
  readonly waitsFor: readonly string[]
}

interface Entry<Task> {
  readonly task: Task
  readonly place: number
  readonly holds: readonly string[]
  /** How many tasks it waits for. */
  waits: number
  /** Those that wait for it. */
  readonly followers: Entry<Task>[]
}

export class Lanes<Task extends object> {
  readonly #entries = new Map<Task, Entry<Task>>()
  /** The last task that holds a key, and is not done. */
  readonly #last = new Map<string, Entry<Task>>()
  /** Those that may begin, in their order. */
  readonly #ready: Entry<Task>[] = []
  #places = 0

  /** Whether some task may begin. */
  get hasNext(): boolean {
    return this.#ready.length > 0
  }

  /** Adds a task behind all others. */
  add(task: Task, { holds, waitsFor }: Keys): void {
    const entry: Entry<Task> = { task, place: this.#places++, holds, waits: 0, followers: [] }
    this.#entries.set(task, entry)
    for (const before of new Set(waitsFor.map((key) => this.#last.get(key)))) {
      if (before === undefined) continue
      before.followers.push(entry)
      entry.waits++
    }
    for (const key of holds) this.#last.set(key, entry)
    if (entry.waits === 0) this.#ready.push(entry)
  }

  /** Takes the first task that may begin. */
  next(): Task | undefined {
    return this.#ready.shift()?.task
  }

  /** A task that was taken is done: those that waited for it alone may begin. */
  done(task: Task): void {
    const entry = this.#entries.get(task)
    if (entry === undefined) return
    this.#entries.delete(task)
    for (const key of entry.holds) if (this.#last.get(key) === entry) this.#last.delete(key)
    for (const follower of entry.followers) {
      if (--follower.waits === 0) this.#makeReady(follower)
    }
  }

  /** Forgets all tasks. */
  clear(): void {
    this.#entries.clear()
    this.#last.clear()
    this.#ready.length = 0
  }

  #makeReady(entry: Entry<Task>): void {
    let index = this.#ready.length
    while (index > 0 && this.#ready[index - 1]!.place > entry.place) index--
    this.#ready.splice(index, 0, entry)
  }
}
