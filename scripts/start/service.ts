import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { StartError } from './start-error.ts'

const leash = path.join(import.meta.dirname, 'leash.ts')
/** How long a service may take to leave before it is killed. */
const STOP_GRACE_MS = 5_000
const LAST_LINE_CHARACTERS_MAX = 300

export interface ServiceOptions {
  /** As messages call it, such as `the worker`. */
  readonly name: string
  /** Whether it should run until it is stopped, or do its work and exit. */
  readonly lives: boolean
  /** A program for this Node and its arguments. */
  readonly script: readonly string[]
  /** Added to our own environment. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Takes both outputs; emptied first. */
  readonly logFile: string
}

/** A running program and everything it started. */
export interface Service {
  readonly name: string
  readonly lives: boolean
  /** Settles when the program has exited, for whatever reason; never rejects. */
  readonly exited: Promise<void>
  /** Whether it has exited with code 0. */
  succeeded(): boolean
  /** The error that its exit amounts to, if nobody asked for it. */
  exitError(): StartError
  /** Ends the program and all it started; resolves when they are gone. */
  stop(): Promise<void>
  /** Ends them without asking. */
  kill(): void
}

/** Starts a program in a process group of its own, on a leash that its owner's death releases. */
export function startService(options: ServiceOptions): Service {
  const { name, lives, script, env, cwd, logFile } = options
  mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o700 })
  const log = openSync(logFile, 'w', 0o600)
  const args = [leash, String(STOP_GRACE_MS), process.execPath, ...script]
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['pipe', log, log],
  })
  closeSync(log)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      killGroup(child)
      resolve()
    })
    child.once('error', () => resolve())
  })
  return {
    name,
    lives,
    exited,
    succeeded: () => child.exitCode === 0,
    exitError: () => {
      const lastLine = readLastLine(logFile)
      const said = lastLine === '' ? '' : `: ${lastLine}`
      return new StartError(`${name} stopped (${exitReason(child)})${said} [log: ${logFile}]`)
    },
    stop: async () => {
      // Letting go of the leash is the order to stop; the leash sees to the rest, grace included.
      child.stdin?.end()
      await exited
    },
    kill: () => killGroup(child),
  }
}

function exitReason(child: ChildProcess): string {
  if (child.signalCode !== null) return `killed by ${child.signalCode}`
  return `exit code ${child.exitCode ?? 'unknown'}`
}

/** Ends whatever is left of the group; an empty one cannot be signalled, which is the aim. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function readLastLine(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return (lines.at(-1) ?? '').trim().slice(0, LAST_LINE_CHARACTERS_MAX)
}
