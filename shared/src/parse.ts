import type * as z from 'zod'
import { ApiError, type ErrorCode } from './errors.ts'

/**
 * Parses a value into the type of a schema.
 *
 * @throws ApiError with `code`, its `param` the dotted path of the first field at fault.
 */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: ErrorCode = 'invalid_request',
): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const param = issue === undefined ? undefined : fieldOf(issue)
  const reason = issue?.message ?? 'invalid value'
  throw new ApiError(code, param === undefined ? reason : `${param}: ${reason}`, { param })
}

/** `messages[0].content`-like path; an unknown key is itself the field at fault. */
function fieldOf(issue: z.core.$ZodIssue): string | undefined {
  const path = [...issue.path]
  if (issue.code === 'unrecognized_keys' && issue.keys[0] !== undefined) path.push(issue.keys[0])
  if (path.length === 0) return undefined
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${String(part)}`,
    )
    .join('')
}
