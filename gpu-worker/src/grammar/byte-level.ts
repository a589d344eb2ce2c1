/**
 * Byte-level BPE writes each byte as a printable character: those that are printable in Latin-1 as themselves, the
 * others as the code points from 256 on, in order (the scheme of GPT-2's tokenizer).
 */
const BYTE_OF: ReadonlyMap<string, number> = new Map(byteCharacters())

function byteCharacters(): [string, number][] {
  const isPrintable = (byte: number): boolean =>
    (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
  let shifted = 256
  return Array.from({ length: 256 }, (_, byte) => [
    String.fromCharCode(isPrintable(byte) ? byte : shifted++),
    byte,
  ])
}

/** The bytes that a token of a byte-level vocabulary stands for; undefined if it is none. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = Array.from(token, (character) => BYTE_OF.get(character))
  return bytes.includes(undefined) ? undefined : Uint8Array.from(bytes as number[])
}
