import type { WorkerEntry } from './directory.ts'

/** Addresses of the workers that may serve a model: those that have it, and those that do not say. */
export function workersFor(entries: readonly WorkerEntry[], model: string): string[] {
  return entries
    .filter(({ models }) => models === undefined || models.includes(model))
    .map(({ url }) => url)
}

/** The list begun at another place: one after the other becomes the first. */
export function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = items.length === 0 ? 0 : by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
