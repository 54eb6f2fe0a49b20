/**
 * The program of the writer's thread. In this repository it is a file beside this one. The build replaces it by the
 * text of the whole program (`scripts/build.ts`), because a package or bundle of a single file has no file beside it.
 */

/** The address of a program, or its text. */
export const writerProgram: URL | string = new URL('./writer-thread.ts', import.meta.url)
