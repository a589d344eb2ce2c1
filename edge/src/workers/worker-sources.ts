import * as z from 'zod'

/** What one entry of `GPU_WORKERS` says about where workers are. */
export type WorkerSource =
  | { readonly kind: 'static'; readonly url: string }
  | { readonly kind: 'dns'; readonly name: DnsName }
  /** Workers announce themselves. */
  | { readonly kind: 'registry' }

/** A name whose records are workers. */
export interface DnsName {
  /** `address`: A and AAAA, all on one port. `srv`: names and ports. */
  readonly record: 'address' | 'srv'
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
}

const DEFAULT_PORT = { http: 80, https: 443 } as const

const staticUrl = z
  .url({ protocol: /^https?$/ })
  .transform((url) => ({ kind: 'static' as const, url: url.replace(/\/+$/, '') }))

const dnsUrl = z
  .string()
  .regex(/^(dns|srv)\+https?:\/\/[\w.-]+(:\d{1,5})?\/?$/)
  .transform((text) => {
    const [, kind, scheme, host = '', port] =
      /^(dns|srv)\+(https?):\/\/([\w.-]+)(?::(\d+))?/.exec(text) ?? []
    const known = scheme === 'https' ? 'https' : 'http'
    const name: DnsName = {
      record: kind === 'srv' ? 'srv' : 'address',
      scheme: known,
      host,
      port: port === undefined ? DEFAULT_PORT[known] : Number(port),
    }
    return { kind: 'dns' as const, name }
  })

const registry = z.literal('registry').transform(() => ({ kind: 'registry' as const }))

/** One entry of `GPU_WORKERS`. */
export const workerSourceSchema: z.ZodType<WorkerSource, string> = z.union(
  [registry, dnsUrl, staticUrl],
  {
    error:
      'must be http(s) URLs separated by commas, dns+http(s)://NAME:PORT, srv+http(s)://NAME, or registry',
  },
)
