/** Largest safetensors header accepted, in bytes; a 100-layer model needs about 100 kB. */
export const SAFETENSORS_HEADER_BYTES_MAX = 16 * 1024 * 1024

/**
 * Weights up to this size, in bytes, lie in the graph file; larger ones beside it, as external
 * data that the runtime maps into memory. Protobuf readers stop at 2 GiB.
 */
export const GRAPH_INLINE_BYTES_MAX = 256 * 1024 * 1024

/**
 * Embedding tables of CPU graphs that would be larger than this in float32, in bytes, stay in the 16
 * bits of the checkpoint.
 */
export const EMBEDDING_FLOAT_BYTES_MAX = 64 * 1024 * 1024

/** External tensors begin at multiples of this many bytes, so that the runtime can map them. */
export const DATA_ALIGNMENT_BYTES = 4096

/** Weights are read in blocks of about this many bytes: a few such blocks are in memory at a time. */
export const BLOCK_BYTES = 4 * 1024 * 1024

/**
 * Threads that make weights, at most: each may hold the largest matrix of the graph, 1 GB for an 8B
 * model, and one thread writes and hashes what they make.
 */
export const BUILD_THREADS_MAX = 4

/** Largest JSON file read from a model folder, in bytes. */
export const JSON_BYTES_MAX = 1024 * 1024

/** Largest index of shards, in bytes; one of 100 layers has about 100 kB. */
export const INDEX_BYTES_MAX = 16 * 1024 * 1024

/** Largest tokenizer.json, in bytes: vocabularies of 150,000 entries take about 10 MB. */
export const TOKENIZER_BYTES_MAX = 64 * 1024 * 1024
