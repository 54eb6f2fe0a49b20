/** The program that opens a file store, says whether it could, and keeps it until it is killed. */
import { MnemeError } from '../../src/index.ts'
import { file } from '../../src/store/file/index.ts'
import { listen, say as sayAnything } from '../../src/testing/crash/told-program.ts'

/** What became of the opening. */
export type FromHolder = { readonly opened: true } | { readonly code: string; readonly message: string }

const say = (message: FromHolder): void => sayAnything(message)

async function hold(path: string): Promise<void> {
  try {
    await file(path).open({ warn: () => {}, now: Date.now })
    say({ opened: true })
  } catch (error) {
    if (!(error instanceof MnemeError)) throw error
    say({ code: error.code, message: error.message })
  }
}

listen(({ path }: { readonly path: string }) => void hold(path))
