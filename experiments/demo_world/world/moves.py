"""Moves of a narrative: each proposes one abstract sentence, or none when it does not work out."""

from dataclasses import replace

from world import setting, talk
from world.basics import ACTIVE, Move, act, anybody, chosen_state, is_so, named, whole
from world.concepts import adjectives_of, concepts, verbs, verbs_needing
from world.mention import is_person, same
from world.message import Clause, Sentence
from world.stage import Stage, event, follow, outcomes, timed

OPENERS = (
    "o.then",
    "o.later",
    "o.afterwards",
    "o.suddenly",
    "o.finally",
    "o.fortunately",
    "o.unfortunately",
    "o.meanwhile",
)
BAD_WEATHER = ("rain", "snow", "hot", "cold", "windy", "foggy", "dark", "thunder")
FEELINGS = tuple(
    f"a.{w}" for w in ["happy", "sad", "angry", "calm", "hungry", "thirsty", "tired", "worried", "proud", "lonely", "surprised", "bored", "grateful", "jealous", "satisfied", "afraid", "curious", "busy", "ashamed"]
)  # fmt: skip


def fresh(stage: Stage) -> Sentence | None:
    """A new event."""
    clause = act(stage, "past", anybody(stage) if stage.rng.random() < 0.6 else None)
    return (
        Sentence(clause, opener=stage.rng.choice(OPENERS) if stage.rng.random() < 0.2 and not clause.time else "")
        if clause
        else None
    )


def onward(stage: Stage) -> Sentence | None:
    """What a state told earlier leads to, with the state as reason when it can be said."""
    found = chosen_state(stage)
    clause = follow(stage, *found) if found else None
    if not found or not clause or clause.predicate in stage.used:
        return None
    state, np, _ = found
    if not state.other and stage.rng.random() < 0.6:
        reason = is_so(np, f"a.{state.name}")
        if stage.rng.random() < 0.35:
            return Sentence(reason, link="so", sub=clause)
        return Sentence(clause, link="because", sub=reason, front=stage.rng.random() < 0.4)
    clause = timed(stage, clause, 0.2)
    opener = stage.rng.choice(OPENERS) if stage.rng.random() < 0.45 and not clause.time else ""
    return Sentence(clause, opener=opener)


def sequence(stage: Stage) -> Sentence | None:
    """Two events of which the first makes the second possible."""
    rng = stage.rng
    one = act(stage, "past", anybody(stage))
    if not one:
        return None
    for state, np, other in rng.sample(outcomes(one), len(outcomes(one))):
        two = follow(stage, state, whole(np), whole(other) if other else None)
        if two and two.predicate != one.predicate:
            one, two = replace(one, time=""), replace(two, adverb="")
            if (
                state.name == "at"
                and same(one.role("agent"), two.role("agent"))
                and two.predicate not in ("v.leave", "v.enter", "v.return")
                and rng.random() < 0.6
            ):
                roles = tuple((r, n) for r, n in two.roles if r != "place" or n.concept != (other or np).concept)
                return Sentence(one, link="purpose", sub=replace(two, roles=roles))
            link = rng.choice(("after", "before", "and", "so", "when"))
            if link == "before":
                return Sentence(one, link=link, sub=two, front=rng.random() < 0.3)
            return (
                Sentence(one, link=link, sub=two)
                if link in ("and", "so")
                else Sentence(two, link=link, sub=one, front=not named(np) or other is not None or rng.random() < 0.5)
            )
    return None


def feel(stage: Stage) -> Sentence | None:
    """A feeling, with the state's event as its cause where one is known."""
    found, rng = [s for s in stage.states if not s[0].other and is_person(s[1])], stage.rng
    if found and rng.random() < 0.5:
        state, np, _ = rng.choice(found)
        if f"a.{state.name}" in stage.used:
            return None
        return Sentence(is_so(whole(np), f"a.{state.name}", degree=rng.choice(("", "d.very", "d.quite", "d.still"))))
    cause = act(stage)
    felt = [(s, n) for s, n, o in outcomes(cause) if not o and is_person(n)] if cause else []
    if not felt:
        return None
    state, np = rng.choice(felt)
    return Sentence(
        is_so(whole(np), f"a.{state.name}", degree=rng.choice(("", "", "d.very"))), link="because", sub=cause
    )


