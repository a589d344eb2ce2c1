import type { Alphabet } from './alphabet.ts'
import { LanguageError } from './language-error.ts'
import type { Term, Terms, WorkBudget } from './terms.ts'

/** Entries of the table of one language: states times letters. */
const CELLS_MAX = 100_000
const STATES_MAX = 0xffff

/** A language as a table: from each state each letter leads to one. The start is state 0. */
export interface Automaton {
  readonly letterCount: number
  /** By state * letterCount + letter. */
  readonly next: Uint16Array
  readonly accepts: readonly boolean[]
}

/** @throws LanguageError if it would have too many states. */
export function explore(
  terms: Terms,
  start: Term,
  { letterCount }: Alphabet,
  budget: WorkBudget,
): Automaton {
  const states = new Map<Term, number>([[start, 0]])
  const next: number[] = []
  // What is added meanwhile is visited too.
  for (const term of states.keys()) {
    budget.spend(letterCount)
    for (let letter = 0; letter < letterCount; letter += 1) {
      const target = terms.behind(term, letter)
      const state = states.get(target) ?? states.size
      states.set(target, state)
      next.push(state)
    }
    if (next.length > CELLS_MAX || states.size > STATES_MAX) {
      throw new LanguageError('pattern, format and length together have too many states')
    }
  }
  const accepts = Array.from(states.keys(), (term) => terms.nullable(term))
  return { letterCount, next: Uint16Array.from(next), accepts }
}

/**
 * For every state the least sum of `weights` (whole numbers from 1, by letter) that leads to a state that accepts;
 * infinite where none can be reached.
 */
export function distances(automaton: Automaton, weights: readonly number[]): Float64Array {
  const { letterCount, accepts } = automaton
  const found = new Float64Array(accepts.length).fill(Number.POSITIVE_INFINITY)
  const before = edgesBackwards(automaton)
  // States by their distance, the nearest first (Dial's form of Dijkstra's algorithm).
  const near: number[][] = [[...accepts.keys()].filter((state) => accepts[state])]
  for (let distance = 0; distance < near.length; distance += 1) {
    for (const state of near[distance] ?? []) {
      if ((found[state] as number) <= distance) continue
      found[state] = distance
      for (const edge of before(state)) {
        const from = Math.floor(edge / letterCount)
        const length = distance + (weights[edge % letterCount] as number)
        if (length < (found[from] as number)) (near[length] ??= []).push(from)
      }
    }
  }
  return found
}

/** The edges (state * letterCount + letter) that lead to a state. */
function edgesBackwards({ next, accepts }: Automaton): (state: number) => Uint32Array {
  const starts = new Uint32Array(accepts.length + 1)
  for (const target of next) starts[target + 1]! += 1
  for (let state = 0; state < accepts.length; state += 1) starts[state + 1]! += starts[state]!
  const edges = new Uint32Array(next.length)
  const filled = starts.slice()
  for (const [edge, target] of next.entries()) edges[filled[target]!++] = edge
  return (state) => edges.subarray(starts[state], starts[state + 1])
}
