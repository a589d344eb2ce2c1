/** Largest safetensors header accepted, in bytes; a 100-layer model needs about 100 kB. */
export const SAFETENSORS_HEADER_BYTES_MAX = 16 * 1024 * 1024

/**
 * Largest graph file written, in bytes: protobuf readers stop at 2 GiB; larger models need external
 * data.
 */
export const GRAPH_BYTES_MAX = 1_000_000_000

/** Largest JSON file read from a model folder, in bytes. */
export const JSON_BYTES_MAX = 1024 * 1024
