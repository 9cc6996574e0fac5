"""Arabic without vowel signs, verb first; و ف ب ل س are written as one with the next word, لل forms are stored."""

from dataclasses import replace
from typing import Any

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence

FREQUENCY = ("adv.always", "adv.often", "adv.sometimes", "adv.usually", "adv.rarely")


def join(*words: str) -> str:
    """Words in a row; a particle of one letter stands right before the next word."""
    text = " ".join(word + "+" if word in ("و", "ف", "ب", "ل", "س") else word for word in words if word)
    return text.replace("+ ", "")


def pick(forms: Any, case: int) -> str:
    """Nominative 0, accusative 1, genitive 2; one string where all are spelled alike."""
    return forms if isinstance(forms, str) else str(forms[case])


def entry(np: NP, lex: Lexicon) -> Any:
    """A noun's forms for its sex; a plural without number may be a collective noun."""
    noun = lex[np.concept].get(np.sex, lex[np.concept])
    return noun.get("coll", noun) if np.count == 0 else noun


def features(np: NP, lex: Lexicon) -> str:
    """Number (s, d, p) and gender that adjectives take; plural things and animals are feminine singular."""
    gender = np.sex or ("f" if np.form == "name" else entry(np, lex)["g"])
    if np.count == 1 or np.person < 3 or (np.count == 0 and "one" in entry(np, lex)):
        return "s" + gender
    return "d" + gender if np.count == 2 else "p" + gender if np.sex else "sf"


def person(np: NP | None, lex: Lexicon) -> str:
    """The verb form or pronoun that agrees with an agent."""
    if np is None or np.person < 3:
        return "sm" if np is None else "1" if np.person == 1 else "2" + (np.sex or "m")
    return features(np, lex)


def mention(np: NP, lex: Lexicon, case: int = 1, mark: str = "") -> str:
    """A noun phrase with its preposition, if any."""
    if np.others:
        parts = [mention(replace(np, others=()), lex, case, mark)]
        return join(*parts, *(join("و", mention(other, lex, case)) for other in np.others))
    if np.form == "pronoun":
        return str(lex["x.with"][mark or "إيا"][person(np, lex)])
    if np.form == "name":
        forms = lex[np.concept]
        return str(forms[mark]) if mark in forms else f"{mark} {forms['']}"
    noun, key, counted = entry(np, lex), features(np, lex), np.count > 2
    if np.owner:
        if np.owner.form in ("pronoun", "self"):
            return join(mark, pick(noun["own"][person(np.owner, lex)], case), noun.get("after", ""))
        return join(mark, pick(noun["construct"], case), mention(np.owner, lex, 2), noun.get("after", ""))
    state = "i" if np.form == "new" else "d"
    size = key[0] if np.count in (1, 2) else "s" if (np.count > 10 and state == "i") or "one" in noun else "p"
    inner = case if not counted or state == "d" else 1 if np.count > 10 else 2
    first = noun[size + "l"] if mark == "ل" and state == "d" else join(mark, pick(noun[size + state], inner))
    kinds = [lex[one] if np.sex else lex[one].get("thing", lex[one]) for one in np.adjectives]
    words = [first, *(pick(kind[key[1]][key[0] + state], inner) for kind in kinds)]
    if counted and state == "d":
        words.append(pick(lex[f"q.{np.count}"]["the " + noun["g"]], case))
    elif counted:
        words = [mark, pick(lex[f"q.{np.count}"][noun["g"]], case), pick(noun[size + state], inner), *words[1:]]
    return join(*words)


def mark_of(role: str, np: NP | None, clause: Clause, lex: Lexicon) -> str:
    """The preposition of a role; empty for a direct object."""
    roles = lex[clause.predicate if clause.predicate.startswith("v.") else "x.be"]["roles"]
    mark = str(roles.get(role, lex["x.marks"][role]))
    if np is None or np.relation:
        return str(lex[np.relation]) if np else mark
    if role == "recipient" and np.form != "pronoun" and not mark and "object" not in roles:
        return "ل" if (thing := clause.role("object")) and thing.form == "pronoun" else ""
    if np.form in ("name", "pronoun"):
        return "في" if mark == "LOC" else mark
    return str(entry(np, lex)["in"]) if mark == "LOC" else str(entry(np, lex).get(role, mark))


def adjunct(role: str, np: NP, clause: Clause, lex: Lexicon) -> str:
    """A role with its preposition; what is loved or feared in general takes the article."""
    if role == "transport":
        return str(lex[np.concept]["by"])
    if role == "object" and "general" in lex[clause.predicate] and np.form == "new" and np.count < 2:
        np = replace(np, form="bare", count=0 if "coll" in lex[np.concept] else np.count)
    mark, agent = mark_of(role, np, clause, lex), clause.role("agent")
    if np.owner and np.owner.form == "self" and agent:
        np = replace(np, owner=replace(agent, form="pronoun"))
    return mention(np, lex, 2 if mark else 1, mark)


