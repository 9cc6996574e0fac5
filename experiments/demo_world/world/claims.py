"""Premises that entail, leave open or contradict a hypothesis chosen beforehand."""

from dataclasses import replace

from world.basics import act, is_so, named, whole
from world.concepts import KINDS, Role, adjectives_of, by_type, concepts, fillers
from world.message import NP, Clause, Sentence
from world.stage import PASSING, Stage, new_entity, refer

MIRRORS = {"v.sell": "v.buy", "v.lend": "v.borrow"}
GRADED = [a for a in adjectives_of("n.poet") if concepts()[a].opposite and a[2:] not in PASSING]
OPEN_PLACES = ("n.market", "n.square", "n.harbour", "n.park", "n.village", "n.camp", "n.fairground", "n.playground")
SITE = Role("place", False, fillers("room,building,site"))


def detailed(stage: Stage, clause: Clause) -> Clause:
    """The same event with the time added, which says no less."""
    return replace(clause, time=clause.time or stage.rng.choice(by_type("time.past")))


def around(stage: Stage, clause: Clause) -> Sentence:
    """A premise that asserts the clause together with a second, unrelated event."""
    other = act(stage, "past", stage.cast[2])
    if other is None or other.predicate == clause.predicate:
        other = Clause("w.rain")
    # A time or reason under a negation would leave open what is denied.
    links = ("and", "although") if clause.negative else ("and", "when", "although", "before", "after", "because")
    link = stage.rng.choice(links)
    link = "when" if other.predicate == "w.rain" and link in ("before", "after") else link
    if link == "and" and stage.rng.random() < 0.5:
        return Sentence(other, link=link, sub=clause)
    return Sentence(clause, link=link, sub=other, front=link != "and" and stage.rng.random() < 0.5)


def denied(clause: Clause) -> Clause:
    """The opposite claim about the same event."""
    return replace(clause, negative=not clause.negative)


def open_question(stage: Stage, clause: Clause) -> Sentence:
    """A premise about the event that does not settle whether it took place."""
    agent = clause.role("agent")
    assert agent is not None
    plain = replace(clause, negative=False)
    others = [n for n in stage.cast if n.concept != agent.concept]
    if stage.rng.random() < 0.4:
        wish = replace(plain, modal="want", adverb="", time="", negative=stage.rng.random() < 0.5)
        return Sentence(wish) if stage.rng.random() < 0.5 else around(stage, wish)
    if stage.rng.random() < 0.6:
        believer = Clause(stage.rng.choice(("v.hope", "v.believe", "v.think")), (("agent", others[0]),))
        inner = replace(clause, tense="future", time="", negative=stage.rng.random() < 0.5)
        return Sentence(believer, link="that", sub=inner)
    roles = tuple((role, others[0] if role == "agent" else np) for role, np in plain.roles)
    return Sentence(replace(plain, roles=roles, negative=True))


def about_event(stage: Stage, label: int) -> tuple[Sentence, Sentence] | None:
    """An event took place or did not."""
    agent = stage.cast[0]
    clause = act(stage, "past", agent, ("w", "m", "c", "x", "s", "e"))
    if not clause or any(n.form == "self" or n.owner or n.others for _, n in clause.roles):
        return None
    if any(named(n) and n.concept != agent.concept for _, n in clause.roles):
        return None
    # Definite things: "did not repair a pump" would leave another pump open.
    roles = tuple(
        (r, n if n.form == "name" else replace(n, form="known") if n.count == 1 else n) for r, n in clause.roles
    )
    hypothesis = replace(clause, roles=roles, adverb="", time="", negative=stage.rng.random() < 0.5)
    if label == 1:
        return open_question(stage, hypothesis), Sentence(hypothesis)
    truth = hypothesis if label == 0 else denied(hypothesis)
    # Only what is asserted may be made more precise; a denied detail would leave the event itself open.
    if not truth.negative and stage.rng.random() < 0.6:
        truth = detailed(stage, truth)
    return (Sentence(truth) if truth != hypothesis and stage.rng.random() < 0.4 else around(stage, truth)), Sentence(
        hypothesis
    )


def about_kind(stage: Stage, label: int) -> tuple[Sentence, Sentence] | None:
    """A goat is an animal: the hypothesis names the kind, the premise the member."""
    kind_type = stage.rng.choice(list(KINDS))
    one = stage.rng.choice(by_type(kind_type))
    verb = {"fruit": "v.buy", "vegetable": "v.buy", "building": "v.visit"}.get(
        kind_type, stage.rng.choice(("v.see", "v.find", "v.draw", "v.admire"))
    )
    roles = (("agent", stage.cast[0]),)
    thing = Clause(verb, (*roles, ("object", NP(one))))
    broad = KINDS[kind_type]
    negative = stage.rng.random() < 0.5
    hypothesis = replace(thing, roles=(*roles, ("object", NP(broad))), negative=negative)
    if label == 1:
        elsewhere = NP(stage.rng.choice(OPEN_PLACES if kind_type == "building" else by_type("clothes")))
        premise = replace(thing, roles=(*roles, ("object", elsewhere)), negative=stage.rng.random() < 0.5)
    elif (label == 0) != negative:
        premise = thing
    else:
        premise = replace(hypothesis, negative=True)
        return around(stage, premise), Sentence(hypothesis)
    return around(stage, premise) if stage.rng.random() < 0.5 else Sentence(detailed(stage, premise)), Sentence(
        hypothesis
    )


