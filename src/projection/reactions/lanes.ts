/**
 * Decides which of many tasks may begin, if several run at once. Tasks come in an order, and have keys. A task may
 * begin when all tasks before it that hold one of its keys are done. Of the tasks that may begin, the first one begins.
 */

/** The keys that a task holds until it is done, and the keys that it waits for. */
export interface Keys {
  readonly holds: readonly string[]
  /** The same keys, and perhaps more. */
  readonly waitsFor: readonly string[]
}

interface Entry<Task> {
  readonly task: Task
  readonly place: number
  readonly holds: readonly string[]
  /** The number of tasks that it waits for. */
  waits: number
  /** The tasks that wait for it. */
  readonly followers: Entry<Task>[]
}

export class Lanes<Task extends object> {
  readonly #entries = new Map<Task, Entry<Task>>()
  /** The last unfinished task that holds a key, by key. */
  readonly #last = new Map<string, Entry<Task>>()
  /** The tasks that may begin, in order. */
  readonly #ready: Entry<Task>[] = []
  #places = 0

  /** Whether some task may begin. */
  get hasNext(): boolean {
    return this.#ready.length > 0
  }

  /** Adds a task after all others. */
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

  /** Notes that a task is done. Tasks that waited only for it may begin. */
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
