"""New sentences from labelled ones: a slot's value is exchanged for another, in the sentence and in its JSON alike."""

import json
import re
from random import Random

from .generators import invented_word

# Slots whose values are names: anything may stand there, so made-up words may too.
NAME_SLOTS = frozenset(
    "playlist entity_name object_name artist album track restaurant_name movie_name geographic_poi poi city location_name "
    "person place_name business_name event_name song_name playlist_name audiobook_name podcast_name artist_name list_name "
    "radio_name game_name app_name definition_word".split()
)
EXCHANGE_RATE, INVENT_RATE = 0.5, 0.4


class SlotExchange:
    """Values are taken from the rows given, which must be training rows."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.values: dict[str, list[str]] = {}
        for row in rows:
            for slot, value in json.loads(row["output"])["slots"].items():
                if isinstance(value, str):
                    self.values.setdefault(slot, []).append(value)
        self.words = sorted({w for slot in NAME_SLOTS for v in self.values.get(slot, []) for w in v.split()})

    def value(self, slot: str, old: str, random: Random) -> str:
        if slot not in NAME_SLOTS or random.random() >= INVENT_RATE:
            return random.choice(self.values[slot])
        words = [
            invented_word(random) if random.random() < 0.3 else random.choice(self.words) for _ in range(random.randint(1, 4))
        ]
        text = " ".join(words)
        return text.lower() if old.islower() else text

    def __call__(self, row: dict[str, str], random: Random) -> tuple[str, str]:
        """(sentence, JSON). A value is exchanged only where it stands in the sentence exactly once, as whole words."""
        sentence, answer = row["input"], json.loads(row["output"])
        slots = answer["slots"]
        for slot, old in slots.items():
            if not isinstance(old, str) or random.random() >= EXCHANGE_RATE:
                continue
            pattern = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)")
            shared = any(other != slot and old in str(text) for other, text in slots.items())
            if shared or len(pattern.findall(sentence)) != 1:
                continue
            new = self.value(slot, old, random)
            sentence = pattern.sub(lambda _, new=new: new, sentence)
            slots[slot] = new
        return sentence, json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
