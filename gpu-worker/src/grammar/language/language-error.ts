/** What is wrong with a pattern or a format, to be told with its place. */
export class LanguageError extends Error {
  override readonly name = 'LanguageError'
}
