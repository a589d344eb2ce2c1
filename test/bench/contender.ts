/** One greedy generation that every engine is asked for in the same token ids. */
export interface Request {
  readonly tokenIds: readonly number[]
  readonly maxTokens: number
  readonly stopTokenIds: readonly number[]
}

export interface Generation {
  /** The stop token included. */
  readonly tokenIds: readonly number[]
  /** From the request to the first token. */
  readonly ttftMs: number
  /** From the request to the last token. */
  readonly wallMs: number
}

/** An engine in one of its settings. One request at a time. */
export interface Contender<Result extends Generation = Generation> {
  readonly name: string
  generate(request: Request): Promise<Result>
}
