"""Who and what a document is about, and how events among them are filled in and referred to."""

from dataclasses import dataclass, field, replace
from random import Random

from world.concepts import Role, State, adjectives_of, by_type, concepts, verbs_needing
from world.mention import is_person, same
from world.message import NP, Clause

PLACES = ("room", "building", "site", "nature")
PASSING = [
    "broken",
    "wet",
    "dry",
    "dirty",
    "clean",
    "open",
    "closed",
    "ready",
    "missing",
    "late",
    "full",
    "empty",
    "hungry",
    "thirsty",
    "tired",
    "rested",
    "ill",
    "healthy",
    "afraid",
    "worried",
    "proud",
    "ashamed",
    "lonely",
    "surprised",
    "bored",
    "busy",
    "grateful",
    "ungrateful",
    "happy",
    "sad",
    "angry",
    "calm",
    "hot",
    "unknown",
    "jealous",
    "satisfied",
    "dissatisfied",
    "cold",
    "warm",
    "dark",
    "bright",
    "ripe",
    "unripe",
    "salty",
    "spicy",
    "dishonest",
    "curious",
]
COUNTABLE = [
    "tool",
    "utensil",
    "clothes",
    "furniture",
    "fruit",
    "vegetable",
    "text",
    "valuable",
    "container",
    "household",
    "farm",
    "pet",
    "bird",
    "wild",
    "insect",
    "music",
    "machine",
    "structure",
    "vehicle",
    "plant",
]
UNWANTED = ("v.drop", "v.lose", "v.break", "v.suffer", "v.injure", "v.fall", "v.forget")
RELATIONS = ("r.near", "r.behind", "r.beside", "r.front")


@dataclass
class Stage:
    """The changing memory of one document."""

    rng: Random
    split: str
    cast: list[NP]
    seen: set[str] = field(default_factory=set)
    props: list[NP] = field(default_factory=list)
    states: list[tuple[State, NP, NP | None]] = field(default_factory=list)
    focus: NP | None = None
    rivals: int = 0
    used: set[str] = field(default_factory=set)
    domain: tuple[str, ...] = ()
    sexes: dict[str, str] = field(default_factory=dict)

    def sex_of(self, concept: str) -> str:
        """The sex of the document's teacher, guest or child: chosen once, so that a known one keeps it."""
        chosen = self.rng.choice("mf")
        return concepts()[concept].sex or self.sexes.setdefault(concept, chosen)


def generic(role: Role) -> bool:
    """Whether any person may fill the role, named ones too."""
    ids = dict(role.fillers)
    return "n.woman" in ids and "n.teacher" in ids and "n.guest" in ids


def takes(role: Role, np: NP) -> bool:
    """Whether a known entity may fill a role."""
    if np.concept[:2] == "g.":
        return np.concept in dict(role.fillers)
    return generic(role) if np.concept[:2] == "p." else np.concept in dict(role.fillers)


def may_be_many(role: Role, concept_id: str) -> bool:
    """Whether several of the kind may fill the role as well as one."""
    concept = concepts()[concept_id]
    if concept.mass or role.name not in ("object", "agent", "recipient"):
        return False
    return concept.type in COUNTABLE or (generic(role) and concept.type in ("people", "profession"))


def refer(stage: Stage, np: NP) -> NP:
    """The entity as it is to be mentioned now, before pronouns."""
    if np.form in ("name", "pronoun") or np.person < 3 or np.owner or concepts()[np.concept].type == "unit":
        return np
    concept = concepts()[np.concept]
    if concept.type == "abstract" and concept.mass:
        return replace(np, form="bare")
    if concept.type in PLACES or concept.type == "abstract" or np.concept in stage.seen:
        return replace(np, form="known", adjectives=() if np.concept in stage.seen else np.adjectives)
    return np


