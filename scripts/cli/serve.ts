import { SERVE_USAGE } from '../start/options.ts'
import { start } from '../start/start.ts'
import type { Command } from './command.ts'

/** `npx setblock serve`: a worker and an edge with the models of these folders. */
export const serve: Command = {
  usage: SERVE_USAGE,
  run: (args) => start(args, SERVE_USAGE),
}
