import { useCallback, useEffect, useState, useSyncExternalStore } from 'react'
import type { GenerateOptions, Setblock } from '../client.ts'
import type { GenerationStream } from '../generation-stream.ts'
import type { GenerateRequest, GenerateSettings } from '../wire.ts'
import { GenerationStore, type GenerationState } from './generation-store.ts'

/** What `send` takes: a prompt, or a request that may leave out what the hook was given. */
export type SendRequest =
  | string
  | (Partial<GenerateSettings> & Pick<GenerateRequest, 'prompt' | 'messages'>)

export interface UseSetBlock extends GenerationState {
  /** Begins a generation and aborts the one before. A text is sent as a user's message. */
  send(this: void, request: SendRequest, options?: GenerateOptions): GenerationStream
  /** Aborts; what was received stays. */
  stop(this: void): void
}

/**
 * A generation as the state of a component. It is aborted when the component goes. All of the state is of one moment:
 * it comes from an external store, so concurrent rendering cannot mix two.
 */
export function useSetBlock(client: Setblock, settings: GenerateSettings): UseSetBlock {
  const [store] = useState(() => new GenerationStore())
  const state = useSyncExternalStore(store.subscribe, store.getState, store.getServerState)
  useEffect(() => () => store.stop(), [store])

  const send = useCallback(
    (request: SendRequest, options?: GenerateOptions) =>
      store.send(client, toRequest(request, settings), options),
    // A settings object written in place is new in every render, and its values are what matters.
    [store, client, JSON.stringify(settings)],
  )
  const stop = useCallback(() => store.stop(), [store])
  return { ...state, send, stop }
}

function toRequest(request: SendRequest, settings: GenerateSettings): GenerateRequest {
  if (typeof request === 'string') {
    return { ...settings, messages: [{ role: 'user', content: request }] }
  }
  return { ...settings, ...request } as GenerateRequest
}
