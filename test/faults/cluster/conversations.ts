import type { Ask } from './stream-client.ts'
import { readStream } from './stream-client.ts'

/** What a client says in a session, turn by turn, and how it wants to be answered. */
export interface Conversation {
  readonly mode: 'ntp' | 'verified' | 'sbd'
  readonly turns: readonly string[]
}

/** What an undisturbed worker answers to a turn. */
export interface Expected {
  readonly text: string
  /** Tokens of the whole session after the turn. */
  readonly tokens: number
}

const OPENINGS = [
  'Tell me a short story about a fox, a boat and a lamp that shines over the quiet water.',
  '[order] Please send 3 hats, 12 pears to Ada, Paris. Delivery: Monday.',
  '[sort] pear apple fig melon cherry plum',
  'Once there was a small dog who lived by the sea and wanted to see the other side.',
  '[order] Please send 7 lamps, 2 books to Tom, Rome. Delivery: Friday.',
  'Tell me about a girl who found a red stone in the garden behind her house.',
]
const FOLLOWING = ['And what happened then?', 'Tell me more about that day.', 'How did it end?']
const MODES = ['verified', 'ntp', 'sbd'] as const

/** Every opening in every mode, with the same questions behind it. */
export const CONVERSATIONS: readonly Conversation[] = OPENINGS.flatMap((opening) =>
  MODES.map((mode) => ({ mode, turns: [opening, ...FOLLOWING] })),
)

const TURN_TOKENS = 40

export interface TurnOptions {
  /** Undefined: no session, and only the first turn makes sense. */
  readonly session?: string
  readonly turn: number
}

/** The body that asks for a turn. */
export function bodyOf({ mode, turns }: Conversation, { session, turn }: TurnOptions): object {
  return {
    model: 'setblock-nano',
    mode,
    max_tokens: TURN_TOKENS,
    stream: true,
    messages: [{ role: 'user', content: turns[turn]! }],
    ...(session !== undefined && { session, append: turn > 0 }),
  }
}

/** Holds the first so many conversations once on a service that nothing disturbs. */
export async function answerAll(
  service: { url: string; key: string },
  count: number,
): Promise<Expected[][]> {
  const all: Expected[][] = []
  for (const [index, conversation] of CONVERSATIONS.slice(0, count).entries()) {
    const session = `expected-${index}`
    const answers: Expected[] = []
    for (const turn of conversation.turns.keys()) {
      const body = bodyOf(conversation, { session, turn })
      const ask: Ask = { ...service, path: '/v1/generate', body }
      const seen = await readStream(ask, () => false)
      if (seen.terminals[0]?.kind !== 'end') throw new Error('an undisturbed turn did not end')
      answers.push({ text: seen.text, tokens: await tokensOf(service, session) })
    }
    all.push(answers)
  }
  return all
}

async function tokensOf({ url, key }: { url: string; key: string }, id: string): Promise<number> {
  const headers = { authorization: `Bearer ${key}` }
  const response = await fetch(`${url}/v1/sessions/${id}`, { headers })
  return ((await response.json()) as { tokens: number }).tokens
}
