import assert from 'node:assert/strict'
import { readJsonSchema } from '../grammar/json-schema.ts'
import { JsonState } from '../grammar/json-state.ts'

const utf8 = new TextEncoder()
/** Random bytes that are tried before all that may come are looked up. */
const GUESSES = 8

export function startOf(schema: unknown): JsonState {
  return JsonState.start(readJsonSchema(JSON.stringify(schema)))
}

/** Whether a text may come from there, to its end. */
export function takes(start: JsonState, text: string): boolean {
  let state: JsonState | undefined = start
  for (const byte of utf8.encode(text)) state = state?.step(byte)
  return state?.mayEnd ?? false
}

/** Whether the rule of a schema takes a text from its first byte to its end. */
export function accepts(schema: unknown, text: string): boolean {
  return takes(startOf(schema), text)
}

export function check(
  schema: unknown,
  { valid, invalid }: { valid: readonly string[]; invalid: readonly string[] },
): void {
  for (const text of valid) assert.ok(accepts(schema, text), `${JSON.stringify(schema)}: ${text}`)
  for (const text of invalid)
    assert.ok(!accepts(schema, text), `${JSON.stringify(schema)}: not ${text}`)
}

/** A text of `wander` random bytes that may come, then of the nearest way to an end. */
export function randomText(start: JsonState, random: () => number, wander: number): string {
  const bytes: number[] = []
  for (let state = start; !state.mustEnd;) {
    const nearing = bytes.length >= wander
    if (state.mayEnd && (nearing || random() % 8 === 0)) break
    const [byte, next] = nearing ? nearestStep(state) : randomStep(state, random)
    assert.ok(!nearing || state.least > next.least, 'no byte leads nearer to an end')
    bytes.push(byte)
    state = next
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes))
}

type Step = [byte: number, next: JsonState]

function nearestStep(state: JsonState): Step {
  const [nearest] = stepsOf(state).toSorted(([, a], [, b]) => a.least - b.least)
  return nearest ?? assert.fail('nothing may follow')
}

function randomStep(state: JsonState, random: () => number): Step {
  for (let tries = 0; tries < GUESSES; tries += 1) {
    const byte = random() % 256
    const next = state.step(byte)
    if (next !== undefined) return [byte, next]
  }
  const steps = stepsOf(state)
  return steps[random() % steps.length] ?? assert.fail('nothing may follow')
}

/** The bytes that may follow, and where they lead. */
export function stepsOf(state: JsonState): Step[] {
  return Array.from({ length: 256 }, (_, byte) => byte).flatMap((byte) => {
    const next = state.step(byte)
    return next === undefined ? [] : [[byte, next] as Step]
  })
}
