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

export function createSqliteDatabase(handle: SqliteHandle): Database {
  return {
    all: async (statement, ...values) => handle.prepare(statement).all(...values),
    run: async (statement, ...values) => Number(handle.prepare(statement).run(...values).changes),
  }
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
