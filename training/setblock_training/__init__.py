"""Training of Set Block Decoding models: corpus, tokenizer, next-token pre-training, SBD fine-tuning, export."""
