"""Swahili: says an abstract sentence by joining the prefixes and stems stored in lexicon/sw.json."""

from dataclasses import replace
from typing import Any

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence

ROWS = {"before": "before", "after": "inf", "when": "when", "if": "if", "purpose": "subj"}
TENSES = {"past": "past", "present": "pres", "future": "fut", "habit": "hu"}
ANIMATE = ("1s", "2s", "1", "2")


def noun_class(np: NP, lex: Lexicon) -> str:
    """The concord class; 1s and 2s are I and you."""
    if np.person < 3:
        return f"{np.person}s"
    one = np.count == 1 and not np.others
    if np.concept[:2] in ("p.", "g."):
        return "3" if np.concept[:2] == "g." else "1" if one else "2"
    return str(lex[np.concept]["c"][0 if one else 1])


def adjective(concept: str, np: NP, lex: Lexicon) -> Any:
    """The entry of an adjective as it suits what it describes."""
    special = lex[concept].get("for", {})
    return lex[special.get(np.concept) or special.get(noun_class(np, lex)) or concept]


def agreeing(form: Any, kind: str) -> str:
    """An invariable form, or the one of the class."""
    return form if isinstance(form, str) else str(form[kind])


def mention(np: NP, lex: Lexicon) -> str:
    """A noun phrase without preposition."""
    if np.others and np.form != "pronoun":
        parts = [mention(one, lex) for one in (replace(np, others=()), *np.others)]
        return ", ".join(parts[:-1]) + " na " + parts[-1]
    kind, i, owner = noun_class(np, lex), 0 if np.count == 1 else 1, np.owner
    if np.form == "pronoun":
        return f"{'' if kind in ANIMATE or np.concept < 'n' else lex[np.concept]['n'][i]} {lex['x.pron'][kind]}".strip()
    if np.form == "name":
        return ("mji wa " if kind == "3" else "") + str(lex[np.concept])
    noun, words, own = lex[np.concept], [lex[np.concept]["n"][i]], owner and owner.form in ("pronoun", "self")
    if owner and own:
        words.append(lex["x.poss"][noun.get("k", noun["c"])[i]][noun_class(owner, lex)])
    if np.count > 1:
        words.append(agreeing(lex[f"q.{np.count}"], kind))
    entries = [adjective(one, np, lex) for one in np.adjectives]
    words += [agreeing(entry["attr"], kind) for entry in entries if not entry.get("late")]
    words.append(noun.get("tail", ("", ""))[i])
    words += [agreeing(entry["attr"], kind) for entry in entries if entry.get("late")]
    if owner and not own:
        words += [lex["x.of"][kind], mention(owner, lex)]
    return " ".join(word for word in words if word)


def marked(np: NP, mark: str, lex: Lexicon) -> str:
    """A noun phrase with its preposition or as a place."""
    kind, start, pronoun = noun_class(np, lex), mark.removesuffix("LOC"), np.form == "pronoun"
    if np.relation:
        return f"{lex[np.relation]} {mention(np, lex)}"
    if start != mark and kind in ANIMATE:
        return "kutoka " + lex["x.poss"]["15"][kind] if pronoun else f"kutoka kwa {mention(np, lex)}"
    if start != mark and (pronoun or np.form == "name"):
        return start + ("humo" if pronoun else f"mjini {lex[np.concept]}")
    if start != mark:
        plain = np.count == 1 and not np.adjectives and not np.owner
        return start + (lex[np.concept]["loc"] if plain else f"kwenye {mention(np, lex)}")
    if pronoun and mark.split(" ")[-1] == "na":
        return mark.removesuffix("na") + str(lex["x.na"][kind])
    return f"{mark} {mention(np, lex)}".strip()


def conjugate(forms: Any, kind: str, row: str, lex: Lexicon, marker: str = "") -> str:
    """Prefix, object marker and stem."""
    if row == "imp":
        return str(marker + forms["subj"] if marker else forms["imp"])
    if row == "inf" and not marker:
        return str(forms["inf"])
    slot = lex["x.slot"][row]
    return f"{lex['x.prefix'][kind][row]}{marker}{forms['bare' if marker and slot == 'pos' else slot]}"


def say_state(clause: Clause, lex: Lexicon, row: str) -> str:
    """Agent is so, is one, is somewhere; a subject pronoun is said only before ni and si."""
    agent, standard, where = (clause.role(role) for role in ("agent", "standard", "place"))
    assert agent is not None
    kind, now, no = noun_class(agent, lex), clause.tense == "present" and not row, clause.negative
    head = conjugate(lex["x.be"], kind, row or ("past-" if no else "past"), lex)
    copula, words = ("si" if no else "ni") if now else head, []
    if clause.predicate.startswith("a."):
        entry = adjective(clause.predicate, agent, lex)
        if "na" in entry:
            copula, words = (lex["x.have"][kind][no], [entry["na"]]) if now else (head, ["na", entry["na"]])
        elif "fin" in entry:
            copula, words = ("", [entry["nofin" if no else "fin"][kind]]) if now else (head, [entry["fin"][kind]])
        elif now and "now" in entry:
            copula, words = "", [entry["now"][kind]]
        else:
            words = [agreeing(entry.get("pred", entry["attr"]), kind)]
        if clause.adverb == "d.still":
            copula = f"{lex[clause.adverb]} {copula}"
        elif clause.adverb:
            words.append(lex[clause.adverb])
        if standard:
            words += ["zaidi kuliko" if entry.get("late") else "kuliko", mention(standard, lex)]
    elif clause.predicate.startswith("n."):
        words = [lex[clause.predicate]["n"][0 if agent.count == 1 else 1]]
    silent = agent.form == "pronoun" and (copula not in ("ni", "si") or kind not in ANIMATE)
    exist = ["hakukuwa na" if no else "kulikuwa na", mention(agent, lex)]
    start = exist if clause.predicate == "be.exist" else ["" if silent else mention(agent, lex), copula]
    return " ".join(word for word in (*start, *words, marked(where, "LOC", lex) if where else "") if word)


