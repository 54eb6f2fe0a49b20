/** `mneme-tools`: what a `mneme.config.ts` needs. The command line is the program `mneme`. */
export { type Config, defineConfig, type Served } from './config/config.ts'
export type { AnyDomain } from './inspection/index.ts'
