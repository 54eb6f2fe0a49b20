/**
 * What the writer's thread runs. In this repository it is a file beside this one. The build puts the text of the whole
 * program in its place (`scripts/build.ts`): a package or a bundle that is a single file has no file beside it.
 */

/** A program's address, or its text. */
export const writerProgram: URL | string = new URL('./writer-thread.ts', import.meta.url)
