import { Template } from '@huggingface/jinja'
import { ApiError } from '@setblock/shared'
import type { TextTokenizer } from './text-tokenizer.ts'

/** One turn of a conversation, as the template sees it. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** Renders a conversation to token ids, ending where the assistant's answer begins. */
export type ChatEncoder = (messages: readonly ChatMessage[]) => number[]

// Stands in for a message's content while the template is rendered. Only the template's own text
// surrounds it, and contents are never part of what is split, so no content can forge one.
const PLACEHOLDER = /\uE000(\d+)\uE001/

/**
 * Compiles a model's `chat_template` (Jinja).
 *
 * The template is rendered with a placeholder for every content. Its own parts are encoded with
 * special tokens, the contents as plain text, so a user who writes `<|end|>` ends no turn. The
 * price: a template that looks into contents sees the placeholder.
 */
export function createChatEncoder(options: {
  template: string
  tokenizer: TextTokenizer
  /** Names such as `bos_token` that templates refer to. */
  variables: Readonly<Record<string, unknown>>
}): ChatEncoder {
  const { tokenizer, variables } = options
  const template = new Template(options.template)

  return (messages) => {
    const placed = messages.map(({ role }, index) => ({
      role,
      content: `\uE000${index}\uE001`,
    }))
    let rendered: string
    try {
      rendered = template.render({ ...variables, messages: placed, add_generation_prompt: true })
    } catch (cause) {
      throw new ApiError('invalid_request', 'the model has no form for this conversation', {
        param: 'messages',
        cause,
      })
    }
    // Splitting at a pattern with one group alternates template text and message indices.
    return rendered.split(PLACEHOLDER).flatMap((part, index) => {
      const content = index % 2 === 1 ? messages[Number(part)]?.content : undefined
      return content === undefined ? tokenizer.encodeTemplate(part) : tokenizer.encodeText(content)
    })
  }
}
