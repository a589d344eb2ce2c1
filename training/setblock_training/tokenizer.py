"""Byte-level BPE tokenizer, chat template and the special tokens of a Setblock model."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = ("<|pad|>", "<|bos|>", "<|eos|>", "<|mask|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
PAD, BOS, EOS, MASK, SYSTEM, USER, ASSISTANT, END = range(len(SPECIALS))
ROLE_IDS = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


SPACE = "\u0120"  # how byte-level BPE writes a space


def _byte_level(pieces: list[pre_tokenizers.PreTokenizer]) -> pre_tokenizers.PreTokenizer:
    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([*pieces, digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])


def train_tokenizer(texts: Iterable[str], vocabulary_size: int, spaced_words: int = 1200) -> Tokenizer:
    """Byte-level BPE whose merges are learned without spaces; then the `spaced_words` most frequent whole words after a space
    become tokens too. A rare word is thus cut alike with and without a space before it, which makes it easy to copy."""
    texts = list(texts)
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = _byte_level([pre_tokenizers.Split(" ", "isolated")])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - spaced_words,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare.train_from_iterator(texts, trainer)
    learned = json.loads(bare.to_str())["model"]
    vocabulary: dict[str, int] = learned["vocab"]
    merges = [tuple(merge) for merge in learned["merges"]]
    for word in frequent_spaced_words(texts, vocabulary, spaced_words):
        vocabulary[SPACE + word] = len(vocabulary)
        merges.append((SPACE, word))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = _byte_level([])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def frequent_spaced_words(texts: list[str], vocabulary: dict[str, int], count: int) -> list[str]:
    """Tokens of the vocabulary that are whole words after a space, most frequent first."""
    splitter = _byte_level([])
    words = Counter(piece[1:] for text in texts for piece, _ in splitter.pre_tokenize_str(text) if piece[0] == SPACE)
    known = [(word, n) for word, n in words.items() if word in vocabulary and not word.isdigit()]
    return [word for word, _ in sorted(known, key=lambda item: (-item[1], item[0]))[:count]]


def tokenizer_config(context_length: int) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIALS[BOS],
        "eos_token": SPECIALS[END],
        "pad_token": SPECIALS[PAD],
        "mask_token": SPECIALS[MASK],
        "additional_special_tokens": [SPECIALS[EOS], SPECIALS[SYSTEM], SPECIALS[USER], SPECIALS[ASSISTANT]],
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }


def save_tokenizer(tokenizer: Tokenizer, folder: Path, context_length: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(context_length), indent=2) + "\n")
