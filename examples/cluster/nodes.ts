/** The nodes of the demo as the demo sees them: their processes, the commands that it gives them, what they say. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ClusterStatus } from '../../src/cluster/index.ts'
import type { Asked, Said } from './node.ts'

type Command = Asked['command']

/** How a command ended for its caller. */
type Answer = (Said & { readonly say: 'answer' }) | 'the node ended'

export class DemoNode {
  readonly letter: string
  status: ClusterStatus | undefined
  hasEnded = false
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #asked = 0

  constructor(letter: string, args: readonly string[], onChange: () => void) {
    this.letter = letter
    const program = join(import.meta.dirname, 'node.ts')
    this.#process = fork(program, args, { serialization: 'advanced' })
    this.#process.on('message', (said: Said) => {
      if (said.say === 'answer') {
        this.#waiting.get(said.n)?.(said)
        this.#waiting.delete(said.n)
        return
      }
      this.status = said.status
      onChange()
    })
    this.#process.once('close', () => {
      for (const end of this.#waiting.values()) end('the node ended')
      this.#waiting.clear()
      this.hasEnded = true
      onChange()
    })
  }

  ask(command: Command): Promise<Answer> {
    const n = ++this.#asked
    return new Promise((resolve) => {
      this.#waiting.set(n, resolve)
      this.#process.send({ n, command } satisfies Asked, (error) => {
        if (error !== null) resolve('the node ended')
      })
    })
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const ended = once(this.#process, 'close')
    this.#process.kill(signal)
    await ended
  }
}

export class DemoNodes {
  readonly #args: readonly string[]
  #nodes: readonly DemoNode[] = []
  #onChange: () => void = () => {}

  constructor(args: readonly string[]) {
    this.#args = args
  }

  get all(): readonly DemoNode[] {
    return this.#nodes
  }

  /** A node that has started. */
  get random(): DemoNode {
    const started = this.#nodes.filter(({ status }) => status !== undefined)
    return started[Math.floor(Math.random() * started.length)]!
  }

  /** Starts nodes, and waits until all know of each other. */
  async start(...letters: readonly string[]): Promise<void> {
    const started = letters.map((letter) => new DemoNode(letter, this.#args, () => this.#onChange()))
    this.#nodes = [...this.#nodes, ...started]
    await this.#agreed()
  }

  /** Ends a node, and waits until the others know that. */
  async end(letter: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const node = this.#nodes.find((one) => one.letter === letter)!
    this.#nodes = this.#nodes.filter((one) => one !== node)
    await node.end(signal)
    await this.#agreed()
  }

  async endAll(): Promise<void> {
    for (const { letter } of this.#nodes) await this.end(letter, 'SIGTERM')
  }

  /** Waits until each node knows all nodes and no other. */
  async #agreed(): Promise<void> {
    const ids = () => this.#nodes.map(({ status }) => status?.self)
    const knowsAll = ({ status }: DemoNode) =>
      status?.members.length === this.#nodes.length && status.members.every(({ id }) => ids().includes(id))
    while (!this.#nodes.every(knowsAll)) {
      const lost = this.#nodes.find(({ hasEnded }) => hasEnded)
      if (lost !== undefined) throw new Error(`The node ${lost.letter} has ended by itself`)
      await new Promise<void>((resolve) => {
        this.#onChange = resolve
      })
    }
  }
}
