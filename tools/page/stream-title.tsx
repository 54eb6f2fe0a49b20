/** The name of a stream, and what can be done with a version of it. */
import { useSignal } from '@preact/signals'
import type { Stream } from './api.ts'
import { link } from './place.ts'
import { TestPanel } from './test-panel.tsx'

export function StreamTitle({ stream, sequence }: { readonly stream: Stream; readonly sequence: number }) {
  const { aggregate, id } = stream
  const isTesting = useSignal(false)
  return (
    <>
      <div class="title">
        <h2>
          {aggregate}/<b>{id}</b>
        </h2>
        <span class="actions">
          <button type="button" aria-expanded={isTesting.value} onClick={() => (isTesting.value = !isTesting.value)}>
            Copy as a test
          </button>
          <a class="action" href={link(['what-if', aggregate, id, String(sequence)])}>
            Try a command here
          </a>
        </span>
      </div>
      {isTesting.value && (
        <TestPanel
          question={{ aggregate, id, sequence, edits: [], commands: [] }}
          onClose={() => (isTesting.value = false)}
        />
      )}
    </>
  )
}
