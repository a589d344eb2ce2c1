/** What `npx setblock <name>` runs. */
export interface Command {
  readonly usage: string
  /**
   * @returns the exit code.
   * @throws CliError with a line for the person.
   */
  run(this: void, args: readonly string[]): Promise<number>
}

/** A failure that one line explains; the command ends with exit code 1. */
export class CliError extends Error {
  override readonly name = 'CliError'
}
