import * as z from 'zod'
import type { EdgeLimits } from '../limits.ts'
import type { ObjectState, ObjectStorage } from '../storage/durable-object.ts'
import { StreamHub } from './stream-hub.ts'
import type { StoredAnswer } from './run.ts'

/** Characters of one stored piece: a value may have 2 MiB, and a character up to two bytes. */
const PIECE_CHARACTERS = 512 * 1024
const HEAD = 'head'
const pieceName = (index: number): string => `piece-${String(index).padStart(4, '0')}`

const headSchema = z.object({
  place: z.string(),
  owner: z.string(),
  digest: z.string(),
  head: z.object({ status: z.int(), contentType: z.string() }),
  expiresAt: z.int(),
  pieces: z.int().min(0),
})

/**
 * The hub of a Durable Object: it holds one answer, in memory while it runs, and in the object's
 * storage once it has ended well, until its time is over.
 */
export function createStoredHub(
  state: ObjectState,
  { clock, limits }: { clock: () => number; limits: EdgeLimits },
): StreamHub {
  const hub = new StreamHub({
    clock,
    limits,
    onDone: (answer) => state.waitUntil(save(state.storage, answer)),
    onDrop: () => state.waitUntil(state.storage.deleteAll()),
  })
  void state.blockConcurrencyWhile(async () => {
    const answer = await load(state.storage)
    if (answer !== undefined) hub.restore(answer)
  })
  return hub
}

async function save(storage: ObjectStorage, answer: StoredAnswer): Promise<void> {
  const { frames, ...head } = answer
  const text = JSON.stringify(frames)
  const pieces = Math.ceil(text.length / PIECE_CHARACTERS)
  for (let index = 0; index < pieces; index++) {
    const piece = text.slice(index * PIECE_CHARACTERS, (index + 1) * PIECE_CHARACTERS)
    await storage.put(pieceName(index), piece)
  }
  await storage.put(HEAD, { ...head, pieces })
  await storage.setAlarm(answer.expiresAt)
}

async function load(storage: ObjectStorage): Promise<StoredAnswer | undefined> {
  const found = headSchema.safeParse(await storage.get(HEAD))
  if (!found.success) return undefined
  const { pieces, ...head } = found.data
  let text = ''
  for (let index = 0; index < pieces; index++) text += String(await storage.get(pieceName(index)))
  return { ...head, frames: z.array(z.string()).parse(JSON.parse(text)) }
}
