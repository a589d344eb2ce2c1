import itertools
import json
import re
from random import Random

import pytest

from setblock_training import corpus
from setblock_training.generators import GENERATORS
from setblock_training.tokenizer import ASSISTANT, BOS, END, EOS, MASK, SPECIALS, USER, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(corpus.tokenizer_texts(seed=1, documents=150), 600)


def test_special_ids_are_fixed(tokenizer):
    for index, text in enumerate(SPECIALS):
        assert tokenizer.token_to_id(text) == index


def test_any_text_survives_the_tokenizer(tokenizer):
    for text in ["a  b\n\tc", "Zoë 🦊 日本", '{"a":[1,2]}', "1234567890"]:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_digits_are_single_tokens(tokenizer):
    assert len(tokenizer.encode("90210").ids) == 5


def test_documents_have_the_chat_form(tokenizer):
    ids = corpus.encode(tokenizer, corpus.Document(text="yes", prompt="ready?"))
    assert ids[:2] == [BOS, USER] and ids[-1] == END and ids.count(ASSISTANT) == 1 and MASK not in ids
    plain = corpus.encode(tokenizer, corpus.Document(text="once"))
    assert plain[0] == BOS and plain[-1] == EOS


def test_the_stream_is_deterministic_and_keeps_its_shares(tokenizer):
    first, second = (corpus.build_stream(tokenizer, 60_000, seed=5) for _ in range(2))
    assert (first == second).all()
    assert (corpus.build_stream(tokenizer, 60_000, seed=6) != first).any()
    text = tokenizer.decode(first.tolist(), skip_special_tokens=False)
    for tag in ("snips", "hwu64", "call", "regex", "scan", "order", "math", "sort", "json"):
        assert f"[{tag}]" in text, tag


def test_evaluation_rows_never_occur_in_training():
    evaluation = {d.prompt for ds in corpus.evaluation_sets(seed=1, rows=100).values() for d in ds}
    sources = corpus.training_sources(seed=1)
    for name in [*corpus.TAGS, *GENERATORS]:
        for document in itertools.islice(sources[name], 4000):
            assert document.prompt not in evaluation


def test_generated_answers_are_right():
    random = Random(4)
    for _ in range(300):
        prompt, answer = GENERATORS["math"](random)
        for left, sign, right, result in re.findall(r"(\d+) ([+*-]) (\d+) = (\d+)", answer):
            assert {"+": int(left) + int(right), "-": int(left) - int(right), "*": int(left) * int(right)}[sign] == int(result)
        words = GENERATORS["sort"](random)
        assert sorted(words[0].split()[1:]) == words[1].split()
        prompt, answer = GENERATORS["order"](random)
        for item in json.loads(answer)["items"]:
            assert f"{item['quantity']} {item['name']}" in prompt
        prompt, answer = GENERATORS["json"](random)
        for key, value in json.loads(answer).items():
            assert f"{key}: {json.dumps(value).strip(chr(34))}" in prompt
