export interface Screen {
  readonly columns: number
  readonly rows: number
  readonly colour: boolean
}

/** What is read of an output; sizes are undefined for a pipe, and 0 where a terminal was not told its own. */
interface Output {
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  readonly isTTY?: boolean | undefined
}

/** The screen that an output is drawn on. */
export function readScreen(
  { columns, rows, isTTY }: Output,
  { NO_COLOR: noColour = '', TERM: terminal }: Readonly<Record<string, string | undefined>>,
): Screen {
  const known = (size: number | undefined, usual: number) =>
    size === undefined || size === 0 ? usual : size
  return {
    columns: known(columns, 80),
    rows: known(rows, 24),
    colour: isTTY === true && noColour === '' && terminal !== 'dumb',
  }
}
