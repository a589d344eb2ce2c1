import type { TestContext } from 'node:test'

/**
 * Takes what undoes each thing that a test set up: run last first, each tried whatever another
 * does. Node's own `after` runs first first and leaves out the rest at the first failure, so a
 * process that still writes can outlive the folder it writes to, and then the test itself.
 */
export function undoAfter(t: TestContext): (undo: () => Promise<unknown>) => void {
  const undos: (() => Promise<unknown>)[] = []
  t.after(async () => {
    const failures: unknown[] = []
    for (const undo of undos.reverse()) {
      await undo().catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not all could be undone')
  })
  return (undo) => void undos.push(undo)
}
