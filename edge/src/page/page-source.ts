/** One file of the built page. */
export interface PageFile {
  readonly body: Uint8Array<ArrayBuffer>
  /** The same, compressed, where the platform does not compress by itself. */
  readonly gzip?: Uint8Array<ArrayBuffer>
}

/** The built playground. Gives undefined for a file it does not have, and where it was not built. */
export interface PageSource {
  /** `index.html`, or `assets/` and a name made of letters, digits, `_`, `-` and dots. */
  read(this: void, file: string): Promise<PageFile | undefined>
}

/** Where the build puts the page among the assets. Ids of models do not begin like this. */
export const PAGE_FOLDER = '_playground'
