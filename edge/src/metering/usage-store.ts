import * as z from 'zod'
import type { Database } from '../storage/database.ts'

export const DAY_MS = 24 * 3600 * 1000

/** What one admitted request came to. Never any text. */
export interface UsageRecord {
  readonly id: string
  /** Unix milliseconds. */
  readonly at: number
  readonly tenant: string
  readonly keyId: string
  readonly model: string
  readonly mode: string
  /** `done`, how a stream was lost, or the code of an error. */
  readonly status: string
  readonly promptTokens: number
  readonly completionTokens: number
  readonly forwards: number
  readonly durationMs: number
}

export interface UsageStore {
  record(record: UsageRecord): Promise<void>
  /** Days of one tenant with at least one request, oldest first; `from` to before `to`. */
  days(span: { tenant: string; from: number; to: number }): Promise<UsageDay[]>
  /** Tokens of a key since a moment. */
  tokensSince(keyId: string, from: number): Promise<number>
  /** Deletes the oldest records from before a moment, so many at most. Returns how many. */
  forget(before: number, recordsMax: number): Promise<number>
}

const totalsSchema = z.object({
  requests: z.int(),
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  forwards: z.int(),
})
const daySchema = totalsSchema.extend({ date: z.iso.date() })
export type UsageTotals = z.infer<typeof totalsSchema>
export type UsageDay = z.infer<typeof daySchema>

/** Query of `GET /v1/usage`: days in UTC, both inclusive; by default the current month. */
export const usageQuerySchema = z.strictObject({
  from: z.iso.date().optional(),
  to: z.iso.date().optional(),
})

/** The answer to `GET /v1/usage`. */
export const usageSummarySchema = z.object({
  object: z.literal('usage'),
  tenant: z.string(),
  from: z.iso.date(),
  to: z.iso.date(),
  totals: totalsSchema,
  days: z.array(daySchema),
})

export function createUsageStore(database: Database): UsageStore {
  return {
    async record(record) {
      await database.run(
        `INSERT INTO usage_records (id, at, tenant, key_id, model, mode, status, prompt_tokens,
          completion_tokens, forwards, duration_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        record.id,
        record.at,
        record.tenant,
        record.keyId,
        record.model,
        record.mode,
        record.status,
        record.promptTokens,
        record.completionTokens,
        record.forwards,
        Math.round(record.durationMs),
      )
    },
    async days({ tenant, from, to }) {
      const rows = await database.all(
        `SELECT date(at / 1000, 'unixepoch') AS date, count(*) AS requests,
          sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
          sum(forwards) AS forwards
        FROM usage_records WHERE tenant = ? AND at >= ? AND at < ? GROUP BY date ORDER BY date`,
        tenant,
        from,
        to,
      )
      return rows.map((row) => daySchema.parse(row))
    },
    async tokensSince(keyId, from) {
      const [row] = await database.all(
        `SELECT coalesce(sum(prompt_tokens + completion_tokens), 0) AS tokens
        FROM usage_records WHERE key_id = ? AND at >= ?`,
        keyId,
        from,
      )
      return z.object({ tokens: z.int() }).parse(row).tokens
    },
    forget: (before, recordsMax) =>
      database.run(
        `DELETE FROM usage_records WHERE rowid IN
          (SELECT rowid FROM usage_records WHERE at < ? ORDER BY at LIMIT ?)`,
        before,
        recordsMax,
      ),
  }
}

export function sumDays(days: readonly UsageDay[]): UsageTotals {
  const totals: UsageTotals = { requests: 0, prompt_tokens: 0, completion_tokens: 0, forwards: 0 }
  for (const day of days) {
    totals.requests += day.requests
    totals.prompt_tokens += day.prompt_tokens
    totals.completion_tokens += day.completion_tokens
    totals.forwards += day.forwards
  }
  return totals
}
