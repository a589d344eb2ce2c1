import { ApiError } from './errors.ts'

/**
 * The answer to a request with more than one `Host`, which may mean one server to a proxy in front and another one here
 * (RFC 9112, section 3.2: 400); undefined for any other request. `rawHeaders` are names and values in turn, as they came.
 */
export function refuseTwoHosts(rawHeaders: readonly string[]): Response | undefined {
  const hosts = rawHeaders.filter(
    (text, index) => index % 2 === 0 && text.toLowerCase() === 'host',
  ).length
  if (hosts < 2) return undefined
  const error = new ApiError('invalid_request', 'host: must be sent once', { param: 'host' })
  // Whatever follows on this connection may not be what it seems.
  return Response.json(error.toEnvelope(), {
    status: error.status,
    headers: { connection: 'close' },
  })
}
