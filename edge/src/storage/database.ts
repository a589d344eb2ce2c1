/** What a column can hold. */
export type SqlValue = string | number | null

/** A small SQL database: D1 on Workers, SQLite in a file on Node. Both speak the same SQL. */
export interface Database {
  /** The rows of a query. `?` in the statement stand for the values, in order. */
  all(statement: string, ...values: SqlValue[]): Promise<unknown[]>
  /** Number of rows that a statement changed. */
  run(statement: string, ...values: SqlValue[]): Promise<number>
}

/** The part of a D1 binding that is needed here. */
export interface D1Binding {
  prepare(statement: string): {
    bind(...values: SqlValue[]): {
      all(): Promise<{ results: unknown[] }>
      run(): Promise<{ meta: { changes: number } }>
    }
  }
}

export function createD1Database(binding: D1Binding): Database {
  return {
    all: async (statement, ...values) =>
      (
        await binding
          .prepare(statement)
          .bind(...values)
          .all()
      ).results,
    run: async (statement, ...values) =>
      (
        await binding
          .prepare(statement)
          .bind(...values)
          .run()
      ).meta.changes,
  }
}

/** The part of Node's `DatabaseSync` that is needed here. */
export interface SqliteHandle {
  exec(statements: string): void
  prepare(statement: string): {
    all(...values: SqlValue[]): unknown[]
    run(...values: SqlValue[]): { changes: number | bigint }
  }
}

/** How often, and how many times, a file that another program holds locked is tried again: ten seconds in all. */
const BUSY_RETRY_MS = 50
const BUSY_RETRIES_MAX = 200

export function createSqliteDatabase(handle: SqliteHandle): Database {
  return {
    all: (statement, ...values) => patiently(() => handle.prepare(statement).all(...values)),
    run: (statement, ...values) =>
      patiently(() => Number(handle.prepare(statement).run(...values).changes)),
  }
}

/** SQLite itself would wait too, but with the whole process. */
async function patiently<T>(work: () => T): Promise<T> {
  for (let retries = 0; ; retries++) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || retries === BUSY_RETRIES_MAX) throw error
      await new Promise((resolve) => setTimeout(resolve, BUSY_RETRY_MS))
    }
  }
}

/** `SQLITE_BUSY`, in all of its forms. */
function isBusy(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'errcode') : undefined
  return typeof code === 'number' && (code & 0xff) === 5
}

/**
 * Brings a SQLite file up to date: applies those of `migrations`, in their order, that were not
 * applied before. `user_version` counts them. D1 has its own program for this.
 */
export function migrateSqlite(handle: SqliteHandle, migrations: readonly string[]): void {
  const [row] = handle.prepare('PRAGMA user_version').all() as { user_version: number }[]
  const applied = row?.user_version ?? 0
  if (applied > migrations.length) {
    throw new Error(`the database has ${applied} migrations, this version knows fewer`)
  }
  for (const [index, statements] of migrations.entries()) {
    if (index < applied) continue
    handle.exec(`BEGIN;\n${statements}\nPRAGMA user_version = ${index + 1};\nCOMMIT;`)
  }
}
