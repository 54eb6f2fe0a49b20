/** What is to happen, in the order of its time: a binary heap. */

/** Something that happens once, at a time. */
export interface Entry {
  /** In microseconds since the simulation began. */
  at: number
  /** Decides between entries of the same time. */
  readonly tie: number
  readonly label: string
  readonly run: () => void
  /** Whose it is: nothing of a dead process happens, and what is a frozen one's happens later. */
  readonly owner: Owner | undefined
  isCancelled: boolean
}

/** A process, as far as the agenda goes. */
export interface Owner {
  readonly isDead: boolean
  /** Until when nothing of it happens, in microseconds. */
  readonly frozenUntil: number
}

export class Agenda {
  readonly #heap: Entry[] = []

  get size(): number {
    return this.#heap.length
  }

  add(entry: Entry): void {
    const heap = this.#heap
    let place = heap.push(entry) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = entry
  }

  /** Takes the first entry out. */
  take(): Entry | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = last
    return first
  }
}

const isBefore = (a: Entry, b: Entry): boolean => (a.at === b.at ? a.tie < b.tie : a.at < b.at)
