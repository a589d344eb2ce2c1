/**
 * A model folder, checkpoint or graph that cannot be used. `subject` names what is wrong: a file, a
 * tensor or a field, and the message is one clear line that an operator can act on.
 */
export class ModelError extends Error {
  readonly subject: string
  readonly problem: string

  constructor(subject: string, problem: string, options?: { cause?: unknown }) {
    super(`${subject}: ${problem}`, options)
    this.name = 'ModelError'
    this.subject = subject
    this.problem = problem
  }
}
