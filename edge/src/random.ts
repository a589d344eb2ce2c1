import type { EdgeDeps } from './deps.ts'

/** Ids and seeds from the platform's own source of randomness. */
export const platformRandom: EdgeDeps['random'] = {
  id: () => crypto.randomUUID().replaceAll('-', ''),
  seed: () => crypto.getRandomValues(new Uint32Array(1))[0] as number,
}
