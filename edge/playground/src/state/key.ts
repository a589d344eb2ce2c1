/** The key that a link carries behind `#key=`; fragments are never sent to a server. */
export function keyInFragment(hash: string): string | undefined {
  const key = new URLSearchParams(hash.replace(/^#/, '')).get('key')?.trim()
  return key === undefined || key === '' ? undefined : key
}

/** What is shown of a key: enough to tell two apart, too little to use. */
export function maskKey(key: string): string {
  return key.length > 12 ? `${key.slice(0, 3)}…${key.slice(-4)}` : '…'
}
