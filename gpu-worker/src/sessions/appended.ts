/** The history, what it lacks of the end of a turn, and the new turn. */
export function appended(
  history: readonly number[],
  turnEndIds: readonly number[],
  tokenIds: readonly number[],
): number[] {
  const endsIn = (count: number): boolean =>
    turnEndIds.slice(0, count).every((id, index) => id === history[history.length - count + index])
  let present =
    history.length === 0 ? turnEndIds.length : Math.min(turnEndIds.length, history.length)
  while (present > 0 && history.length > 0 && !endsIn(present)) present -= 1
  return [...history, ...turnEndIds.slice(present), ...tokenIds]
}
