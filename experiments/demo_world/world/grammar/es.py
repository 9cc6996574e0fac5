"""Spanish: says an abstract sentence with the forms stored in lexicon/es.json."""

import re
from dataclasses import replace
from typing import Any

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence


def noun(np: NP, lex: Lexicon) -> dict[str, Any]:
    """The forms of the noun, for persons those of the sex."""
    entry = lex[np.concept]
    if isinstance(entry, str):
        return {"one": entry, "many": entry, "g": np.sex or "m", "kind": "person" if np.concept[0] == "p" else "town"}
    return dict(entry.get(np.sex, entry))


def key(np: NP, lex: Lexicon, pronoun: bool = False) -> str:
    """Gender and number: ms, fs, mp, fp; for a pronoun of the first or second person 1 or 2."""
    agree = str(noun(np, lex)["g"]) + ("p" if np.count != 1 or np.others or "pl" in noun(np, lex) else "s")
    return str(np.person) if pronoun and np.person < 3 else agree


def variant(adjective: str, np: NP, lex: Lexicon) -> dict[str, Any]:
    """The adjective's entry for this kind of noun."""
    return dict(lex[adjective].get("by", {}).get(noun(np, lex)["kind"], lex[adjective]))


def mention(np: NP, lex: Lexicon, use: str = "", pronouns: str = "x.subject") -> str:
    """A noun phrase; use: subject, topic (of things in general), all (what one likes), part (of the own body)."""
    if np.others and np.form != "pronoun":
        parts = [mention(one, lex, use) for one in (replace(np, others=()), *np.others)]
        return ", ".join(parts[:-1]) + " y " + parts[-1]
    entry, agree, owner = noun(np, lex), key(np, lex), np.owner
    if np.form in ("pronoun", "name"):
        return str(entry["one"] if np.form == "name" else lex[pronouns][key(np, lex, True)])
    mass, own = "mass" in entry, owner is not None and owner.form in ("pronoun", "self")
    known = np.form == "known" or (np.form == "bare" and use) or (np.count < 2 and use == "all")
    known = known or (mass and use in ("subject", "topic")) or (np.count == 0 and use == "topic")
    article = lex["x.own"][owner.person - 1][agree[1]] if owner and own and use != "part" else ""
    if known and not article:
        article = entry["the"] if agree[1] == "s" else lex["x.the"][agree]
    elif not (article or mass) and np.form != "bare" and (np.count == 1 or (np.count == 0 and use == "subject")):
        article = entry["a"] if agree[1] == "s" else lex["x.a"][agree]
    words = [article, lex[f"q.{np.count}"] if np.count > 1 else "", entry["one" if np.count == 1 else "many"]]
    words += [variant(adjective, np, lex)[agree] for adjective in np.adjectives]
    return " ".join(filter(None, [*words, "de " + mention(owner, lex) if owner and not own else ""]))


def verb_of(name: str, thing: NP | None, lex: Lexicon) -> dict[str, Any]:
    """A verb's entry with the prepositions of all roles (dat: a dative); a few verbs are another with some objects."""
    other = lex[name].get("by", {}).get(thing.concept if thing else "", name)
    return {**lex[other], "roles": {**lex["x.marks"], **lex[other].get("roles", {})}}


def clitics(clause: Clause, verb: dict[str, Any], lex: Lexicon, kind: str = "") -> list[str]:
    """Se, le, lo in their order."""
    agent, thing = clause.role("agent"), clause.role("object")
    found = [lex["x.refl"][key(agent, lex, True) if agent else "ms"]] if "refl" in verb else []
    direct = thing if thing and thing.form == "pronoun" and verb["roles"]["object"] == "" else None
    for role, np in clause.roles:
        if verb["roles"].get(role) == "dat" or ("gustar" in verb and role == "agent"):
            found.append("se" if np.person == 3 and direct else lex["x.dat"][key(np, lex, True)])
    found += [lex["x.dat"]["ms"]] if kind == "what" and verb["roles"]["object"] == "dat" else []
    return [*found, lex["x.acc"][key(direct, lex, True)]] if direct and "gustar" not in verb else found


