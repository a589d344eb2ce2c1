"""Short stories from a grammar that keeps track of the world, and questions about them whose answers it knows."""

from random import Random

PEOPLE = "Mia Tom Ben Anna Lucy Max Sara Jack Lily Sam Nora Finn".split()
PLACES = "garden kitchen park school shop barn forest library attic harbour".split()
THINGS = "ball lamp key book apple hat kite coin drum shell rope cup".split()


class World:
    """Who is where, and where each thing is: with a person or at a place."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.people = {name: random.choice(PLACES) for name in random.sample(PEOPLE, random.randint(2, 3))}
        self.things: dict[str, str] = {}
        self.sentences = [f"{name} is in the {place}." for name, place in self.people.items()]

    def holder_of(self, thing: str) -> str | None:
        return self.things[thing] if self.things[thing] in self.people else None

    def place_of(self, thing: str) -> str:
        spot = self.things[thing]
        return self.people.get(spot, spot)

    def carried(self, name: str) -> list[str]:
        return [thing for thing, spot in self.things.items() if spot == name]

    def move(self, name: str) -> str:
        place = self.random.choice([p for p in PLACES if p != self.people[name]])
        self.people[name] = place
        return self.random.choice([f"{name} goes to the {place}.", f"{name} walks to the {place}."])

    def find(self, name: str) -> str:
        thing = self.random.choice([t for t in THINGS if t not in self.things])
        self.things[thing] = name
        return self.random.choice([f"{name} finds a {thing}.", f"{name} picks up a {thing}."])

    def drop(self, name: str) -> str:
        thing = self.random.choice(self.carried(name))
        self.things[thing] = self.people[name]
        return self.random.choice([f"{name} drops the {thing}.", f"{name} leaves the {thing} there."])

    def give(self, name: str, other: str) -> str:
        thing = self.random.choice(self.carried(name))
        self.things[thing] = other
        return f"{name} gives the {thing} to {other}."

    def happen(self) -> None:
        """One event that is possible now."""
        name = self.random.choice(list(self.people))
        beside = [other for other in self.people if other != name and self.people[other] == self.people[name]]
        choices = [lambda: self.move(name)]
        if len(self.things) < 3:
            choices.append(lambda: self.find(name))
        if self.carried(name):
            choices.append(lambda: self.drop(name))
            choices += [lambda: self.give(name, self.random.choice(beside))] * (2 if beside else 0)
        self.sentences.append(self.random.choice(choices)())


def ask(world: World, random: Random) -> tuple[str, str]:
    """A question and its answer, which names the step in between where there is one."""
    kind = random.choice(["person", "thing", "thing", "holder", "carries"])
    if kind == "person" or not world.things:
        name = random.choice(list(world.people))
        return f"Where is {name}?", f"{name} is in the {world.people[name]}."
    if kind == "carries":
        name = random.choice(list(world.people))
        things = [f"the {thing}" for thing in sorted(world.carried(name))]
        return f"What does {name} have?", f"{name} has {' and '.join(things) if things else 'nothing'}."
    thing = random.choice(list(world.things))
    holder = world.holder_of(thing)
    if kind == "holder":
        return f"Who has the {thing}?", f"{holder or 'Nobody'} has the {thing}."
    if holder is None:
        return f"Where is the {thing}?", f"The {thing} is in the {world.place_of(thing)}."
    place = world.place_of(thing)
    return f"Where is the {thing}?", f"{holder} has the {thing}. {holder} is in the {place}. The {thing} is in the {place}."


def world_question(random: Random) -> tuple[str, str]:
    world = World(random)
    for _ in range(random.randint(3, 8)):
        world.happen()
    question, answer = ask(world, random)
    return f"[story] {' '.join(world.sentences)} {question}", answer
