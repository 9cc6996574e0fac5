"""Settles a proposed sentence: pronouns, split, and what the document remembers of it."""

from dataclasses import replace

from world.concepts import admits
from world.mention import is_person, presumptuous, same, swap
from world.message import Sentence
from world.stage import Stage, outcomes


def with_pronouns(stage: Stage, sentence: Sentence) -> Sentence:
    """Use pronouns where it stays clear who is meant."""
    main, sub = sentence.main, sentence.sub
    first, second = (sub, main) if sentence.front and sub else (main, sub)
    agent = first.role("agent")
    if agent and same(agent, stage.focus) and stage.rivals == 0 and stage.rng.random() < 0.75:
        first = swap(first, "agent")
    if second and agent:
        others = [np for r, np in first.roles if r != "agent" and is_person(np) == is_person(agent)]
        rivals = [np for np in others if not is_person(agent) or np.sex == agent.sex]
        for role, np in second.roles:
            if same(np, agent) and not rivals:
                second = swap(second, role)
    thing = first.role("object")
    if second and thing and not is_person(thing) and same(thing, second.role("object")) and thing.form != "name":
        second = swap(second, "object")
    if sentence.front and second:
        return replace(sentence, main=second, sub=first)
    return replace(sentence, main=first, sub=second)


def accept(stage: Stage, sentence: Sentence | None) -> Sentence | None:
    """Settle pronouns, keep to the split, and remember what has been said."""
    if sentence is None:
        return None
    if sentence.kind not in ("greeting", "closing"):
        sentence = with_pronouns(stage, sentence)
    if presumptuous(sentence) or not admits(sentence, stage.split):
        return None
    people = {}
    for clause in (sentence.main, sentence.sub):
        if clause is None:
            continue
        stage.used.add(clause.predicate)
        for role, np in clause.roles:
            for one in (np, *np.others):
                if is_person(one):
                    people[one.concept] = one
                elif role == "object" and one.concept not in stage.seen and not one.owner and one.form == "new":
                    stage.props.append(replace(one, adjectives=(), others=()))
                stage.seen.add(one.concept)
        if clause.tense == "past" and not clause.negative and not clause.modal:
            stage.states = [*outcomes(clause), *stage.states][:6]
    agent = sentence.main.role("agent")
    stage.focus = agent if not sentence.quote and agent and is_person(agent) and agent.person == 3 else None
    stage.rivals = sum(1 for p in people.values() if agent and p.sex == agent.sex and not same(p, agent))
    return sentence
