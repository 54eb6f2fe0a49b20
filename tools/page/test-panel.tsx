/** A version, or another world, as a given/when/then test that can be copied into a file. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Json, TestQuestion, TestView, WorldQuestion } from '../src/studio/views.ts'
import { api } from './api.ts'
import { Failure } from './parts.tsx'
import { JsonField } from './schema-form.tsx'

interface Props {
  readonly question: WorldQuestion
  readonly onClose: () => void
}

/** Both texts are asked for at once, because a browser lets a page copy only in the moment of a click. */
interface Texts {
  readonly same: TestView
  readonly different: TestView
}

export function TestPanel({ question, onClose }: Props) {
  const texts = useSignal<Texts | undefined>(undefined)
  const copied = useSignal<TestView | undefined>(undefined)
  const isOnClipboard = useSignal(false)
  const failure = useSignal<string | undefined>(undefined)
  useEffect(() => {
    const ending = new AbortController()
    const { signal } = ending
    texts.value = undefined
    copied.value = undefined
    failure.value = undefined
    const read = async () => {
      const ask = (expectation: TestQuestion['expectation']) => api.test({ ...question, expectation }, signal)
      const [same, different] = await Promise.all([ask('same'), ask('different')])
      texts.value = { same, different }
    }
    // While somebody moves the slider, tests of each version would be in vain.
    const timer = setTimeout(
      () =>
        read().catch((error: Error) => {
          if (!signal.aborted) failure.value = error.message
        }),
      150,
    )
    return () => {
      clearTimeout(timer)
      ending.abort()
    }
  }, [JSON.stringify(question)])
  const copy = async (test: TestView) => {
    isOnClipboard.value = await navigator.clipboard.writeText(test.text).then(
      () => true,
      () => false,
    )
    copied.value = test
  }
  const isReady = texts.value !== undefined
  const what = texts.value?.same.command ?? (isReady ? 'the state' : '...')
  return (
    <div class="panel test">
      <h3>
        A test of {what}
        <button type="button" class="close" aria-label="Close" onClick={onClose}>
          ×
        </button>
      </h3>
      {failure.value !== undefined && <Failure message={failure.value} />}
      <p class="bar">
        <button type="button" class="main" disabled={!isReady} onClick={() => copy(texts.value!.different)}>
          It is wrong: copy a failing test
        </button>
        <button type="button" disabled={!isReady} onClick={() => copy(texts.value!.same)}>
          It is right: copy a passing test
        </button>
      </p>
      {isReady && texts.value!.same.state !== undefined && (
        <OtherState key={JSON.stringify(question)} question={question} state={texts.value!.same.state} onTest={copy} />
      )}
      {copied.value !== undefined && (
        <p role="status">
          {isOnClipboard.value
            ? 'It is on the clipboard.'
            : 'The browser does not let it be copied: take it from here.'}{' '}
          <span class="faint">
            Save it as <code>{copied.value.file}</code> and run it with <code>node --test</code>.
          </span>
        </p>
      )}
      {isReady && <Text text={(copied.value ?? texts.value!.different).text} />}
    </div>
  )
}

/** A field, so that it can be reached, selected and scrolled by keys. */
const Text = ({ text }: { readonly text: string }) => (
  <textarea
    readOnly
    class="source"
    aria-label="The test"
    spellcheck={false}
    rows={Math.min(30, text.split('\n').length)}
    value={text}
  />
)

/** For somebody who knows which state there should be. */
function OtherState({
  question,
  state,
  onTest,
}: {
  readonly question: WorldQuestion
  readonly state: Json
  readonly onTest: (test: TestView) => Promise<void>
}) {
  const draft = useSignal(state)
  const test = useSignal<TestView | undefined>(undefined)
  const failure = useSignal<string | undefined>(undefined)
  useEffect(() => {
    const ending = new AbortController()
    test.value = undefined
    const asked = { ...question, expectation: 'same', state: draft.value } as const
    api.test(asked, ending.signal).then(
      (answer) => {
        test.value = answer
        failure.value = undefined
      },
      (error: Error) => {
        if (!ending.signal.aborted) failure.value = error.message
      },
    )
    return () => ending.abort()
  }, [draft.value])
  return (
    <details>
      <summary>The state should be another one</summary>
      <JsonField
        label="The state that should be"
        value={draft.value}
        onChange={(after) => {
          draft.value = after
        }}
      />
      {failure.value !== undefined && <Failure message={failure.value} />}
      <button type="button" disabled={test.value === undefined} onClick={() => onTest(test.value!)}>
        Copy a test of this state
      </button>
    </details>
  )
}