def new_entity(stage: Stage, role: Role, agent: NP | None) -> NP:
    """Something fresh that fits the role."""
    rng = stage.rng
    if generic(role) and rng.random() < 0.72:
        if agent is not None and rng.random() < 0.22 and is_person(agent):
            kin = rng.choice(by_type("kin"))
            owner = replace(agent, form="self", adjectives=(), owner=None, count=1)
            return NP(kin, "known", sex=stage.sex_of(kin), owner=owner)
        return rng.choice(stage.cast)
    options = [f for f in role.fillers if not stage.domain or concepts()[f[0]].type in stage.domain]
    concept_id, mark = rng.choice(options or role.fillers)
    known = next((p for p in stage.props if p.concept == concept_id), None)
    if known:
        return known
    concept = concepts()[concept_id]
    if concept.type == "town":
        return NP(concept_id, "name")
    count = 1
    if mark and not concept.mass:
        count = rng.choice((0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10))
        if mark == "#":
            count = (
                rng.randint(2, 10)
                if concept_id == "n.hour"
                else rng.choice((*range(5, 21), 30, 40, 50, 60, 70, 80, 90))
            )
    elif may_be_many(role, concept_id) and rng.random() < 0.16:
        count = rng.choice((0, 2, 3, 4, 5, 6))
    np = NP(concept_id, "new", count)
    if is_person(np):
        np = replace(np, sex=stage.sex_of(np.concept))
    if concept.type == "kin" or concept.type == "body":
        return replace(
            np, form="known", owner=replace(agent, form="self", adjectives=(), owner=None) if agent else stage.cast[0]
        )
    fitting = [a for a in adjectives_of(concept_id) if a[2:] not in PASSING]
    if len(fitting) > 2 and concept.type != "abstract" and rng.random() < 0.3 and concept_id not in stage.seen:
        np = replace(np, adjectives=(rng.choice(fitting),))
    if role.name == "place" and role.optional and concept.type in ("building", "site") and rng.random() < 0.15:
        np = replace(np, relation=rng.choice(RELATIONS))
    return np


def event(stage: Stage, verb: str, fixed: dict[str, NP] | None = None, tense: str = "past", extra: float = 0.45,
          modal: str = "") -> Clause | None:  # fmt: skip
    """Fill a verb's roles; none if a wanted filler does not fit or the same person would appear twice."""
    rng, fixed = stage.rng, fixed or {}
    if verb in UNWANTED and (modal or tense not in ("past", "present")):
        return None
    roles: dict[str, NP] = {}
    for role in concepts()[verb].roles:
        if role.name in fixed:
            if not takes(role, fixed[role.name]) or any(same(fixed[role.name], np) for np in roles.values()):
                return None
            roles[role.name] = refer(stage, fixed[role.name])
            continue
        if role.optional and rng.random() > extra:
            continue
        old = [p for p in stage.props if takes(role, p)] if role.name in ("object", "instrument") else []
        if role.name == "agent" and generic(role) and rng.random() < 0.8:
            filler = rng.choice(stage.cast)
        elif old and rng.random() < 0.3:
            filler = rng.choice(old)
        else:
            filler = new_entity(stage, role, roles.get("agent"))
        if stage.domain and role.name == "object" and concepts()[filler.concept].type not in stage.domain:
            return None
        if any(same(filler, np) or filler.concept == np.concept for np in roles.values()):
            if role.optional:
                continue
            return None
        roles[role.name] = refer(stage, filler)
    if "agent" in fixed and "agent" not in roles:
        return None
    fast = rng.random()
    adverb = rng.choice(manners(verb)) if manners(verb) and fast < 0.16 and tense != "future" and not modal else ""
    return Clause(verb, tuple(roles.items()), tense, False, modal, adverb)


def manners(verb: str) -> list[str]:
    """Adverbs that suit a verb's class."""
    return [c.id for c in concepts().values() if c.type == "adverb" and concepts()[verb].type in c.fits.split(",")]


def timed(stage: Stage, clause: Clause, chance: float = 0.3) -> Clause:
    """Add a time expression that suits the tense."""
    kind = {"past": ("past", "both"), "future": ("future", "both"), "habit": ("habit",)}.get(clause.tense, ())
    if not kind or stage.rng.random() > chance or clause.predicate[0] != "v":
        return clause
    return replace(clause, time=stage.rng.choice([t for k in kind for t in by_type(f"time.{k}")]))


def outcomes(clause: Clause) -> list[tuple[State, NP, NP | None]]:
    """The states an event leaves behind."""
    if clause.predicate[0] != "v":
        return []
    found = []
    for state in concepts()[clause.predicate].post:
        np, other = clause.role(state.role), clause.role(state.other) if state.other else None
        if np is not None and (not state.other or other is not None):
            found.append((state, np, other))
    return found


def follow(stage: Stage, state: State, np: NP, other: NP | None, tense: str = "past") -> Clause | None:
    """An event that a state gives rise to, with the same participants."""
    verb, need = stage.rng.choice(verbs_needing(state.name) or (("", state),))
    if not verb or verb in stage.used:
        return None
    fixed = {need.role: np} | ({need.other: other} if other is not None and need.other else {})
    return event(stage, verb, {k: replace(v, adjectives=()) for k, v in fixed.items()}, tense)
