/** Threads that answer one question after the other. They end with the program, however it ends. */
import { Worker } from 'node:worker_threads'

export interface Thread<Question, Answer> {
  /** Asks when the question before is answered. Fails if the thread ends. */
  readonly ask: (question: Question) => Promise<Answer>
  readonly end: () => Promise<unknown>
}

export interface ThreadOptions<Question> {
  /** Answers each message with one. */
  readonly file: URL
  readonly data?: unknown
  /** What a question is called if the thread ends. */
  readonly inWords: (question: Question) => string
}

export function startThread<Question, Answer>(options: ThreadOptions<Question>): Thread<Question, Answer> {
  const { file, data, inWords } = options
  const worker = new Worker(file, { workerData: data })
  let cause: unknown
  worker.on('error', (error) => {
    cause = error
  })
  const ask = (question: Question) =>
    new Promise<Answer>((resolve, reject) => {
      const fail = () => reject(new Error(`The thread has ended in the middle of ${inWords(question)}.`, { cause }))
      worker.once('exit', fail)
      worker.once('message', (answer: Answer) => {
        worker.off('exit', fail)
        resolve(answer)
      })
      worker.postMessage(question)
    })
  return { ask, end: () => worker.terminate() }
}
