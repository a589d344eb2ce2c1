import { Template } from '@huggingface/jinja'
import { ApiError } from '@setblock/shared'
import type { TextTokenizer } from './text-tokenizer.ts'

/** One turn of a conversation, as the template sees it. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant'
  content: string
}

/** Renders conversations to token ids. */
export interface ChatEncoder {
  /** A whole conversation, ending where the assistant's answer begins. */
  (messages: readonly ChatMessage[]): number[]
  /**
   * Messages that follow an answer of the assistant. `turnEndIds` close that answer; a generated
   * one may have brought some of them along.
   */
  following(messages: readonly ChatMessage[]): { turnEndIds: number[]; tokenIds: number[] }
}

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

  function render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    const placed = messages.map(({ role }, index) => ({
      role,
      content: `\uE000${index}\uE001`,
    }))
    try {
      return template.render({
        ...variables,
        messages: placed,
        add_generation_prompt: addGenerationPrompt,
      })
    } catch (cause) {
      throw noForm(cause)
    }
  }

  // Splitting at a pattern with one group alternates template text and message indices.
  const encode = (rendered: string, messages: readonly ChatMessage[]): number[] =>
    rendered.split(PLACEHOLDER).flatMap((part, index) => {
      const content = index % 2 === 1 ? messages[Number(part)]?.content : undefined
      return content === undefined ? tokenizer.encodeTemplate(part) : tokenizer.encodeText(content)
    })

  function following(messages: readonly ChatMessage[]) {
    const all = [...EARLIER, ...messages]
    const [end, whole] = [render(EARLIER, false), render(all, true)].map(afterEarlier)
    if (end === undefined || whole?.startsWith(end) !== true) {
      throw noForm(new Error('the template words a turn differently when others follow'))
    }
    return {
      turnEndIds: tokenizer.encodeTemplate(end),
      tokenIds: encode(whole.slice(end.length), all),
    }
  }

  return Object.assign(
    (messages: readonly ChatMessage[]) => encode(render(messages, true), messages),
    { following },
  )
}

/** Stands for the history that messages follow; what is rendered of it is cut off again. */
const EARLIER: readonly ChatMessage[] = [
  { role: 'user', content: '' },
  { role: 'assistant', content: '' },
]

/** What a template writes behind the earlier answer's content; undefined if it drops the answer. */
function afterEarlier(rendered: string): string | undefined {
  const mark = `\uE000${EARLIER.length - 1}\uE001`
  const at = rendered.indexOf(mark)
  return at === -1 ? undefined : rendered.slice(at + mark.length)
}

function noForm(cause: unknown): ApiError {
  return new ApiError('invalid_request', 'the model has no form for this conversation', {
    param: 'messages',
    cause,
  })
}
