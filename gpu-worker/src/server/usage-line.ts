/** What is wrong with a command line, without the advice that Node's parser adds. */
export function usageLine(error: unknown): string {
  const [sentence] = (error as Error).message.split(/\. |\n/)
  return `${sentence}.`
}