def describe(stage: Stage) -> Sentence | None:
    """A property of a thing told about, or two that stand in contrast."""
    usable = [p for p in stage.props if len(adjectives_of(p.concept)) > 1]
    if not usable:
        return None
    np = replace(stage.rng.choice(usable), form="known")
    one, two = stage.rng.sample(adjectives_of(np.concept), 2)
    if concepts()[one].opposite == two or stage.rng.random() < 0.4:
        return Sentence(is_so(np, one, degree=stage.rng.choice(("", "d.very", "d.quite", "d.too"))))
    return Sentence(is_so(np, one), link="but", sub=is_so(np, two))


def inner(stage: Stage, past: bool) -> Clause | None:
    """What is said or thought: relative to the saying."""
    rng = stage.rng
    pick = rng.random()
    if pick < 0.3 and stage.props:
        np = replace(rng.choice(stage.props), form="known")
        return is_so(np, rng.choice(adjectives_of(np.concept)), "present") if adjectives_of(np.concept) else None
    if pick < 0.45:
        return is_so(rng.choice(stage.cast), rng.choice(FEELINGS), "present")
    clause = act(stage, rng.choice(("past", "future", "present")), None, (*ACTIVE, "n"))
    return replace(clause, time="") if clause and past else clause


def report(stage: Stage) -> Sentence | None:
    """Reported speech or thought."""
    clause, content = act(stage, "past", None, ("r",)), inner(stage, True)
    return Sentence(replace(clause, time="", adverb=""), link="that", sub=content) if clause and content else None


def effort(stage: Stage) -> Sentence | None:
    """What somebody wanted or had to do, and what stood in the way."""
    rng, who = stage.rng, anybody(stage)
    one = event(stage, rng.choice(verbs("w", "m", "c")), {"agent": who}, modal=rng.choice(("want", "want", "must")))
    if not one:
        return None
    tool = one.role("instrument")
    if tool and not tool.adjectives:
        missing = Clause("v.find", (("agent", who), ("object", replace(tool, form="known", count=1))), negative=True)
        return Sentence(one, link="but", sub=missing)
    if rng.random() < 0.75:
        return Sentence(
            one,
            link="but",
            sub=is_so(
                who,
                rng.choice(("a.tired", "a.ill", "a.afraid", "a.busy", "a.late", "a.lazy")),
                degree=rng.choice(("", "d.too", "d.very")),
            ),
        )
    return Sentence(one, link="but", sub=Clause(f"w.{rng.choice(BAD_WEATHER)}"))


def although(stage: Stage) -> Sentence | None:
    """Something done or left undone against expectation."""
    rng = stage.rng
    states = rng.choice(("tired", "hungry", "afraid", "ill", "sad", "worried", "angry", "lonely", "bored", "thirsty"))
    verb, need = rng.choice(verbs_needing(states))
    who = anybody(stage)
    if need.role != "agent":
        return None
    if rng.random() < 0.5:
        clause = event(stage, verb, {"agent": who})
        clause = replace(clause, negative=True, adverb="") if clause else None
    else:
        clause = act(stage, "past", who, ("w",))
    if not clause:
        return None
    return Sentence(replace(clause, time=""), link="although", sub=is_so(who, f"a.{states}"), front=rng.random() < 0.6)


NARRATIVE: dict[Move, int] = {
    fresh: 5, onward: 9, sequence: 7, feel: 3, describe: 2, talk.compare: 1,
    report: 3, talk.quoted: 2, effort: 3, although: 2, setting.weather: 2,
}  # fmt: skip
