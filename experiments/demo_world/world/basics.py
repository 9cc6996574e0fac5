"""What all discourse moves are built from: any event, a state, somebody, the entity behind a mention."""

from collections.abc import Callable
from dataclasses import replace

from world.concepts import State, verbs
from world.message import NP, Clause, Sentence
from world.stage import Stage, event, refer, timed

Move = Callable[[Stage], Sentence | None]
ACTIVE = ("m", "w", "e", "s", "x", "c")


def is_so(np: NP, adjective: str, tense: str = "past", degree: str = "") -> Clause:
    """Somebody or something is in a state."""
    return Clause(adjective, (("agent", np),), tense, adverb=degree)


def anybody(stage: Stage) -> NP:
    """The person in focus, or another of the cast."""
    if stage.focus and stage.rng.random() < 0.5:
        return (
            replace(refer(stage, replace(stage.focus, form="name")), person=3) if named(stage.focus) else stage.cast[0]
        )
    return stage.rng.choice(stage.cast)


def named(np: NP) -> bool:
    """Whether a mention is of a person with a name."""
    return np.concept[:2] == "p."


def act(stage: Stage, tense: str = "past", who: NP | None = None, classes: tuple[str, ...] = ACTIVE) -> Clause | None:
    """Any sensible event, usually by a known person."""
    for _ in range(6):
        clause = event(stage, stage.rng.choice(verbs(*classes)), {"agent": who} if who else None, tense)
        if clause:
            return timed(stage, clause)
    return None


def chosen_state(stage: Stage) -> tuple[State, NP, NP | None] | None:
    """A state left by what was told, persons with names or things only."""
    usable = [s for s in stage.states if s[1].form != "pronoun" or named(s[1])]
    if not usable:
        return None
    state, np, other = stage.rng.choice(usable)
    return state, whole(np), whole(other) if other else None


def whole(np: NP) -> NP:
    """The entity behind a mention."""
    np = replace(np, adjectives=(), relation="")
    if np.owner and np.owner.form == "self":
        np = replace(np, owner=whole(np.owner))
    if np.concept[:2] in ("p.", "g."):
        return replace(np, form="pronoun" if np.person < 3 else "name")
    return replace(np, form="known")
