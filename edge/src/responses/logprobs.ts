import type { TextTokenizer } from '../tokenizer/text-tokenizer.ts'
import type { TextToken } from '../text/text-events.ts'

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A token in words; one that is no text by itself is spelled `\xe2\x80`, byte by byte. */
interface Spelling {
  token: string
  whole: boolean
  /** Null for control tokens, which stand for no bytes. */
  bytes: number[] | null
}

function spell(tokenizer: TextTokenizer, id: number): Spelling {
  const bytes = tokenizer.bytesOf(id)
  if (bytes.length === 0) return { token: tokenizer.nameOf(id), whole: true, bytes: null }
  try {
    return { token: strictUtf8.decode(bytes), whole: true, bytes: [...bytes] }
  } catch {
    const hex = [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
    return { token: hex.join(''), whole: false, bytes: [...bytes] }
  }
}

/** `choices[].logprobs` of chat completions. */
export function toChatLogprobs(tokenizer: TextTokenizer, tokens: readonly TextToken[]) {
  const entry = (id: number, logprob: number) => {
    const { token, bytes } = spell(tokenizer, id)
    return { token, logprob, bytes }
  }
  return {
    content: tokens.map(({ id, logprobs }) => ({
      ...entry(id, logprobs.logprob),
      top_logprobs: logprobs.top.map((top) => entry(top.tokenId, top.logprob)),
    })),
    refusal: null,
  }
}

/** `choices[].logprobs` of completions: parallel lists, offsets in the text of the choice. */
export function toCompletionLogprobs(tokenizer: TextTokenizer, tokens: readonly TextToken[]) {
  const name = (id: number) => {
    const { token, whole } = spell(tokenizer, id)
    return whole ? token : `bytes:${token}`
  }
  return {
    tokens: tokens.map(({ id }) => name(id)),
    token_logprobs: tokens.map(({ logprobs }) => logprobs.logprob),
    top_logprobs: tokens.map(({ logprobs }) =>
      Object.fromEntries(logprobs.top.map(({ tokenId, logprob }) => [name(tokenId), logprob])),
    ),
    text_offset: tokens.map(({ offset }) => offset),
  }
}

/** The same facts as they ride on a reveal of the native form. */
export function toRevealLogprobs(
  tokenizer: TextTokenizer,
  { logprob, top }: TextToken['logprobs'],
) {
  return {
    logprob,
    top_logprobs: top.map((entry) => ({
      id: entry.tokenId,
      text: spell(tokenizer, entry.tokenId).token,
      logprob: entry.logprob,
    })),
  }
}
