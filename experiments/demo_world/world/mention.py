"""Judgements about mentions: who is a person, which are the same, where a pronoun is clear."""

from dataclasses import replace

from world.concepts import concepts
from world.message import NP, Clause, Sentence


def is_person(np: NP) -> bool:
    """Whether a mention is of a human being."""
    return np.concept[:2] == "p." or concepts()[np.concept].type in ("people", "profession", "kin")


def same(one: NP | None, two: NP | None) -> bool:
    """Whether two mentions are of the same entity."""
    return (
        one is not None
        and two is not None
        and ((one.concept, one.owner and one.owner.concept) == (two.concept, two.owner and two.owner.concept))
    )


def swap(clause: Clause, role: str) -> Clause:
    """Replace one role's filler by a pronoun."""
    roles = clause.roles
    it = {r: replace(np, form="pronoun", adjectives=(), owner=None, relation="") for r, np in roles if r == role}
    return replace(clause, roles=tuple((r, it.get(r, np)) for r, np in roles))


def presumptuous(sentence: Sentence) -> bool:
    """Telling hearers what they do, or asking them what the speaker does, sounds wrong."""
    agent = sentence.main.role("agent")
    if agent is None or agent.person == 3 or sentence.main.predicate == "v.need" or sentence.link == "if":
        return False
    if sentence.kind == "statement":
        return agent.person == 2
    return sentence.kind != "command" and agent.person == 1
