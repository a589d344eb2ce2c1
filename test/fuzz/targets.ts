import { edgeTargets } from './edge-targets.ts'
import type { Target } from './run-fuzz.ts'
import { sharedTargets } from './shared-targets.ts'
import { workerTargets } from './worker-targets.ts'

/** Every parser of the product that reads bytes from outside. */
export async function allTargets(): Promise<Target[]> {
  const groups = await Promise.all([sharedTargets(), edgeTargets(), workerTargets()])
  return groups.flat()
}
