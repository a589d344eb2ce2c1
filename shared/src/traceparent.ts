/** A place in a distributed trace, as W3C Trace Context's `traceparent` header tells it. */
export interface TracePlace {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string
  /** 1 if whoever is above records the trace. */
  readonly traceFlags: number
}

const PATTERN = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Undefined for a header that says nothing: a wrong one must start a new trace, not fail a request. */
export function parseTraceparent(header: string | undefined): TracePlace | undefined {
  const [, version, traceId, spanId, flags, more] = PATTERN.exec(header ?? '') ?? []
  if (version === undefined || traceId === undefined || spanId === undefined) return undefined
  // Version ff is forbidden, and version 00 has nothing behind the flags.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags!, 16) & 1 }
}

export function formatTraceparent({ traceId, spanId, traceFlags }: TracePlace): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`
}
