"""New sentences from labelled ones: what a label names is exchanged for another of its kind, in sentence and label alike."""

import json
import re
from collections import Counter
from random import Random

from .generators import invented_word

# Slots whose values are names: anything may stand there, so made-up words may too.
NAME_SLOTS = frozenset(
    "playlist entity_name object_name artist album track restaurant_name movie_name geographic_poi poi city location_name "
    "person place_name business_name event_name song_name playlist_name audiobook_name podcast_name artist_name list_name "
    "radio_name game_name app_name definition_word".split()
)
PERSON_SLOTS = frozenset(("artist", "artist_name"))
GIVEN_NAMES = (
    "Aaron Adele Agnes Akira Alan Albert Alice Amanda Amy Andrea Andrew Anita Anna Anthony Antonio Astrid Barbara Ben "
    "Bernard Betty Bill Billy Bob Bonnie Brian Bruce Carl Carla Carlos Carmen Carol Catherine Charles Charlie Chris "
    "Christine Cindy Claire Craig Daniel Dave David Dean Debbie Dennis Diana Don Doris Doug Duke Eddie Edith Elena Ellen "
    "Elliott Emily Eric Erika Ernie Eva Felipe Frank Fred Gabriel Gary George Gina Glenn Gloria Grace Graham Greg Hank "
    "Hannah Harold Harry Heather Helen Henry Howard Hugo Ian Igor Ingrid Irene Isaac Ivan Jack Jackie Jacob Jaime James "
    "Jane Janet Jason Jay Jean Jeff Jennifer Jenny Jerry Jesse Jim Jimmy Joan Joanna Joe Joel John Johnny Jon Jorge Jose "
    "Juan Judy Julia Justin Karen Karl Kate Keith Kelly Ken Kenji Kenny Kevin Kim Kurt Larry Laura Lars Lee Leon Leroy "
    "Leslie Lily Linda Lisa Lou Louis Lucy Luis Luke Marcus Margaret Maria Marie Mark Martha Martin Mary Matt Max Melissa "
    "Michael Miguel Mike Miles Monica Nancy Natalie Neil Nick Nicole Nina Norman Olga Oscar Pat Patricia Paul Pedro Peter "
    "Phil Rachel Ralph Randy Ray Rebecca Ricardo Rick Rita Robert Robin Roger Ron Rosa Roy Russell Ruth Ryan Sally Sam "
    "Sara Scott Sean Sergio Sharon Shirley Simon Sonia Stan Stella Stephen Steve Sue Susan Suzanne Ted Teresa Terry "
    "Thomas Tim Tina Todd Tom Tony Tracy Valerie Vera Victor Vince Virginia Wayne Wendy William Willie Yoko Yuri"
).split()
FAMILY_NAMES = (
    "Adams Allen Alvarez Andersen Anderson Armstrong Bailey Baker Barnes Becker Bell Bennett Berg Black Blake Bowman "
    "Brooks Brown Bryant Burke Burns Butler Campbell Carr Carroll Carter Castro Chen Clark Cohen Cole Coleman Collins "
    "Cook Cooper Costa Cox Crawford Cruz Cunningham Curtis Davies Davis Diaz Dixon Douglas Duncan Edwards Ellis Evans "
    "Fernandez Ferrari Fischer Fisher Fleming Ford Foster Fox Freeman Garcia Gibson Gomez Gordon Graham Grant Gray Green "
    "Griffin Gupta Hall Hamilton Hansen Harper Harris Hart Hawkins Hayes Henderson Hernandez Hill Hoffman Holmes Howard "
    "Hughes Hunt Ivanov Jackson Jansen Jenkins Jensen Johansson Johnson Jones Jordan Kaplan Kelly Kennedy Khan King Klein "
    "Knight Kumar Lambert Lang Larsen Lawrence Lee Lewis Lindberg Lopez Lynch Marshall Martin Martinez Mason Matthews "
    "McBride McCarthy McDonald McKenzie Mendoza Meyer Miller Mitchell Moore Morales Moreno Morgan Morris Morrison Muller "
    "Murphy Murray Myers Nakamura Nelson Nguyen Nielsen O'Brien O'Connor Oliver Olsen Ortiz Owens Palmer Park Parker "
    "Patterson Perez Perry Peters Petrov Phillips Pierce Porter Powell Price Ramirez Reed Reid Reyes Reynolds Rice "
    "Richards Rivera Roberts Robinson Rodriguez Rogers Romero Rose Ross Rossi Russell Ryan Sanders Santos Sato Schmidt "
    "Schneider Scott Shaw Silva Simmons Simpson Singh Smith Spencer Stevens Stewart Stone Sullivan Suzuki Tanaka Taylor "
    "Thompson Torres Tucker Turner Vargas Wagner Walker Wallace Ward Warren Watson Webb Weber Wells West White Williams "
    "Wilson Wong Wood Wright Yamamoto Young Zimmerman"
).split()
EXCHANGE_RATE, INVENT_RATE, RARE_RATE = 0.5, 0.35, 0.5
INVENTED_WORD_RATE, OTHER_WORD_RATE, LOWER_CASE_RATE = 0.15, 0.5, 0.5


