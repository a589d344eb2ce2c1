import json
import re
from random import Random

import pytest

from setblock_training import corpus, documents
from setblock_training.augment import PhraseExchange, SlotExchange, piece_of
from setblock_training.documents import DRAWS, Document, Sampler, encode
from setblock_training.generators import GENERATORS
from setblock_training.readings import report
from setblock_training.tokenizer import ASSISTANT, BOS, END, EOS, MASK, SPECIALS, USER, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(corpus.tokenizer_texts(seed=1, documents=400), 900)


def test_special_ids_are_fixed(tokenizer):
    for index, text in enumerate(SPECIALS):
        assert tokenizer.token_to_id(text) == index


def test_any_text_survives_the_tokenizer(tokenizer):
    for text in ["a  b\n\tc", "Zoë 🦊 日本", '{"a":[1,2]}', "1234567890"]:
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_digits_are_single_tokens(tokenizer):
    assert len(tokenizer.encode("90210").ids) == 5


def test_documents_have_the_chat_form(tokenizer):
    ids, start = encode(tokenizer, Document(text="yes", prompt="ready?"))
    assert ids[:2] == [BOS, USER] and ids[-1] == END and ids.count(ASSISTANT) == 1 and MASK not in ids
    assert ids[start - 1] == ASSISTANT and tokenizer.decode(ids[start:-1]) == "yes"
    plain, start = encode(tokenizer, Document(text="once"))
    assert plain[0] == BOS and plain[-1] == EOS and start == 1


@pytest.fixture(scope="module")
def sampler():
    return Sampler()


def test_the_same_seed_draws_the_same_documents_from_every_source(sampler):
    first, second = ([sampler.draw(random) for _ in range(200)] for random in (Random(5), Random(5)))
    assert first == second
    assert first != [sampler.draw(Random(6)) for _ in range(200)]
    assert set(sampler.sources) == set(DRAWS)


def test_evaluation_rows_never_occur_in_training(sampler):
    evaluation = {d.prompt for ds in documents.evaluation_sets(seed=1, rows=100).values() for d in ds}
    random = Random(1)
    for name in [*documents.TAGS, *GENERATORS]:
        for _ in range(3000):
            assert sampler.sources[name](random).prompt not in evaluation


def test_an_exchanged_slot_changes_sentence_and_json_alike():
    rows = [
        {"input": "play Blue Moon by Ella", "output": json.dumps({"intent": "PlayMusic", "slots": {"track": "Blue Moon", "artist": "Ella"}})},
        {"input": "rate it 4 of 4", "output": json.dumps({"intent": "RateBook", "slots": {"rating_value": "4"}})},
    ]  # fmt: skip
    exchange = SlotExchange(rows)
    sentences = set()
    for seed in range(100):
        sentence, answer = exchange(rows[0], Random(seed))
        slots = json.loads(answer)["slots"]
        assert sentence == f"play {slots['track']} by {slots['artist']}"
        sentences.add(sentence)
        assert exchange(rows[1], Random(seed))[0] == "rate it 4 of 4"  # not clear which 4 is meant
    assert len(sentences) > 10


def test_an_exchanged_person_stays_a_person_and_lower_case_may_stay_lower():
    rows = [{"input": "add ella", "output": json.dumps({"intent": "AddToPlaylist", "slots": {"artist": "ella"}})}]
    exchange = SlotExchange(rows)
    names = {exchange(rows[0], Random(seed))[0].removeprefix("add ") for seed in range(200)}
    assert any(name.islower() and " " in name for name in names) and any(name.istitle() for name in names)


def described(sentence: str, expression: str) -> dict[str, str]:
    return {"input": sentence, "output": expression}


