/**
 * Messages of the server as it sends them, because `EventSource` cannot send the token in a header. As that does, it
 * connects again after the last message when the connection ends or breaks.
 */
import { asked } from './token.ts'

const pauseMs = 2_000

/** Calls back with the data of each message. @returns a function that ends that */
export function listen(path: string, onData: (data: string) => void, onState: (isOpen: boolean) => void): () => void {
  const left = new AbortController()
  const { signal } = left
  const follow = async () => {
    for (let last = ''; !signal.aborted; ) {
      try {
        const headers = { accept: 'text/event-stream', ...(last !== '' && { 'last-event-id': last }) }
        const response = await asked(path, { headers, signal })
        if (response.ok) onState(true)
        for await (const { id, data } of messagesOf(response)) {
          onData(data)
          last = id
        }
      } catch {
        // It has broken, or the page does not listen any more.
      }
      if (signal.aborted) return
      onState(false)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
  void follow()
  return () => left.abort()
}

interface Message {
  readonly id: string
  readonly data: string
}

/** The messages of an answer; none of one that refuses. A message that is cut off is left out. */
async function* messagesOf({ ok, body }: Response): AsyncGenerator<Message, void, void> {
  if (!ok || body === null) return
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  for (let text = ''; ; ) {
    const { done, value } = await reader.read()
    if (done) return
    const parts = (text + value).split('\n\n')
    text = parts.pop()!
    for (const part of parts) {
      const message = /^id: (.*)\ndata: (.*)$/s.exec(part)
      if (message !== null) yield { id: message[1]!, data: message[2]! }
    }
  }
}