def say_event(clause: Clause, lex: Lexicon, kind: str, row: str, subject: str | None) -> str:
    """A clause with a verb; the question words stand where the answer would."""
    item, verb, agent = clause.role("object"), lex[clause.predicate], clause.role("agent")
    if item and item.concept in verb.get("alt", {}):
        verb = lex[verb["alt"][item.concept]]
    shown = {r: replace(np, concept=verb.get("swap", {}).get(np.concept, np.concept)) for r, np in clause.roles}
    first = verb["ap"] if verb.get("ap") in shown else ""
    forms = verb["app" if first else "f"]
    marks = {**lex["x.roles"], **verb.get("roles", {}), first: ""}
    first = first or ("" if marks["object"] else "object")
    who, marker = noun_class(agent, lex) if agent else "1", object_marker(shown.get(first), forms, verb, lex)
    early, no = clause.adverb in lex["x.early"], clause.negative or clause.adverb == "adv.never"
    tense = "present" if clause.tense == "habit" and (no or verb.get("st")) else clause.tense
    row = row or TENSES[tense] + ("-" if no else "")
    if clause.modal == "must" and tense == "present":
        word = f"lazima {conjugate(forms, who, 'subj', lex, marker)}"
    elif clause.modal:
        word = f"{conjugate(lex[f'x.{clause.modal}'], who, row, lex)} {conjugate(forms, who, 'inf', lex, marker)}"
    else:
        word = conjugate(forms, who, verb.get(row, row), lex, marker)
    if subject is None and agent:
        subject = mention(agent, lex) if agent.form != "pronoun" or row == "hu" else ""
    parts = {role: marked(np, marks[role], lex) for role, np in shown.items() if role in marks}
    parts |= {first: ""} if first in shown and shown[first].form == "pronoun" else {}
    what = "wapi" if marks["object"].endswith("LOC") else f"{marks['object']} nini".strip()
    parts |= {"END": verb.get("end", "")} | {"what": {"object": what}, "where": {"place": "wapi"}}.get(kind, {})
    close = [first, "object", "END", "companion" if marks["companion"] == "na" else "", "content"]
    words = ["nani" if subject is None else subject, lex[clause.adverb] if early else "", word]
    words += [parts.pop(role, "") for role in close]
    words.append(lex[clause.adverb] if clause.adverb and not early else "")
    words += [parts.get(role, "") for role in lex["x.roles"]]
    words += [lex[clause.time] if clause.time else "", "lini" if kind == "when" else ""]
    return {"why": "kwa nini ", "question": "je, "}.get(kind, "") + " ".join(word for word in words if word)


def object_marker(np: NP | None, forms: Any, verb: Any, lex: Lexicon) -> str:
    """Pronouns always have one; persons, animals and known things as the verb wants it."""
    kind, level = noun_class(np, lex) if np and not np.others else "", verb.get("om", "all")
    known = {"all": kind in ANIMATE or (np and np.form == "known"), "human": np and np.sex}.get(level)
    if not np or not kind or not (known or np.form == "pronoun"):
        return ""
    return str(forms["m"] if kind == "1" else lex["x.om"][kind])


def say_clause(clause: Clause, lex: Lexicon, kind: str = "statement", row: str = "", subject: str | None = None) -> str:
    """A clause in the form that its sentence or link asks for."""
    if clause.predicate.startswith("w."):
        return str(lex[clause.predicate]["when" if row == "when" else clause.tense])
    if not clause.predicate.startswith("v."):
        return say_state(clause, lex, row)
    row = row if kind != "command" else "subj-" if clause.negative else "imp"
    return say_event(clause, lex, kind, row, "" if row in ("imp", "subj-", "subj") else subject)


def linked(text: str, sentence: Sentence, lex: Lexicon) -> str:
    """Main and linked clause in their order."""
    sub, link = sentence.sub, sentence.link
    assert sub is not None
    one, two = sentence.main.role("agent"), sub.role("agent")
    other_one = link == "after" and one and two and two.form == "pronoun" and one.concept != two.concept
    named = link == "if" and not sentence.front and two and two.form != "pronoun"
    row, word = ("", "ikiwa") if named else (ROWS.get(link, ""), lex["x.links"][link])
    other = say_clause(sub, lex, row=row, subject=mention(two, lex) if two and other_one else None)
    if sentence.front:
        return f"{'' if link == 'when' else word} {other}, {text}".strip()
    return " ".join([text, word, other]).replace(" ,", ",").replace("  ", " ")


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with capital letter, punctuation and, if any, its speaker."""
    kind = sentence.kind
    if kind in ("greeting", "closing"):
        named = mention(sentence.main.roles[0][1], lex)
        if kind == "closing":
            return f"Kwa upendo kutoka kwa {named}."
        return f"Mpendwa {named}," if named[0].isupper() else f"{named[0].upper()}{named[1:]} mpendwa,"
    text = say_clause(sentence.main, lex, kind)
    text = f"{lex.entries.get(sentence.opener, '')} {linked(text, sentence, lex) if sentence.sub else text}".strip()
    text = text[0].upper() + text[1:] + ("." if kind in ("statement", "command") else "?")
    name = mention(sentence.speaker, lex) if sentence.speaker else ""
    if sentence.quote == "turn":
        return f"{name}: {text}"
    said = "aliuliza" if sentence.quote == "asked" else "alisema"
    return f"{name[0].upper()}{name[1:]} {said}: “{text}”" if name else text
