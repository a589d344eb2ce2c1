import { ApiError } from '@setblock/shared'
import type { GrammarPlace } from '../decoding/grammar-place.ts'
import { JsonState } from './json-state.ts'
import { SchemaRules } from './schema-rules.ts'
import { TokenPlace } from './token-place.ts'
import { Vocabulary } from './vocabulary.ts'

/** The grammars of one model. */
export class Grammars {
  readonly #vocabulary: Vocabulary | Error
  readonly #rules = new SchemaRules()

  /** Reads the model's tokenizer file. Where it cannot be used there is no grammar, and all else goes on. */
  constructor(tokenizerFile: string) {
    try {
      this.#vocabulary = Vocabulary.load(tokenizerFile)
    } catch (error) {
      this.#vocabulary = error as Error
    }
  }

  /**
   * The place before the first token of a text that must be JSON which the schema accepts.
   * @throws ApiError invalid_request naming the place in the schema; unsupported_parameter if the model's vocabulary does
   * not allow it.
   */
  open(jsonSchema: string): GrammarPlace {
    const vocabulary = this.#vocabulary
    if (vocabulary instanceof Error) {
      const text = 'grammar: needs a model with a byte-level vocabulary'
      throw new ApiError('unsupported_parameter', text, { param: 'grammar', cause: vocabulary })
    }
    const rule = this.#rules.read(jsonSchema)
    // The automaton is each job's own: it grows with the text, and goes when the job does.
    return new TokenPlace(vocabulary, JsonState.start(rule))
  }
}
