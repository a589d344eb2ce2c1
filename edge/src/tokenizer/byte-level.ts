/**
 * The byte-level alphabet of GPT-2: vocabularies of this kind write each byte of a token as one
 * printable character. Printable Latin-1 bytes stand for themselves, the 68 others for the
 * characters from U+0100 on, in byte order.
 */
const bytesByCharacter: ReadonlyMap<string, number> = buildAlphabet()

function buildAlphabet(): Map<string, number> {
  const alphabet = new Map<string, number>()
  let substitutes = 0
  for (let byte = 0; byte < 256; byte++) {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad)
    const codePoint = printable ? byte : 0x100 + substitutes++
    alphabet.set(String.fromCodePoint(codePoint), byte)
  }
  return alphabet
}

/** The bytes a byte-level token stands for. Throws for a character outside the alphabet. */
export function tokenToBytes(token: string): Uint8Array {
  return Uint8Array.from(token, (character) => {
    const byte = bytesByCharacter.get(character)
    if (byte === undefined) throw new Error('not a byte-level token')
    return byte
  })
}
