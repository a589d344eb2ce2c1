/**
 * Which hosts a worker may announce itself from: `host` (any port) or `host:port`, where `*` stands
 * for a run of characters without a dot. An announcement is signed, but whoever leaks the secret
 * shall not be able to point the edge at the inside of its network.
 */
export const HOST_PATTERN = /^(?:[a-z0-9*](?:[a-z0-9*.-]*)|\[[0-9a-f:.]+\])(?::(?:\d{1,5}|\*))?$/

/** Whether one of the patterns allows the origin `url`. */
export function isHostAllowed(patterns: readonly string[], url: string): boolean {
  const { hostname, port, protocol } = new URL(url)
  const ownPort = port === '' ? (protocol === 'https:' ? '443' : '80') : port
  return patterns.some((pattern) => {
    const [, host = '', wantedPort = '*'] = /^(\[.*\]|[^:]*)(?::(.+))?$/.exec(pattern) ?? []
    return matches(host, hostname) && (wantedPort === '*' || wantedPort === ownPort)
  })
}

/** Label by label from the front, without a regular expression made of what somebody configured. */
function matches(pattern: string, host: string): boolean {
  const wanted = pattern.split('.')
  const labels = host.split('.')
  if (wanted.length !== labels.length) return false
  return wanted.every((part, index) => matchesLabel(part, labels[index] ?? ''))
}

function matchesLabel(pattern: string, label: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === label
  if (!label.startsWith(first)) return false
  const last = rest.at(-1) ?? ''
  let at = first.length
  for (const piece of rest.slice(0, -1)) {
    const found = label.indexOf(piece, at)
    if (found === -1) return false
    at = found + piece.length
  }
  return label.length - last.length >= at && label.endsWith(last)
}
