/** Something the person at the terminal can put right. The message is one line and is all they see. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