class SlotExchange:
    """Values are taken from the rows given, which must be training rows."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.values: dict[str, list[str]] = {}
        for row in rows:
            for slot, value in json.loads(row["output"])["slots"].items():
                if isinstance(value, str):
                    self.values.setdefault(slot, []).append(value)
        self.distinct = {slot: sorted(set(values)) for slot, values in self.values.items()}
        # By slot: a title is told from a person by its words.
        self.words = {slot: [w for v in values for w in v.split()] for slot, values in self.distinct.items()}

    def value(self, slot: str, old: str, random: Random) -> str:
        if slot in NAME_SLOTS and random.random() < INVENT_RATE:
            text = self.name(slot, random)
        else:
            values = self.distinct if random.random() < RARE_RATE else self.values
            text = random.choice(values[slot])
        return text.lower() if old.islower() and random.random() < LOWER_CASE_RATE else text

    def name(self, slot: str, random: Random) -> str:
        if slot in PERSON_SLOTS and random.random() < 0.5:
            return f"{random.choice(GIVEN_NAMES)} {random.choice(FAMILY_NAMES)}"
        words = random.choice(self.distinct[slot]).split()
        for index in range(len(words)):
            change = random.random()
            if change < INVENTED_WORD_RATE:
                words[index] = invented_word(random)
            elif change < OTHER_WORD_RATE:
                words[index] = random.choice(self.words[slot])
        return " ".join(words)

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


CLASSES = {
    "a number": "[0-9]",
    "a letter": "[A-Za-z]",
    "a vowel": "[AEIOUaeiou]",
    "a lower-case letter": "[a-z]",
    "a capital letter": "[A-Z]",
    "a character": ".",
}
STRINGS = ("dog", "truck", "ring", "lake")  # as the data names them, in order of appearance
STRING_RATE = 0.31  # share of strings among the phrases of the data
COUNTS = (2, 7)
HOLE, COUNT_HOLE = "\0", "\1"
_PHRASE = re.compile("|".join([*map(re.escape, CLASSES), "the string '[a-z]+'"]))
_PIECE = re.compile(r"\.\*|" + "|".join([*map(re.escape, CLASSES.values()), *STRINGS]))
_COUNT = re.compile(r"\d(?= or more times)|(?<=\{)\d(?=,\})")


def piece_of(phrase: str) -> str:
    return CLASSES.get(phrase) or phrase.removeprefix("the string '").removesuffix("'")


def fill(template: str, hole: str, values: list[str]) -> str:
    """The holes of a template from the left."""
    parts = template.split(hole)
    return "".join(part + value for part, value in zip(parts, [*values, ""], strict=True))


class PhraseExchange:
    """Descriptions of regular expressions: what they speak of is drawn anew, what they say of it stays.

    A description like `lines with X or Y, 3 or more times` has several readings, and the rows given hold now one and now
    another of them. Only a description's most frequent reading is drawn, because a greedy answer can give one alone.
    """

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.readings: dict[str, Counter[str]] = {}
        for row in rows:
            templates = self.templates(row)
            if templates is not None:
                self.readings.setdefault(templates[0], Counter())[templates[1]] += 1
        self.sentences = sorted(self.readings)

    @staticmethod
    def templates(row: dict[str, str]) -> tuple[str, str] | None:
        """(sentence, expression) with holes; None where their pieces do not follow each other alike."""
        wanted = [piece_of(phrase) for phrase in _PHRASE.findall(row["input"])]
        given = [piece for piece in _PIECE.findall(row["output"]) if piece != ".*"]
        counts = [_COUNT.findall(text) for text in (row["input"], row["output"])]
        if wanted != given or counts[0] != counts[1]:
            return None
        expression = _PIECE.sub(lambda match: match[0] if match[0] == ".*" else HOLE, row["output"])
        return _COUNT.sub(COUNT_HOLE, _PHRASE.sub(HOLE, row["input"])), _COUNT.sub(COUNT_HOLE, expression)

    def __call__(self, row: dict[str, str], random: Random) -> tuple[str, str]:
        """(sentence, expression)."""
        templates = self.templates(row)
        if templates is None:
            return row["input"], row["output"]
        # A few templates have most of the rows, and are learned long before the others.
        sentence = random.choice(self.sentences) if random.random() < RARE_RATE else templates[0]
        readings = self.readings[sentence]
        most = max(readings.values())
        expression = random.choice([reading for reading, times in readings.items() if times == most])
        phrases = draw_phrases(sentence.count(HOLE), random)
        counts = [str(random.randint(*COUNTS)) for _ in range(sentence.count(COUNT_HOLE))]
        filled = fill(fill(sentence, HOLE, phrases), COUNT_HOLE, counts)
        return filled, fill(fill(expression, HOLE, [piece_of(phrase) for phrase in phrases]), COUNT_HOLE, counts)


def draw_phrases(count: int, random: Random) -> list[str]:
    """`count` different things to speak of; strings in the order of STRINGS."""
    classes, strings = random.sample(list(CLASSES), len(CLASSES)), list(STRINGS)
    phrases = []
    for _ in range(count):
        is_string = strings and random.random() < STRING_RATE
        phrases.append(f"the string '{strings.pop(0)}'" if is_string else classes.pop())
    return phrases