def about_measure(stage: Stage, label: int) -> tuple[Sentence, Sentence] | None:
    """Taller means the other is shorter."""
    one, two = stage.cast[:2]
    adjective, other = stage.rng.sample(GRADED, 2)
    if concepts()[adjective].opposite == other:
        return None
    hypothesis = Clause(adjective, (("agent", one), ("standard", two)))
    turned = Clause(concepts()[adjective].opposite, (("agent", two), ("standard", one)))
    swapped = Clause(adjective, (("agent", two), ("standard", one)))
    opposite = Clause(concepts()[adjective].opposite, (("agent", one), ("standard", two)))
    foreign = Clause(other, (("agent", one), ("standard", two)))
    third = Clause(adjective, (("agent", one), ("standard", stage.cast[2])))
    premise = stage.rng.choice(((turned, hypothesis), (foreign, third), (swapped, opposite))[label])
    return (
        around(stage, premise) if premise == hypothesis or stage.rng.random() < 0.4 else Sentence(premise)
    ), Sentence(hypothesis)


def about_place(stage: Stage, label: int) -> tuple[Sentence, Sentence] | None:
    """Somebody was at one place and so at no other."""
    one, two = (refer(stage, replace(new_entity(stage, SITE, None), adjectives=())) for _ in "ab")
    if one.concept == two.concept:
        return None
    who, other = stage.cast[:2]
    hypothesis = Clause("be.at", (("agent", who), ("place", one)))
    at_other = Clause("be.at", (("agent", who), ("place", two)))
    busy = Clause(stage.rng.choice(("v.work", "v.meet", "v.wait")), (("agent", who), ("object", other), ("place", one)))
    if busy.predicate == "v.work":
        busy = Clause("v.work", (("agent", who), ("companion", other), ("place", one)))
    if label == 0:
        return stage.rng.choice((Sentence(busy), around(stage, hypothesis))), Sentence(hypothesis)
    if label == 2:
        no = replace(hypothesis, negative=True)
        return Sentence(no, link="but", sub=at_other) if stage.rng.random() < 0.5 else around(stage, no), Sentence(
            hypothesis
        )
    wish = Clause("v.go", (("agent", who), ("goal", one)), modal="want")
    alone = Clause("be.at", (("agent", other), ("place", one)), negative=stage.rng.random() < 0.5)
    return stage.rng.choice((Sentence(wish), around(stage, alone), Sentence(alone))), Sentence(hypothesis)


def about_state(stage: Stage, label: int) -> tuple[Sentence, Sentence] | None:
    """A property and its opposite."""
    who = stage.cast[0]
    adjective, other = stage.rng.sample(GRADED, 2)
    if concepts()[adjective].opposite == other:
        return None
    negative = stage.rng.random() < 0.5
    hypothesis = replace(is_so(who, adjective), negative=negative)
    if label == 1:
        premise = replace(is_so(who, other), negative=stage.rng.random() < 0.5)
    elif (label == 0) == negative:
        premise = stage.rng.choice(
            (is_so(who, concepts()[adjective].opposite, degree="d.very"), replace(hypothesis, negative=True))
        )
    else:
        premise = is_so(who, adjective, degree="d.very")
    return around(stage, premise), Sentence(hypothesis)


def about_exchange(stage: Stage, label: int) -> tuple[Sentence, Sentence] | None:
    """Who sells to somebody is bought from."""
    verb = stage.rng.choice(list(MIRRORS))
    agent, hearer = stage.cast[:2]
    thing = new_entity(stage, next(r for r in concepts()[verb].roles if r.name == "object"), None)
    if thing.owner:
        return None
    thing = replace(whole(thing), form="known")
    clause = Clause(verb, (("agent", agent), ("object", thing), ("recipient", hearer)))
    mirror = MIRRORS[verb]
    mirrored = Clause(mirror, (("agent", hearer), ("object", thing), ("source", agent)))
    negative = stage.rng.random() < 0.5
    hypothesis = replace(mirrored if stage.rng.random() < 0.5 else clause, negative=negative)
    premise = replace(clause if hypothesis.predicate == mirror else mirrored, negative=negative)
    if label == 1:
        premise = replace(premise, modal="want", negative=stage.rng.random() < 0.5)
    elif label == 2:
        premise = denied(premise)
    return Sentence(premise) if stage.rng.random() < 0.5 else around(stage, premise), Sentence(hypothesis)


SHAPES = (about_event, about_event, about_event, about_kind, about_measure, about_place, about_state, about_exchange)
