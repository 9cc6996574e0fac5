"""Moves of news, of instructions, and the formulas of letters."""

from dataclasses import replace

from world.basics import Move, act, is_so
from world.concepts import adjectives_of, by_type, concepts, verbs, verbs_needing
from world.message import NP, Clause, Sentence
from world.stage import Stage, event, takes, timed


def incident(stage: Stage) -> Sentence | None:
    """A public event in a town."""
    verb = stage.rng.choice(
        (*verbs("n"), "v.rescue", "v.arrest", "v.inspect", "v.plan", "v.discover", "v.cancel", "v.treat", "v.interview")
    )
    clause = event(stage, verb, extra=0.8)
    return Sentence(timed(stage, clause, 0.5)) if clause else None


def consequence(stage: Stage) -> Sentence | None:
    """Two public events, one because of the other."""
    one, two = incident(stage), incident(stage)
    if not one or not two or one.main.predicate == two.main.predicate:
        return None
    return Sentence(
        replace(one.main, time=""), link=stage.rng.choice(("before", "after", "when")), sub=replace(two.main, time="")
    )


def step(verb: str, opener: str) -> Move:
    """One step of a procedure, preferably with the things it needs."""

    def move(stage: Stage) -> Sentence | None:
        frame = {r.name: r for r in concepts()[verb].roles}
        fit = [p for p in stage.props if "object" in frame and takes(frame["object"], p)]
        fixed = {"agent": stage.cast[0]}
        if fit and stage.rng.random() < 0.75:
            fixed["object"] = stage.rng.choice(fit)
        clause = event(stage, verb, fixed, "command", 0.5)
        return (
            Sentence(
                clause, "command", opener=opener or stage.rng.choice(("", "", "", "o.then", "o.next", "o.afterwards"))
            )
            if clause
            else None
        )

    return move


def advice(stage: Stage) -> Sentence | None:
    """If a thing is in a state, do what helps."""
    np = replace(stage.rng.choice(stage.props), form="known")
    helps = [(v, s) for a in adjectives_of(np.concept) for v, s in verbs_needing(a[2:]) if s.role == "object"]
    if not helps:
        return None
    verb, state = stage.rng.choice(helps)
    clause = event(stage, verb, {"agent": stage.cast[0], "object": np}, "command", 0.3)
    return (
        Sentence(clause, "command", link="if", sub=is_so(np, f"a.{state.name}", "present"), front=True)
        if clause
        else None
    )


def prohibit(stage: Stage) -> Sentence | None:
    """What must not be done."""
    clause = act(stage, "command", stage.cast[0], ("w",))
    if not clause or clause.predicate in stage.used:
        return None
    return Sentence(replace(clause, negative=True, adverb=""), "command")


def caution(stage: Stage) -> Sentence | None:
    """Do one thing before or after another."""
    one, two = act(stage, "command", stage.cast[0], ("w",)), act(stage, "habit", stage.cast[0], ("w",))
    if not one or not two or one.predicate == two.predicate:
        return None
    return Sentence(one, "command", link="before", sub=replace(two, time=""), front=stage.rng.random() < 0.6)


def greeting(stage: Stage) -> Sentence:
    """The first line of a letter from the first of the cast to the second."""
    writer, reader = stage.cast
    return _formula("greeting", stage.rng.choice((reader, kin_of(stage, reader, writer, 1))))


def closing(stage: Stage) -> Sentence:
    """The last line of a letter."""
    writer, reader = stage.cast
    return _formula("closing", stage.rng.choice((writer, kin_of(stage, writer, reader, 2))))


def _formula(kind: str, who: NP) -> Sentence:
    return Sentence(Clause("be.at", (("agent", who),)), kind)


def kin_of(stage: Stage, who: NP, owner: NP, person: int) -> NP:
    """My uncle, your friend: a word for `who` that fits their sex."""
    fitting = [kin for kin in (*by_type("kin"), "n.friend", "n.neighbour") if concepts()[kin].sex in ("", who.sex)]
    return NP(
        stage.rng.choice(fitting),
        "known",
        sex=who.sex,
        owner=NP(owner.concept, "pronoun", person=person, sex=owner.sex),
    )
