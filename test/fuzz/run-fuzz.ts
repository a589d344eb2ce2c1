import { Random } from '../faults/random.ts'
import { mutate } from './mutate.ts'

/** Something that reads bytes from outside. */
export interface Target {
  readonly name: string
  /** Inputs that it takes, for mutation to begin with. */
  readonly examples: readonly Uint8Array[]
  /**
   * Reads bytes as the product does. @returns whether it took them
   * @throws only what is no proper refusal: anything thrown is a finding.
   */
  readonly read: (bytes: Uint8Array) => boolean | Promise<boolean>
}

export interface Finding {
  readonly target: string
  /** Of the target: replays the input. */
  readonly index: number
  readonly reason: string
  readonly inputBase64: string
}

export interface TargetCounts {
  readonly cases: number
  readonly taken: number
  readonly refused: number
}

export interface FuzzReport {
  readonly counts: Readonly<Record<string, TargetCounts>>
  readonly findings: readonly Finding[]
}

const FINDINGS_MAX = 20

/** The same seed makes the same inputs, for each target on its own. */
export async function runFuzz(
  targets: readonly Target[],
  { casesEach, seed }: { casesEach: number; seed: number },
): Promise<FuzzReport> {
  const counts: Record<string, TargetCounts> = {}
  const findings: Finding[] = []
  for (const target of targets) {
    const random = new Random(seed)
    let taken = 0
    for (let index = 0; index < casesEach; index += 1) {
      const [example, other] = [random.pick(target.examples), random.pick(target.examples)]
      // The examples themselves come first: a target that takes none of them tests nothing.
      const bytes = target.examples[index] ?? mutate(example, other, random)
      const outcome = await tryRead(target, bytes)
      if (outcome === true) taken += 1
      if (typeof outcome === 'boolean' || findings.length >= FINDINGS_MAX) continue
      const inputBase64 = Buffer.from(bytes).toString('base64')
      findings.push({ target: target.name, index, reason: outcome, inputBase64 })
    }
    counts[target.name] = { cases: casesEach, taken, refused: casesEach - taken }
  }
  return { counts, findings }
}

/** Whether it was taken, or the reason why that is a finding. */
async function tryRead({ read }: Target, bytes: Uint8Array): Promise<boolean | string> {
  try {
    const taken = await read(bytes)
    const polluted = Object.keys(Object.prototype).concat(Object.keys(Array.prototype))
    return polluted.length === 0 ? taken : `the prototype has got ${polluted.join()}`
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}

const utf8 = new TextDecoder()
const encoder = new TextEncoder()

export const toText = (bytes: Uint8Array): string => utf8.decode(bytes)
export const toBytes = (text: string): Uint8Array => encoder.encode(text)
export const toJsonBytes = (value: unknown): Uint8Array => toBytes(JSON.stringify(value))

/** Runs a parser of which some errors are its way to refuse. */
export function takes(read: () => unknown, isRefusal: (error: unknown) => boolean): boolean {
  try {
    read()
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}
