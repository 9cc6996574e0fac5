"""Hindi: says an abstract sentence with the forms stored in lexicon/hi.json."""

from dataclasses import replace
from typing import Any

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence


def kind_of(np: NP | None, lex: Lexicon) -> str:
    """Person, animal, or the type of a thing."""
    kind = np.concept[:2] if np else ""
    return str(lex[np.concept]["k"]) if np and kind == "n." else "person" if kind == "p." else ""


def agreement(np: NP, lex: Lexicon) -> int:
    """Row of agreeing forms: masculine singular, plural, feminine singular, plural; elders and you are plural."""
    entry = lex[np.concept] if np.concept[:2] == "n." else {}
    feminine = (np.sex or entry.get("gender")) == "f"
    many = np.person == 2 or bool(np.others) or np.count != 1 or ("polite" in entry and np.person == 3)
    return 2 * feminine + many


def mention(np: NP, lex: Lexicon, post: str | None = None) -> str:
    """A noun phrase with its postposition; None is the direct case, an empty string the oblique without a mark."""
    row, oblique = agreement(np, lex), post is not None
    if np.form == "pronoun":
        first, _, rest = (post or "").partition(" ")
        key = np.concept if np.concept[:2] == "x." else f"x.{np.person}{'p' if row % 2 and np.person == 3 else ''}"
        return f"{lex[key][first]} {rest}".strip()
    if np.others:
        parts = [mention(one, lex, "" if oblique else None) for one in (replace(np, others=()), *np.others)]
        return f"{', '.join(parts[:-1])} और {parts[-1]} {post or ''}".strip()
    if np.form == "name":
        return f"{lex[np.concept]} {post or ''}".strip()
    slot = 2 if row > 1 else int(oblique or row == 1)
    words = [described(adjective, np, lex)[slot] for adjective in np.adjectives]
    words += [lex[np.concept][np.sex][2 * (np.count != 1) + oblique], post or ""]
    if np.count > 1:
        words.insert(0, lex[f"q.{np.count}"][-1 if np.form == "known" and not np.owner else 0])
    if np.owner and np.owner.form == "self":
        words.insert(0, lex["x.self"][slot])
    elif np.owner:
        words.insert(0, mention(np.owner, lex, lex["x.of"][slot]))
    elif np.form in ("new", "any") and np.count == 1 and "mass" not in lex[np.concept]:
        words.insert(0, lex[f"x.{np.form}"][oblique])
    return " ".join(words).strip()


def described(adjective: str, np: NP, lex: Lexicon) -> list[str]:
    """The three forms of an adjective, chosen by what it describes."""
    return list(lex[adjective].get("alt", {}).get(kind_of(np, lex), lex[adjective]["forms"]))


def copula(tense: str, row: int, person: int, lex: Lexicon) -> str:
    """Is, was, will be."""
    return str(lex["x.am" if person == 1 and not row % 2 and tense in ("present", "habit") else f"x.{tense}"][row])


def adjunct(role: str, np: NP, verb: dict[str, Any], lex: Lexicon) -> str:
    """A role with its postposition."""
    post = verb.get("roles", {}).get(role, lex["x.posts"][role])
    if post in ("TO", "LOC"):
        own = lex["x.town" if np.form == "name" else np.concept]
        post = lex[np.relation] if np.relation else own["to" if post == "TO" else "in"]
    plain = role == "transport" or (role == "instrument" and np.form == "new")
    return mention(replace(np, form="bare") if plain else np, lex, post)


def object_mark(np: NP, verb: dict[str, Any], lex: Lexicon) -> str | None:
    """The postposition of an object; None for a plain direct object."""
    kind, asked, fixed = kind_of(np, lex), np.concept == "x.what", verb.get("roles", {}).get("object")
    if fixed or "agent" in verb:
        return fixed or None
    marked = np.form == "pronoun" or (fixed is None and (np.form == "name" or kind == "person"))
    return "को" if not asked and (marked or (fixed is None and kind == "animal" and np.form == "known")) else None