def tail(clause: Clause, lex: Lexicon, attached: str, case: int) -> str:
    """What follows verb and subject: quality, pronouns, objects, manner, the rest, time."""
    agent, standard, kind = clause.role("agent"), clause.role("standard"), clause.predicate[:2]
    verb: Any = lex[clause.predicate if kind == "v." else "x.be"]
    words: list[str] = []
    manner: Any = lex[clause.adverb] if clause.adverb and clause.adverb not in FREQUENCY else ""
    if standard:
        words = [lex[clause.predicate]["more"], mention(standard, lex, 2, "من")]
    elif kind == "n." and agent:
        words = [pick(entry(NP(clause.predicate, sex=agent.sex), lex)["si"], case)]
    elif kind == "a." and agent:
        still, key, forms = clause.adverb == "d.still", features(agent, lex), lex[clause.predicate]
        forms = forms if agent.sex else forms.get("thing", forms)
        words = [manner[person(agent, lex)] if still else "", pick(forms[key[1]][key[0] + "i"], 1 if still else case)]
        manner = "" if still else manner
    pair = ["recipient", "object"] if "early" in verb else ["object", "recipient"]
    order = [*pair, *(role for role in lex["x.marks"] if role not in pair)]
    found = [(r, np) for r in order if (np := clause.role(r)) and r != attached]
    light = [r for r, np in found if np.form == "pronoun" and mark_of(r, np, clause, lex)]
    words += [adjunct(r, np, clause, lex) for r, np in found if r in light]
    words += [adjunct(r, np, clause, lex) for r, np in found if r in pair and r not in light] + [verb["plus"], manner]
    words += [adjunct(r, np, clause, lex) for r, np in found if r not in pair and r not in light]
    return join(*words, lex[clause.time] if clause.time else "")


def say_clause(clause: Clause, lex: Lexicon, tense: str = "", particle: str = "", hidden: bool = False) -> str:
    """A clause, verb first (its agent may be hidden), or after a particle that wants the subject right behind it."""
    tense, agent, kind = tense or clause.tense, clause.role("agent"), clause.predicate[:2]
    if kind == "w.":
        return join(particle, lex[clause.predicate][tense][1 if particle else 0])
    shown = agent is not None and agent.form != "pronoun" and not hidden
    subject = mention(agent, lex, 0) if agent and shown else ""
    early = lex[clause.adverb] if clause.adverb in FREQUENCY else ""
    key = "s" + features(agent, lex)[1] if agent and shown and not particle else person(agent, lex)
    if particle and agent:
        early = join(mention(agent, lex, 1, particle) if shown else particle + lex["x.me"][key], early)
        subject = ""
    inner = (
        join("أن", say_clause(replace(clause, modal="", negative=False), lex, "sub", "", True)) if clause.modal else ""
    )
    if clause.modal == "must" and agent:
        return join("كان" if tense == "past" else "يجب", mention(agent, lex, 2, "على"), inner)
    if kind != "v." and tense in ("present", "habit"):
        subject = subject if subject or particle else lex["x.I"][key]
        return join(early, subject, tail(clause, lex, "", 0))
    forms = lex[f"x.{clause.modal}" if clause.modal else clause.predicate if kind == "v." else "x.be"]
    forms = forms if clause.modal or not (o := clause.role("object")) else lex[o.concept].get(clause.predicate, forms)
    denied = clause.negative or clause.adverb == "adv.never"
    negation, mood = lex["x.moods"][tense + (" not" if denied else "")]
    verb, attached = forms[mood][key], ""
    direct = [(r, np) for r in ("recipient", "object") if (np := clause.role(r)) and not mark_of(r, np, clause, lex)]
    if direct and direct[0][1].form == "pronoun" and not clause.modal:
        attached = direct[0][0]
        verb = forms["joined"].get(verb, verb) + lex["x.me"][person(direct[0][1], lex)]
    there = "هناك" if clause.predicate == "be.exist" else ""
    return join(early, negation, verb, there, subject, inner or tail(clause, lex, attached, 1))


def linked(text: str, sentence: Sentence, lex: Lexicon) -> str:
    """Main and linked clause in their order."""
    main, sub, link, front = sentence.main, sentence.sub, sentence.link, sentence.front
    assert sub is not None
    if link == "that":
        that = lex[main.predicate]["that"]
        if that != "hope":
            return join(text, say_clause(sub, lex, "", that))
        if sub.tense == "future" or sub.predicate[0] != "v":
            return join(text, "أن", say_clause(sub, lex, "sub"))
        agent = Clause("be.so", tuple(role for role in sub.roles if role[0] == "agent"))
        done = "قد" if sub.tense == "past" and not sub.negative else ""
        return join(text, "أن", say_clause(agent, lex, "sub"), done, say_clause(sub, lex, hidden=True))
    word, tense, style = lex["x.links"]["since" if link == "because" and front else link]
    other = say_clause(sub, lex, tense, word if style == "an" else "", style == "hide")
    other = other if style == "an" else join(word, other)
    if not front:
        return f"{text}{'،' if link in ('but', 'so') else ''} {other}"
    told = link == "because" and main.tense == "past" and not main.negative
    return f"{other}، " + (join("فقد", text) if told else join("ف", text) if link in ("because", "if") else text)


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with punctuation and, if any, its speaker."""
    main, kind, speaker = sentence.main, sentence.kind, sentence.speaker
    if kind == "closing":
        return join(lex["x.closing"], mention(main.roles[0][1], lex, 2, "من")) + "."
    if kind == "greeting":
        np = main.roles[0][1]
        name = mention(np, lex) if np.form == "name" else pick(entry(np, lex)["own"]["1"], 0)
        return (
            join(lex["x.dear"][np.sex], name) if np.form == "name" else join(name, lex["x.dear"]["the " + np.sex])
        ) + "،"
    ask = lex["x.ask"].get(kind, "")
    mark = mark_of("object" if kind == "what" else "place", None, main, lex) if kind in ("what", "where") else ""
    if mark and mark != "LOC":
        ask = join(mark, lex["x.ask"]["which " + kind])
    text = join(ask, say_clause(main, lex))
    text = linked(text, sentence, lex) if sentence.sub else text
    text = join(lex[sentence.opener] if sentence.opener else "", text) + ("؟" if ask else ".")
    if not speaker:
        return text
    name = mention(speaker, lex, 0)
    if sentence.quote == "turn":
        return f"{name}: {text}"
    return f"{lex['x.' + sentence.quote][speaker.sex]} {name}: «{text}»"
