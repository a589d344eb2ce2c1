import { ApiError } from '@setblock/shared'

const RUN_CHARACTERS = 8

/**
 * Numbers the events of one answer from 1, by an `id` line in front: `<run>-<n>`. The run, taken
 * from the answer's id, tells two runs of the same request apart.
 */
export function createNumbering(answerId: string): (frame: string) => string {
  const run = answerId.replaceAll(/\W/g, '').slice(-RUN_CHARACTERS)
  let count = 0
  return (frame) => `id: ${run}-${++count}\n${frame}`
}

/** Where a reader wants to go on: behind event `number` of `run`. */
export interface EventPosition {
  readonly run: string
  readonly number: number
}

/** Reads `Last-Event-ID`. Throws invalid_request if it is none of ours. */
export function readEventId(header: string): EventPosition {
  const [, run, number] = /^(\w{1,8})-(\d{1,9})$/.exec(header) ?? []
  if (run === undefined) {
    throw new ApiError('invalid_request', 'last-event-id: this is no id of an event', {
      param: 'last-event-id',
    })
  }
  return { run, number: Number(number) }
}