def variant(clause: Clause, lex: Lexicon) -> dict[str, Any]:
    """The verb, in another wording where the kind of its agent or object asks for it."""
    verb: dict[str, Any] = lex[clause.predicate]
    verb = verb.get("willed", verb) if clause.modal or clause.tense == "command" else verb
    for key, other in verb.get("alt", {}).items():
        role, kind = key.split(":")
        verb = other if kind_of(clause.role(role), lex) == kind else verb
    return verb


def verb_group(clause: Clause, verb: dict[str, Any], row: int, lex: Lexicon, kind: str, mode: str) -> list[str]:
    """The verb with what stands between its noun and itself; row is what it agrees with."""
    tense, ask, past = clause.tense, verb["ask"], clause.tense == "past"
    no = lex["x.ban" if kind == "command" else "x.not"] if clause.negative or clause.adverb == "adv.never" else ""
    core = verb["done"] if "done" in verb and past and not (no or ask or mode == "inf" or clause.modal) else verb
    form, noun = lex[core["v"]], core.get("noun", "")
    shape = mode if mode == "inf" else clause.modal or verb.get("shape", mode or tense)
    shape = tense if tense == "command" else shape + (mode or tense) if shape in ("must", "seated", "esteem") else shape
    parts = {
        "noun": noun[verb["theme"]] if isinstance(noun, list) else noun, "ask": ask, "no": no, "stem": form["stem"],
        "now": copula(tense, row, verb["person"], lex), "to": form["infinitive"][0], "inf": form["infinitive"][1],
        "duty": form["infinitive"][min(row, 2)], "habit": form["habit"][row], "done": form["done"][row],
        "since": form["done"][min(row, 2)], "command": form["command"],
        "future": form["future"][4 + row // 2 if verb["person"] == 1 else row],
    }  # fmt: skip
    return [lex[part][row] if part.startswith("x.") else parts[part] for part in lex["x.shapes"][shape]]


def say_clause(clause: Clause, lex: Lexicon, kind: str = "statement", mode: str = "") -> str:
    """A clause; mode shift puts an event further back, inf makes it an oblique infinitive."""
    if clause.predicate[:2] != "v.":
        return str(lex[clause.predicate][clause.tense]) if clause.predicate[:2] == "w." else state(clause, lex)
    verb, roles = variant(clause, lex), dict(clause.roles)
    agent = NP("x.who", "pronoun") if kind == "who" else roles.get("agent") if kind != "command" else None
    thing = NP("x.what", "pronoun") if kind == "what" else roles.get("object")
    if thing and thing.form == "new" and (clause.negative or clause.adverb == "adv.never"):
        thing = replace(thing, form="any")
    ergative = "ergative" in verb and clause.tense == "past" and verb.get("shape") != "lasting"
    mark = verb.get("agent") or ("ने" if ergative else None)
    mark = lex["x.duty"].get(clause.modal) if clause.modal else mark
    pronouns = [roles[role].form for role in ("object", "recipient") if role in roles] == ["pronoun", "pronoun"]
    case = object_mark(thing, verb, lex) if thing and not pronouns else None
    theme = agreement(thing, lex) if thing and case is None else 0
    row = agreement(agent, lex) if agent and mark is None else verb.get("agrees", theme)
    subject = mention(agent, lex, mark) if agent else ""
    verb = {**verb, "theme": min(theme, 2), "person": agent.person if agent and mark is None else 3}
    verb["ask"] = subject if kind == "who" else lex["x.ask"].get(kind, "")
    says = {role: adjunct(role, np, verb, lex) for role, np in roles.items() if role not in ("agent", "object")}
    named, adverb = mention(thing, lex, case) if thing else "", lex[clause.adverb or "x.none"]
    often = adverb in lex["x.often"]
    words = ["" if kind == "who" else subject, lex[clause.time or "x.none"], adverb if often else ""]
    words += [says.get(role, "") for role in lex["x.early"]] + [named if case == "को" else ""]
    words += [says.get(role, "") for role in ("recipient", "cause", "source")] + ["" if often else adverb]
    words += [verb.get("how", "")] + [says.get(role, "") for role in ("content", "material", "topic")]
    words += ["" if case == "को" else named, says.get("goal", "")][:: 1 if "far" in verb else -1]
    return " ".join(filter(None, words + verb_group(clause, verb, row, lex, kind, mode)))


def state(clause: Clause, lex: Lexicon) -> str:
    """Somebody is so, is one, is somewhere; something exists."""
    agent, place, standard = (clause.role(role) for role in ("agent", "place", "standard"))
    assert agent is not None
    row, subject, entry = agreement(agent, lex), mention(agent, lex), lex.entries.get(clause.predicate, "")
    where = adjunct("place", place, {}, lex) if place else ""
    extra = mention(standard, lex, lex["x.more"]) if standard else lex[clause.adverb or "x.none"]
    person, no = agent.person, lex["x.not"] if clause.negative else ""
    if "felt" in entry and kind_of(agent, lex) == "person":
        subject, extra = mention(agent, lex, "को"), f"{extra} {entry['felt'][0]}".strip()
        row, person = entry["felt"][1], 3
    elif clause.predicate[:2] == "n.":
        extra = entry[agent.sex][2 * (row % 2)]
    elif clause.predicate[:2] == "a.":
        extra = f"{extra} {described(clause.predicate, agent, lex)[min(row, 2)]}".strip()
    words = [where, subject] if clause.predicate == "be.exist" else [subject, where]
    return " ".join(filter(None, [*words, extra, no, copula(clause.tense, row, person, lex)]))


def ordered(main: Clause, sub: Clause) -> tuple[Clause, Clause]:
    """Main and linked clause when the linked one moves to the front: it takes the fuller mention."""
    mine, theirs = list(main.roles), list(sub.roles)
    for i, (role, one) in enumerate(main.roles):
        for j, (other, two) in enumerate(sub.roles):
            if one.concept != two.concept or one.form == "pronoun" or two.form == "new" or one.owner or two.owner:
                continue
            theirs[j] = (other, replace(one, relation=two.relation))
            again = replace(one, form="known" if one.form == "new" else one.form, adjectives=())
            mine[i] = (role, two if role == other == "agent" and two.form == "pronoun" else again)
    return replace(main, roles=tuple(mine)), replace(sub, roles=tuple(theirs))


def linked(sentence: Sentence, sub: Clause, lex: Lexicon) -> str:
    """Main and linked clause in their order."""
    main, link, front, patterns = sentence.main, sentence.link, sentence.front, lex["x.links"][sentence.link]
    one, two, mode = main.role("agent"), sub.role("agent"), ""
    if link in ("before", "after") and (not one or not two or (one.concept, one.owner) != (two.concept, two.owner)):
        early, late = (main, sub) if link == "before" else (sub, main)
        late, early = ordered(late, early) if front == (link == "before") else (late, early)
        return str(lex["x.thereafter"]).format(say_clause(early, lex), say_clause(late, lex))
    main, sub = (main, sub) if front or patterns[0] else ordered(main, sub)
    if link in ("before", "after", "purpose") and one and two:
        mode, full = "inf", two if one.form == "pronoun" or two.form == "new" else one
        main = replace(main, roles=tuple((r, full if r == "agent" else np) for r, np in main.roles))
        sub = replace(sub, roles=tuple((r, np) for r, np in sub.roles if r != "agent"))
    elif link in ("that", "because") and main.tense == sub.tense == "past":
        mode = "shift"
    parts = say_clause(sub, lex, mode=mode), say_clause(main, lex, sentence.kind)
    return str(patterns[0 if patterns[0] and not front else 1]).format(*parts)


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with punctuation and, if any, its speaker."""
    main, kind = sentence.main, sentence.kind
    if kind in ("greeting", "closing"):
        who = main.roles[0][1]
        if kind == "closing":
            return mention(who, lex, lex["x.love"]) + "।"
        return f"प्रिय {lex[who.concept] if who.form == 'name' else lex[who.concept]['called'][who.sex]},"
    text = linked(sentence, sentence.sub, lex) if sentence.sub else say_clause(main, lex, kind)
    words = [lex[sentence.opener or "x.none"], lex["x.whether"] if kind == "question" else "", text]
    text = " ".join(filter(None, words)) + ("।" if kind in ("statement", "command") else "?")
    name = lex[sentence.speaker.concept] if sentence.speaker else ""
    return str(lex["x.quotes"][sentence.quote if name else ""]).format(name, text)
