/** `mneme dev`: the user's code with the studio, started again when a file changes. */
export { supervise } from './supervise.ts'
