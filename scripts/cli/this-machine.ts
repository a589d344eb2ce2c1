const LOOPBACK: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/** Whether a URL leads to this machine: what an instance here keeps to itself is sent to no other. */
export function isThisMachine(url: string): boolean {
  return URL.canParse(url) && LOOPBACK.includes(new URL(url).hostname)
}
