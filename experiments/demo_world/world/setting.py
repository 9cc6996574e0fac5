"""Moves that set the scene: who people are, what they like, what is where, the weather."""

from dataclasses import replace

from world.basics import act, anybody
from world.concepts import Role, by_type, fillers
from world.mention import same
from world.message import Clause, Sentence
from world.stage import Stage, event, new_entity, refer

PLACE = Role("place", False, fillers("room,building,site,nature"))
THING = Role("object", False, fillers("tool,utensil,container,furniture,clothes,household,valuable,music,text"))


def introduce(stage: Stage) -> Sentence | None:
    """Who somebody is, with a second fact."""
    who, rng = stage.rng.choice(stage.cast), stage.rng
    job = Clause(rng.choice(by_type("profession")), (("agent", who),), "past")
    other = rng.choice([n for n in stage.cast if n != who])
    if {who.concept, other.concept} & stage.seen:
        return None
    if rng.random() < 0.5:
        second = act(stage, "past", who, ("f",))
        return Sentence(job, link="and", sub=replace(second, time="")) if second else None
    return Sentence(job, link="but", sub=Clause(rng.choice(by_type("profession")), (("agent", other),), "past"))


def habit(stage: Stage) -> Sentence | None:
    """What people like, own or fear."""
    one = act(stage, "past", anybody(stage), ("f",))
    two = event(stage, one.predicate, {"agent": anybody(stage)}, extra=0) if one else None
    if not one or not two or same(one.role("agent"), two.role("agent")) or same(one.role("object"), two.role("object")):
        return Sentence(replace(one, time="")) if one else None
    return Sentence(replace(one, time=""), link="but", sub=two)


def locate(stage: Stage) -> Sentence | None:
    """There was something somewhere."""
    thing = new_entity(stage, THING, stage.cast[0])
    place = refer(stage, replace(new_entity(stage, PLACE, None), adjectives=()))
    if thing.concept in stage.seen or thing.owner:
        return None
    return Sentence(Clause("be.exist", (("agent", thing), ("place", place)), "past"))


def weather(stage: Stage) -> Sentence | None:
    """The weather and what it led to or did not prevent."""
    sky, clause = Clause(stage.rng.choice(by_type("weather")), tense="past"), act(stage)
    if not clause:
        return None
    link = stage.rng.choice(("when", "when", "because", "although"))
    if link == "because":
        verb = stage.rng.choice(("v.close", "v.light", "v.hurry", "v.return", "v.rest", "v.sleep", "v.read", "v.sit"))
        clause = event(stage, verb)
        return Sentence(clause, link=link, sub=sky, front=stage.rng.random() < 0.4) if clause else None
    return Sentence(replace(clause, time=""), link=link, sub=sky, front=stage.rng.random() < 0.5)
