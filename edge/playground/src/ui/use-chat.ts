import { useReducer, useRef } from 'preact/hooks'
import { generate } from '../api/generate.ts'
import { stepChat, toMessages } from '../state/chat.ts'
import type { Turn } from '../state/chat.ts'
import { isOver } from '../state/run.ts'
import { toBody } from '../state/settings.ts'
import type { Settings } from '../state/settings.ts'

export interface Chat {
  turns: readonly Turn[]
  busy: boolean
  send(this: void, prompt: string, settings: Settings): void
  stop(this: void): void
  clear(this: void): void
}

/** A conversation with one model: one answer at a time. */
export function useChat({ key, model }: { key: string; model: string }): Chat {
  const [turns, dispatch] = useReducer(stepChat, [])
  const controller = useRef<AbortController | undefined>(undefined)
  const last = turns.at(-1)

  async function run(prompt: string, settings: Settings): Promise<void> {
    const messages = toMessages(settings.remember ? turns : [], prompt)
    const body = toBody(settings, { model, messages })
    const { signal } = (controller.current = new AbortController())
    dispatch({ type: 'send', prompt, body })
    const onEvents = (events: Turn['events']) => dispatch({ type: 'events', events })
    const end = await generate({ key, body, signal, onEvents })
    if (end.how === 'failed') dispatch({ type: 'failed', failure: end.failure })
    else dispatch({ type: end.how })
  }
  return {
    turns,
    busy: last !== undefined && !isOver(last.run),
    send: (prompt, settings) => void run(prompt, settings),
    stop: () => controller.current?.abort(),
    clear: () => dispatch({ type: 'clear' }),
  }
}
