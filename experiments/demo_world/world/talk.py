"""Moves of people who speak to each other: opinions, plans, questions, answers, requests."""

from dataclasses import replace

from world.basics import ACTIVE, Move, act, is_so
from world.concepts import adjectives_of, by_type, concepts, verbs_needing
from world.mention import is_person, same
from world.message import NP, Clause, Sentence
from world.stage import PASSING, Stage, event, new_entity, refer, timed


def compare(stage: Stage, tense: str = "past") -> Sentence | None:
    """Somebody's or something's measure against another's."""
    rng = stage.rng
    one, two = rng.sample(stage.cast, 2) if len(stage.cast) > 1 else (stage.cast[0], stage.cast[0])
    if same(one, two):
        return None
    if rng.random() < 0.5:
        thing = rng.choice(
            by_type(rng.choice(("clothes", "furniture", "container", "farm", "pet", "music", "vehicle")))
        )
        fit = [a for a in adjectives_of(thing) if a[2:] not in PASSING]
        pair = [NP(thing, "known", owner=n) for n in (one, two)]
        return Sentence(Clause(rng.choice(fit), (("agent", pair[0]), ("standard", pair[1])), tense)) if fit else None
    fit = [a for a in adjectives_of("n.poet") if a[2:] not in PASSING]
    return Sentence(Clause(rng.choice(fit), (("agent", one), ("standard", two)), tense))


def opinion(stage: Stage) -> Sentence | None:
    """A liking, a comparison or a belief, now."""
    pick = stage.rng.random()
    if pick < 0.3:
        return compare(stage, "present")
    clause = act(stage, "habit", None, ("f",) if pick < 0.65 else ACTIVE)
    if not clause:
        return None
    if pick < 0.65:
        return Sentence(replace(clause, time=""))
    if clause.time:
        return Sentence(clause)
    return Sentence(replace(clause, adverb=stage.rng.choice(by_type("frequency"))))


def future(stage: Stage) -> Sentence | None:
    """A plan, perhaps with its purpose."""
    clause = act(stage, stage.rng.choice(("future", "future", "future", "present")))
    if clause and clause.tense == "present":
        return Sentence(clause)
    if not clause or stage.rng.random() < 0.6:
        return Sentence(clause, opener=stage.rng.choice(("", "", "o.perhaps"))) if clause else None
    modal = stage.rng.choice(("want", "must", "can"))
    return Sentence(replace(clause, time="", tense="present", modal=modal))


def question(stage: Stage) -> Sentence | None:
    """A yes-no or wh-question about an event."""
    rng = stage.rng
    kind = rng.choice(("question", "question", "who", "what", "where", "when", "why"))
    clause = act(stage, rng.choice(("past", "past", "future", "future" if kind == "when" else "present")))
    if not clause:
        return None
    gone = {"who": "agent", "what": "object", "where": "place"}.get(kind, "")
    filler = clause.role(gone) if gone else None
    if gone and (filler is None or is_person(filler) != (kind == "who")):
        return None
    if kind == "who" and any(np.form == "self" or np.owner for _, np in clause.roles):
        return None
    if gone:
        clause = replace(clause, roles=tuple((r, n) for r, n in clause.roles if r != gone))
    return Sentence(replace(clause, time="" if kind == "when" else clause.time, adverb=""), kind)


def answer(asked: Sentence | None, me: NP, you: NP) -> Move | None:
    """A reply to the partner's question, with persons turned round."""
    if asked is None or asked.kind not in ("question", "who", "why", "when", "where", "what"):
        return None

    def turned(np: NP) -> NP:
        np = replace(np, owner=turned(np.owner) if np.owner else None)
        if np.person < 3:
            return replace(me if same(np, me) else you, form=np.form)
        return np

    heard = replace(asked.main, roles=tuple((r, turned(n)) for r, n in asked.main.roles))
    frame = {r.name: r for r in concepts()[heard.predicate].roles}

    def reply(stage: Stage) -> Sentence | None:
        rng, clause = stage.rng, replace(heard, roles=tuple((r, refer(stage, n)) for r, n in heard.roles))
        if asked.kind == "why":
            who = clause.role("agent")
            states = [s.name for s in concepts()[clause.predicate].pre if s.role == "agent" and not s.other] or [
                "curious",
                "happy",
            ]
            if not who or not is_person(who):
                return None
            return Sentence(
                clause,
                link="because",
                sub=is_so(who, f"a.{rng.choice(states)}", clause.tense if clause.tense == "past" else "present"),
            )
        if asked.kind == "question":
            no = rng.random() < 0.5
            return Sentence(replace(clause, negative=no), opener="o.no" if no else "o.yes")
        if asked.kind == "when":
            return Sentence(timed(stage, clause, 1))
        missing = {"who": "agent", "where": "place", "what": "object"}[asked.kind]
        filler = refer(stage, new_entity(stage, frame[missing], clause.role("agent")))
        if is_person(filler) != (missing == "agent") or any(same(filler, n) for _, n in clause.roles):
            return None
        return Sentence(replace(clause, roles=(*clause.roles, (missing, filler))))

    return reply


def condition(stage: Stage) -> Sentence | None:
    """If somebody is in a state, a fitting future event or piece of advice."""
    rng = stage.rng
    state = rng.choice(
        ("hungry", "tired", "ill", "thirsty", "bored", "lonely", "worried", "afraid", "curious", "late", "sad", "cold")
    )
    verb, need = rng.choice(verbs_needing(state))
    who = rng.choice(stage.cast)
    if need.role != "agent":
        return None
    clause = event(stage, verb, {"agent": who}, "future")
    return (
        Sentence(clause, link="if", sub=is_so(who, f"a.{state}", "present"), front=rng.random() < 0.6)
        if clause
        else None
    )


def request(stage: Stage) -> Sentence | None:
    """A command to the hearer."""
    hearer = next((n for n in stage.cast if n.person == 2), None)
    clause = act(stage, "command", hearer, ("w", "m", "s")) if hearer else None
    if not clause:
        return None
    negative = stage.rng.random() < 0.2
    return Sentence(
        replace(clause, negative=negative, adverb="" if negative else clause.adverb), "command", opener="o.please"
    )


def quoted(stage: Stage) -> Sentence | None:
    """Direct speech of somebody in the text."""
    speaker = replace(stage.rng.choice(stage.cast))
    if speaker.person < 3:
        return None
    me = replace(speaker, form="pronoun", person=1)
    others = [replace(n, form="name", person=3) for n in stage.cast if n.concept != speaker.concept]
    inside = replace(stage, cast=[me, *others], focus=None)
    said = stage.rng.choice((future, opinion, question, condition))(inside)
    if not said:
        return None
    return replace(said, speaker=speaker, quote="said" if said.kind == "statement" else "asked")


TALK: dict[Move, int] = {
    question: 8, future: 4, opinion: 3, request: 3, condition: 2, compare: 1,
}  # fmt: skip
OUTLOOK: dict[Move, int] = {
    question: 5, future: 5, condition: 3, opinion: 2, request: 1,
}  # fmt: skip
