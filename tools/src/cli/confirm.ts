/** Asks before something is lost for ever. Who cannot be asked has to say `--yes`. */
import { createInterface } from 'node:readline/promises'
import { ToolsError } from '../errors.ts'

/** Where the question is asked: the standard error output, because results go to the other one. */
export interface Asking {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
}

const terminal: Asking = { input: process.stdin, output: process.stderr }

/**
 * Goes on if somebody agrees.
 *
 * @param isAgreed whether `--yes` was given
 * @throws ToolsError `NOT_CONFIRMED`; the reason of the signal
 */
export async function confirm(
  question: string,
  isAgreed: boolean,
  signal: AbortSignal,
  { input, output }: Asking = terminal,
): Promise<void> {
  if (isAgreed) return
  if (!input.isTTY || !output.isTTY) {
    throw new ToolsError('NOT_CONFIRMED', `${question} Nobody can be asked`, { advice: 'Give --yes to do it' })
  }
  const lines = createInterface({ input, output })
  // A terminal in raw mode sends an interrupt to the one who reads.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const closed = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)))
  try {
    const asked = lines.question(`${question} [y/N] `, { signal }).catch((error: Error) => {
      signal.throwIfAborted()
      // Ctrl+D.
      if (error.name !== 'AbortError') throw error
    })
    const answer = await Promise.race([asked, closed])
    if (answer === undefined) output.write('\n')
    else if (/^y(es)?$/i.test(answer.trim())) return
  } finally {
    lines.close()
  }
  throw new ToolsError('NOT_CONFIRMED', 'It was not confirmed, and nothing was done')
}
