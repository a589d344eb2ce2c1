/**
 * Runs a command on a leash: `leash.ts GRACE_MS COMMAND [ARGUMENT ...]`, started as the leader of
 * its own process group. When its standard input ends, which it does however the owner died, the
 * whole group is ended; so nothing started here outlives who started it.
 */
import { spawn } from 'node:child_process'

const [graceMs, command = '', ...args] = process.argv.slice(2)
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })

let ending = false
function endGroup(): void {
  if (ending) return
  ending = true
  process.kill(-process.pid, 'SIGTERM')
  setTimeout(() => process.kill(-process.pid, 'SIGKILL'), Number(graceMs))
}

// The group's SIGTERM comes to its leader too, which stays to see the others go.
process.on('SIGTERM', endGroup)
process.on('SIGINT', endGroup)
process.stdin.on('close', endGroup).resume()

child.on('error', (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exit(127)
})
child.on('exit', (code, signal) => {
  // What the command itself left running goes with it.
  endGroup()
  process.exit(code ?? (signal === null ? 1 : 128))
})
