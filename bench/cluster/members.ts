/** Members in processes of their own, beside a member in this one. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Setting } from '../setting.ts'
import type { MeasuredBank } from './domain.ts'
import type { Drive, DriveOrder, MemberOrder } from './member.ts'

export class MemberProcess {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start({ store, directory, url }: Setting, place: string, isMember = true): Promise<MemberProcess> {
    const order: MemberOrder = { store, directory, ...(url !== undefined && { url }), place, isMember }
    const child = fork(join(import.meta.dirname, 'member.ts'), [JSON.stringify(order)])
    await once(child, 'message')
    return new MemberProcess(child)
  }

  /** Lets it give commands to the cluster. */
  async drive(order: DriveOrder): Promise<Drive> {
    this.#child.send(order)
    const [done] = (await once(this.#child, 'message')) as [Drive]
    return done
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Lets it leave the cluster, as in a deployment. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }
}

/** Waits until a member knows so many, all of which it hears. */
export async function agreed(bank: MeasuredBank, count: number): Promise<void> {
  const knowsAll = () => {
    const { members } = bank.cluster.status()
    return members.length === count && members.every(({ isHeard }) => isHeard)
  }
  while (!knowsAll()) await new Promise((resolve) => setTimeout(resolve, 20))
}