def test_an_exchanged_phrase_changes_description_and_expression_alike():
    rows = [
        described("lines with a vowel or the string 'dog', 3 or more times", "(([AEIOUaeiou])|(dog)){3,}"),
        described("lines with a letter or a number, 2 or more times", "(([A-Za-z])|([0-9])){2,}"),
        described("lines with a number or a character, 5 or more times", "([0-9])|((.){5,})"),
        described("lines containing a character followed by a vowel", ".*..*[AEIOUaeiou].*.*"),
    ]
    exchange = PhraseExchange(rows)
    seen = set()
    for seed in range(400):
        sentence, expression = exchange(rows[2], Random(seed))
        if match := re.fullmatch("lines containing (.+) followed by (.+)", sentence):
            wanted = ".*{0}.*{1}.*.*"
        elif match := re.fullmatch(r"lines with (.+) or (.+), (\d) or more times", sentence):
            wanted = "(({0})|({1})){{{2},}}"  # the reading that two of three rows have
        first, second, *count = match.groups()
        assert expression == wanted.format(piece_of(first), piece_of(second), *count)
        assert first != second
        seen.add(sentence)
    assert len(seen) > 100 and any("followed" in sentence for sentence in seen)


def test_a_table_of_readings_is_right_as_often_as_its_most_frequent_reading():
    either, last = "(([a-z])|([0-9])){2,}", "([a-z])|(([0-9]){2,})"
    row = lambda expression, split: described("lines with a lower-case letter or a number, 2 or more times", expression) | {"split": split}
    rows = [row(either, "train")] * 2 + [row(last, "train"), row(either, "test"), row(last, "val")]
    rows.append(described("lines with a vowel", "[AEIOUaeiou]") | {"split": "test"})  # no training row is like it
    counted = report(rows, {"[regex] lines with a vowel"})
    assert counted["templates"] == counted["ambiguous"] == 1
    assert counted["heldOut"] == {"rows": 3, "table": 0.3333, "hindsight": 0.6667}
    assert counted["evaluated"] == {"rows": 1, "table": 0.0, "hindsight": 1.0}


def test_a_description_that_is_not_understood_is_left_alone():
    row = described("lines with a vowel", "[0-9]")
    assert PhraseExchange([row])(row, Random(1)) == ("lines with a vowel", "[0-9]")


def test_the_world_of_a_story_agrees_with_its_answers():
    """Told again from its sentences alone, the story gives the answer that its generator gave."""
    for seed in range(400):
        prompt, answer = GENERATORS["story"](Random(seed))
        *sentences, question = re.findall(r"[^.?]+[.?]", prompt.removeprefix("[story]"))
        people, things = {}, {}
        for words in (sentence.strip(" .").split() for sentence in sentences):
            name, verb = words[0], words[1]
            if verb in ("is", "goes", "walks"):
                people[name] = words[-1]
            elif verb == "gives":
                things[words[3]] = words[-1]
            elif verb in ("finds", "picks"):
                things[words[-1]] = name
            else:
                things[words[3]] = people[name]
        last = answer.rstrip(".").split(". ")[-1].split()
        subject = question.strip(" ?").split()[-1]
        if question.startswith(" Where"):
            spot = things.get(subject, subject)
            assert last[-1] == people.get(spot, spot), prompt
        elif question.startswith(" Who"):
            assert last[0] == (things[subject] if things[subject] in people else "Nobody"), prompt
        else:
            name = question.split()[2]
            held = sorted(thing for thing, spot in things.items() if spot == name)
            assert [w for w in last[2:] if w not in ("the", "and")] == (held or ["nothing"]), prompt


def test_generated_answers_are_right():
    random = Random(4)
    for _ in range(300):
        prompt, answer = GENERATORS["math"](random)
        steps, said = answer.split(". ", 1)
        for step in steps.split("; "):
            values = [eval(part) for part in step.split(" = ")]  # the whole chain has one value
            assert len(set(values)) == 1, answer
        assert f" {values[-1]} " in said
        words = GENERATORS["sort"](random)
        assert sorted(words[0].split()[1:]) == words[1].split()
        prompt, answer = GENERATORS["order"](random)
        for item in json.loads(answer)["items"]:
            assert f"{item['quantity']} {item['name']}" in prompt
        prompt, answer = GENERATORS["copy"](random)
        assert json.loads(answer) == prompt.split()[1:]
        prompt, answer = GENERATORS["json"](random)
        for key, value in json.loads(answer).items():
            assert f"{key}: {json.dumps(value).strip(chr(34))}" in prompt
