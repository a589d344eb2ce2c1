import type { WorkerDirectory, WorkerEntry } from './directory.ts'
import type { DnsName } from './worker-sources.ts'

/** The lookups used here, as node:dns has them. Each rejects where there is no such record. */
export interface DnsLookups {
  resolve4(name: string): Promise<string[]>
  resolve6(name: string): Promise<string[]>
  resolveSrv(name: string): Promise<{ name: string; port: number }[]>
}

/**
 * The workers behind a DNS name, such as a headless service of Kubernetes. Looked up again when the
 * answer is older than `refreshMs`, behind the back of requests, which go on with the last answer;
 * that one also stays where a lookup fails, since a name server's silence is no worker's end.
 */
export function createDnsDirectory(
  name: DnsName,
  options: {
    resolver: DnsLookups
    refreshMs: number
    clock: () => number
    onFailure: (error: unknown) => void
  },
): WorkerDirectory {
  const { resolver, refreshMs, clock, onFailure } = options
  let entries: readonly WorkerEntry[] | undefined
  let askedAt = Number.NEGATIVE_INFINITY
  let asking: Promise<void> | undefined

  async function refresh(): Promise<void> {
    askedAt = clock()
    try {
      entries = await lookUp(name, resolver)
    } catch (error) {
      onFailure(error)
      if (entries === undefined) throw error
    } finally {
      asking = undefined
    }
  }
  return {
    async list() {
      if (clock() - askedAt >= refreshMs || entries === undefined) asking ??= refresh()
      if (entries === undefined) await asking
      return entries ?? []
    },
  }
}

/** Sorted, so that the same workers are the same list. */
async function lookUp(name: DnsName, resolver: DnsLookups): Promise<WorkerEntry[]> {
  const hosts =
    name.record === 'srv' ? await services(name, resolver) : await addresses(name, resolver)
  const urls = new Set(hosts.map((host) => new URL(`${name.scheme}://${host}`).origin))
  return [...urls].sort().map((url) => ({ url }))
}

async function services({ host }: DnsName, resolver: DnsLookups): Promise<string[]> {
  const records = await resolver.resolveSrv(host)
  return records.map((record) => `${record.name}:${record.port}`)
}

/** A name may have addresses of one family only; none of either is a failure. */
async function addresses({ host, port }: DnsName, resolver: DnsLookups): Promise<string[]> {
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  if (four.status === 'rejected' && six.status === 'rejected') throw four.reason
  const fours = four.status === 'fulfilled' ? four.value : []
  const sixes = six.status === 'fulfilled' ? six.value : []
  return [...fours, ...sixes.map((address) => `[${address}]`)].map((each) => `${each}:${port}`)
}
