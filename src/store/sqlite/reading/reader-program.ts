/**
 * The program of a thread that reads. In this repository it is a file beside this one. The build replaces it by the
 * text of the whole program (`scripts/package.ts`), because a package or bundle of a single file has no file beside it.
 */

/** The address of a program, or its text. */
export const readerProgram: URL | string = new URL('./reader-thread.ts', import.meta.url)
