import type { ObjectNamespace } from '../storage/durable-object.ts'
import type { StreamHub } from './stream-hub.ts'

/**
 * Where answers that can be read again live. On Node in this process; on Workers each in a Durable
 * Object of its own, which runs this same app: requests for it are passed on.
 */
export type StreamHomes =
  | {
      readonly kind: 'here'
      readonly hub: StreamHub
      /** The place chosen by whoever passed the request on; nothing a client sends gets here. */
      readonly placeHeader: string | undefined
    }
  | { readonly kind: 'elsewhere'; send(place: string, request: Request): Promise<Response> }

/** In which the edge tells a stream's object the place it stands for. */
export const PLACE_HEADER = 'x-setblock-place'

export function createObjectHomes(namespace: ObjectNamespace): StreamHomes {
  return {
    kind: 'elsewhere',
    send(place, request) {
      const headers = new Headers(request.headers)
      headers.set(PLACE_HEADER, place)
      const stub = namespace.get(namespace.idFromName(place))
      return stub.fetch(new Request(request, { headers }))
    },
  }
}
