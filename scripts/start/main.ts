/** `npm start`. */
import process from 'node:process'
import { USAGE } from './options.ts'
import { start } from './start.ts'

process.exit(await start(process.argv.slice(2), USAGE))