def adjunct(role: str, np: NP, clause: Clause, verb: dict[str, Any], lex: Lexicon) -> str:
    """A role with its preposition; pronouns that are clitics are not said again."""
    mark, kind = verb["roles"][role], noun(np, lex)["kind"]
    if "gustar" in verb:
        return mention(np, lex, "all")
    if np.form == "pronoun" and (mark == "dat" or (role == "object" and not mark)):
        return ""
    np = replace(np, form="bare") if role in ("transport", "material") and np.form != "pronoun" else np
    use = "all" if role == "object" and "gen" in verb and kind != "person" else "part" if "def" in verb else ""
    use = "topic" if role in ("topic", "cause", "goal") or (mark in ("de", "a") and role != "material") else use
    animal = kind == "animal" and ("animal" in verb or ("pet" in verb and np.form == "known"))
    if mark == "dat" or (role == "object" and not mark and "noa" not in verb and (kind == "person" or animal)):
        return f"a {mention(np, lex, use or 'subject')}"
    return f"{lex[np.relation] if np.relation else mark} {mention(np, lex, use, 'x.after')}".strip()


def state(clause: Clause, lex: Lexicon) -> tuple[str, str, list[str]]:
    """Copula, what precedes it and what follows it."""
    agent, standard, degree = clause.role("agent"), clause.role("standard"), clause.adverb
    if agent is None or clause.predicate[:3] == "be.":
        return ("x.hay", "", [mention(agent, lex)]) if agent and clause.predicate[3] == "e" else ("x.estar", "", [])
    if clause.predicate[0] == "n":
        return "x.ser", "", [noun(replace(agent, concept=clause.predicate), lex)["one" if agent.count == 1 else "many"]]
    entry, agree, amounts = variant(clause.predicate, agent, lex), key(agent, lex), lex["x.much"]
    entry = entry.get("graded", entry) if standard or degree in amounts else entry
    word = entry.get("noun") or entry[agree]
    if standard:
        return entry["be"], "", [entry.get("more", {}).get(agree) or f"más {word}", "que", mention(standard, lex)]
    if degree in amounts:
        return entry["be"], "", [amounts[degree][entry["g"]] if "noun" in entry else lex[degree], word]
    return entry["be"], lex[degree] if degree else "", [word]


def conjugated(clause: Clause, verb: dict[str, Any], lex: Lexicon, mode: str) -> list[str]:
    """The finite verb and a participle or gerund; mode: shift (past reported), wish (subjunctive) or nothing."""
    tense, np = clause.tense, clause.role("object" if "gustar" in verb else "agent")
    number = lex["x.number"][key(np, lex, True) if np else "ms"]
    slot = {"past": "impf" if "imperfect" in verb or clause.modal else "pret", "future": "fut"}.get(tense, "pres")
    slot = {"": slot, "wish": "isub", "shift": "cond" if tense == "future" else "impf"}[mode]
    if clause.modal:
        return [lex["x." + clause.modal][slot][number]]
    if mode and tense == "past":
        return [lex["x.haber"][slot][number], verb["part"]]
    if tense == "present" and not {"noprog", "imperfect"} & set(verb):
        return [lex["x.estar"][slot][number], verb["ger"]]
    return [verb[slot][number]]


def tail(clause: Clause, verb: dict[str, Any], lex: Lexicon, subject: str = "") -> list[str]:
    """What follows the verb, manner after a short object; in questions the subject too."""
    thing, how = clause.role("object"), clause.adverb[:4] == "adv." and clause.adverb not in lex["x.frequency"]
    said = [verb.get("perfect", ""), verb.get("agree", {}).get(key(thing, lex) if thing else "ms", "")]
    said += ["" if clause.role("instrument") else verb.get("after", ""), subject]
    found = [adjunct(role, np, clause, verb, lex) for role in verb["roles"] for np in (clause.role(role),) if np]
    at = int(bool(thing) and len(found[0].split()) < 3 and not any(text[:3] in ("con", "de ") for text in found))
    return [*said, *found[:at], lex[clause.adverb] if how else "", *found[at:], lex[clause.time] if clause.time else ""]


def bare(clause: Clause, verb: dict[str, Any], lex: Lexicon, command: bool = False) -> list[str]:
    """Infinitive or command with its clitics and all that follows."""
    thing, found = clause.role("object"), clitics(clause, verb, lex)
    if len(found) > 1 and thing and thing.form == "pronoun":  # a noun instead of two clitics
        roles = tuple((r, replace(n, form="known") if n is thing else n) for r, n in clause.roles)
        return bare(replace(clause, roles=roles), verb, lex, command)
    if command and clause.negative:
        return ["no", *found, verb["sub2"], *tail(clause, verb, lex)]
    head = verb["with"][found[0]] if command and found else verb["cmd"] if command else verb["inf"] + "".join(found)
    return [*(["no"] if clause.negative and not clause.modal else []), head, *tail(clause, verb, lex)]


