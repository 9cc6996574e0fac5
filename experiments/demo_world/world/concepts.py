"""Concepts, typed roles and the event graph that follows from what events need and bring about."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from world.message import Clause, Sentence, content

TABLE = Path(__file__).with_name("concepts.tsv")
GROUPS = {
    "person": ("profession", "people"),
    "animal": ("farm", "pet", "bird", "wild"),
    "food": ("fruit", "vegetable", "staple", "dish"),
    "thing": ("tool", "utensil", "container", "furniture", "household", "clothes", "vehicle", "machine", "music"),
}
KINDS = {
    "fruit": "n.fruit",
    "vegetable": "n.vegetable",
    "bird": "n.bird",
    "wild": "n.animal",
    "farm": "n.animal",
    "music": "n.musical_instrument",
    "tool": "n.tool",
    "building": "n.building",
    "vehicle": "n.vehicle",
}
HELD_OUT_PERCENT = 12


@dataclass(frozen=True)
class Role:
    """One role of a verb with everything that may fill it: (concept, plural wanted)."""

    name: str
    optional: bool
    fillers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class State:
    """A state of one role's filler before or after an event; have and at link it to a second filler."""

    name: str
    role: str
    other: str = ""


@dataclass(frozen=True)
class Concept:
    """One row of concepts.tsv."""

    id: str
    type: str
    gloss: str
    mass: bool
    sex: str
    roles: tuple[Role, ...]
    pre: tuple[State, ...]
    post: tuple[State, ...]
    opposite: str
    fits: str


def _states(cell: str) -> tuple[State, ...]:
    """Read `tired@agent have@agent.object`."""
    states = []
    for item in cell.split():
        name, place = item.split("@")
        role, _, other = place.partition(".")
        states.append(State(name, role, other))
    return tuple(states)


@cache
def _rows() -> tuple[dict[str, str], ...]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    head = lines[0].split("\t")
    return tuple(dict(zip(head, line.split("\t"), strict=True)) for line in lines[1:])


@cache
def by_type(name: str) -> tuple[str, ...]:
    """All concept ids of a type or of a group of types."""
    wanted = GROUPS.get(name, (name,))
    return tuple(row["id"] for row in _rows() if row["type"] in wanted)


@cache
def fillers(cell: str) -> tuple[tuple[str, str], ...]:
    """Expand `fruit*,n.rope` to concepts, each with its mark: empty, * (plural) or # (counted)."""
    found = []
    for item in cell.split(","):
        name = item.rstrip("*#")
        ids = (name,) if name.startswith("n.") else by_type(name)
        found += [(concept, item[len(name) :]) for concept in ids]
    return tuple(found)


@cache
def concepts() -> dict[str, Concept]:
    """Every concept by id, in table order."""
    found = {}
    for row in _rows():
        roles: tuple[Role, ...] = ()
        post: tuple[State, ...] = ()
        opposite = fits = ""
        if row["type"].startswith("verb"):
            parts = (item.split(":", 1) for item in row["roles"].split())
            roles = tuple(Role(name.rstrip("?"), name.endswith("?"), fillers(cell)) for name, cell in parts)
            post = _states(row["post"])
        else:
            fits, opposite = row["roles"].partition(":")[2], row["post"].partition(":")[2]
        found[row["id"]] = Concept(
            row["id"], row["type"], row["gloss"], row["count"] == "mass", row["sex"],
            roles, _states(row["pre"]), post, opposite, fits,
        )  # fmt: skip
    return found


@cache
def adjectives_of(concept: str) -> tuple[str, ...]:
    """The adjectives that sensibly describe a concept."""
    return tuple(c.id for c in concepts().values() if c.type == "adjective" and concept in dict(fillers(c.fits)))


@cache
def verbs_needing(state: str) -> tuple[tuple[str, State], ...]:
    """Event graph, forward: the verbs that a state makes possible or likely."""
    return tuple((c.id, s) for c in concepts().values() for s in c.pre if s.name == state)


@cache
def verbs(*classes: str) -> tuple[str, ...]:
    """All verbs of the given classes (m motion, w work, s speech, e experience, ...)."""
    return tuple(c.id for c in concepts().values() if c.type.removeprefix("verb.") in classes)


@cache
def held_out(combination: tuple[str, ...]) -> bool:
    """Whether a combination of concepts is kept for held-out text; stable everywhere."""
    digest = hashlib.sha256("\t".join(combination).encode()).digest()
    return digest[0] * 100 < HELD_OUT_PERCENT * 256


def combinations(sentence: Sentence) -> list[tuple[str, ...]]:
    """The combinations that decide a sentence's split: event pairs, event x object x place, all content."""
    clauses = [clause for clause in (sentence.main, sentence.sub) if clause]
    found = [tuple(clause.predicate for clause in clauses)] if len(clauses) > 1 else []
    for clause in clauses:
        found.append(tuple(_core(clause)))
    everything = sorted(content(sentence.main) + content(sentence.sub))
    return [*found, ("all", (sentence.kind in ("greeting", "closing") and _names(sentence)) or "", *everything)]


def _core(clause: Clause) -> list[str]:
    """Predicate, object and place (or goal), the unit whose combinations are held out."""
    core = [clause.predicate]
    for role in ("object", "place", "goal"):
        np = clause.role(role)
        core.append(np.concept if np and np.form not in ("pronoun", "name") else "")
    return core if any(core[1:]) else []


def _names(sentence: Sentence) -> str:
    """Formulas have no content of their own, so the names in them decide."""
    return " ".join(np.concept for _, np in sentence.main.roles)


def admits(sentence: Sentence, split: str) -> bool:
    """A training sentence has no held-out combination; a held-out sentence has at least one."""
    unseen = any(held_out(combination) for combination in combinations(sentence) if combination)
    return unseen == (split != "train")