def say_clause(clause: Clause, lex: Lexicon, kind: str = "statement", mode: str = "", link: str = "") -> str:
    """A clause as statement, question, command or infinitive; link: to a clause with the same agent, or apart."""
    agent, subject, copula, before, after = clause.role("agent"), "", clause.predicate, "", [""]
    if clause.predicate[:2] == "w.":
        return str(lex[clause.predicate]["past" if mode else clause.tense])
    if clause.predicate[:2] != "v.":
        copula, before, after = state(clause, lex)
    verb = verb_of(copula, clause.role("object"), lex)
    if kind in ("command", "infinitive"):
        verb = {**verb, "inf": "haber", "perfect": verb["part"]} if mode else verb
        return " ".join(filter(None, bare(clause, verb, lex, kind == "command")))
    if agent and clause.predicate != "be.exist":
        vague = agent.person == 1 and (mode or (clause.tense == "past" and ("imperfect" in verb or clause.modal)))
        clear = agent.person == 3 and noun(agent, lex)["kind"] == "person" and link == "apart"
        said = agent.form != "pronoun" or ((clear or (vague and link != "same")) and "gustar" not in verb)
        subject = ("a " if "gustar" in verb else "") + mention(agent, lex, "subject") if said else ""
    before = lex[clause.adverb] if clause.adverb in lex["x.frequency"] else before
    words = [before, "no" if clause.negative else "", *([] if clause.modal else clitics(clause, verb, lex, kind))]
    words += conjugated(clause, verb, lex, mode)
    if kind in ("statement", "who"):
        rest = bare(clause, verb, lex) if clause.modal else [*after, *tail(clause, verb, lex)]
        return " ".join(filter(None, [lex["x.ask"]["who"] if kind == "who" else subject, *words, *rest]))
    ask = lex["x.ask"]["whither" if kind == "where" and verb["roles"]["place"] == "a" else kind]
    mark = verb["roles"]["object"].replace("dat", "a") if kind == "what" else ""
    return " ".join(filter(None, [mark, ask, *words, *tail(clause, verb, lex, subject)]))


def linked(sentence: Sentence, sub: Clause, lex: Lexicon) -> str:
    """Main and linked clause in their order."""
    main, link, mode, word = sentence.main, sentence.link, "", lex["x.links"][sentence.link]
    one, two, wish, event = main.role("agent"), sub.role("agent"), main.predicate == "v.hope", sub.predicate[0] == "v"
    apart = "" if not one or not two else "same" if (one.concept, one.person) == (two.concept, two.person) else "apart"
    if one and two and apart == "same" and event and (link in ("before", "after", "purpose") or wish):
        agent = (("agent", two if one.form == "pronoun" else one),)
        main = replace(main, roles=agent + tuple((role, np) for role, np in main.roles if role != "agent"))
        mode, word = "wish" if wish and sub.tense == "past" else "", "" if wish else word
        other = say_clause(sub, lex, "infinitive", mode)
    else:
        told = link == "because" and main.predicate[:2] == "a." and event
        mode = "wish" if wish or link == "before" else "shift" if link == "that" or told else ""
        word += " que" if link in ("before", "after") else ""
        other = say_clause(replace(sub, tense="habit") if link == "before" else sub, lex, mode=mode, link=apart)
    other = other.replace(" hace ", " hacía ") if mode and sub.tense == "past" else other
    text = say_clause(main, lex, sentence.kind, link=apart)
    return f"{lex['x.front'].get(link, word)} {other}, {text}" if sentence.front else f"{text} {word} {other}"


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with capital letter, punctuation and, if any, its speaker."""
    main, kind, np = sentence.main, sentence.kind, sentence.main.role("agent")
    if np and kind == "greeting":
        return f"{lex['x.dear'][np.sex]} {noun(np, lex)['one']}:"
    if np and kind == "closing":
        return f"Con cariño, {mention(np, lex)}."
    text = linked(sentence, sentence.sub, lex) if sentence.sub else say_clause(main, lex, kind)
    text = re.sub(" y (?=[ií]|hi(?!e))", " e ", f" {lex[sentence.opener] if sentence.opener else ''} {text} ")
    for apart, joined in lex["x.contract"]:
        text = text.replace(apart, joined)
    text = ("{}." if kind in ("statement", "command") else "¿{}?").format(text[1].upper() + text[2:-1])
    if sentence.quote in ("said", "asked") and sentence.speaker:
        return f"{mention(sentence.speaker, lex)} {lex['x.quote'][sentence.quote]}: «{text.removesuffix('.')}»."
    return f"{mention(sentence.speaker, lex)}: {text}" if sentence.speaker else text
