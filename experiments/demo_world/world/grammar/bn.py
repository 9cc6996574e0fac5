"""Bengali (standard colloquial): says an abstract sentence with the forms stored in lexicon/bn.json."""

from dataclasses import replace
from typing import Any

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence

NOM, ACC, GEN, LOC = range(4)
EARLY = "place duration companion source recipient topic cause purpose beneficiary transport instrument material"
PLAIN = ("instrument", "content", "material", "cause", "purpose")  # need no article: হাতুড়ি দিয়ে
FREQUENCY = ("adv.always", "adv.often", "adv.sometimes", "adv.usually", "adv.rarely", "adv.never")


def noun_of(np: NP, lex: Lexicon) -> dict[str, Any]:
    """The noun's entry, of the right sex; empty for names."""
    entry = lex[np.concept]
    return dict(entry.get(np.sex, entry)) if isinstance(entry, dict) else {}


def personal(np: NP, lex: Lexicon) -> bool:
    """Whether somebody, not something, is meant."""
    return bool(np.form == "name" or np.person < 3 or np.sex or noun_of(np, lex).get("person"))


def mention(np: NP, lex: Lexicon, case: int = NOM, bare: bool = False) -> str:
    """A noun phrase in a case; bare: without article."""
    if np.others and np.form != "pronoun":
        parts = [mention(one, lex, case, bare) for one in (replace(np, others=()), *np.others)]
        return ", ".join(parts[:-1]) + " আর " + parts[-1]
    if np.form in ("pronoun", "self"):
        many = np.count != 1 or bool(np.others)
        key = "many" if np.sex and many else "one" if np.sex else "these" if many else "it"
        key = str(np.person) if np.person < 3 else "self" if np.form == "self" else key
        return str(lex["x.pronoun"][key][case])
    if np.form == "name":
        return str(lex[np.concept][case])
    noun, owner = noun_of(np, lex), np.owner
    kind, known = noun["class"], np.form == "known" and not owner
    words = [mention(owner, lex, GEN)] if owner and not (noun.get("body") and owner.form == "self") else []
    described = [noun.get("adj", {}).get(a, lex[a]["base"]) for a in np.adjectives]
    if np.count > 1 and known and kind:
        return " ".join([*described, noun["one"][NOM], lex[f"q.{np.count}"][kind][case]])
    if np.count > 1:
        words.append(lex[f"q.{np.count}"][kind][NOM] if kind else lex[f"q.{np.count}"]["bare"])
    elif np.count == 1 and np.form == "new" and kind and not owner and not bare:
        words.append(lex["x.one"][kind])
    form = "the" if np.count == 1 and known and not bare else "one"
    form = "many" if np.count == 0 and (np.form == "known" or noun.get("person")) else form
    return " ".join([*words, *described, noun[form][case]])


def verb_of(clause: Clause, lex: Lexicon) -> dict[str, Any]:
    """The verb's entry, or the verb that is usual with this object or agent."""
    verb = dict(lex[clause.predicate]) if clause.predicate.startswith("v.") else {}
    thing, agent = clause.role("object"), clause.role("agent")
    keys = ["goal" if clause.role("goal") else "alone", agent.concept if agent else ""]
    keys = [thing.concept, thing.form, *keys] if thing else keys
    return next((verb | verb["for"][key] for key in keys if key in verb.get("for", ())), verb)


def mark(role: str, np: NP, verb: dict[str, Any], lex: Lexicon) -> list[Any]:
    """Case and postposition of a role."""
    noun = noun_of(np, lex)
    special = noun.get("roles", {}).get(role) if np.form != "pronoun" else None
    special = [GEN, lex[np.relation]] if np.relation else special or verb.get("roles", {}).get(role)
    if special or role != "object":
        return list(special or lex["x.marks"][role])
    if personal(np, lex):
        return [ACC, ""]
    definite = np.form in ("known", "pronoun") or np.owner or verb.get("affects")
    return [ACC if noun.get("animal") and definite else NOM, ""]


def phrase(role: str, np: NP, verb: dict[str, Any], lex: Lexicon) -> str:
    """A role with its case and postposition; places, means and reasons often need no article."""
    case, post = mark(role, np, verb, lex)
    plain = role in PLAIN or (role in verb.get("plain", ()) and not personal(np, lex))
    bare = np.form == "new" and not np.adjectives and plain
    inside = role in ("place", "goal", "source") or case == LOC or post
    bare = bare or role == "transport" or bool(np.form == "known" and inside and noun_of(np, lex).get("place"))
    return f"{mention(np, lex, case, bare)} {post}".strip()


def conjugated(forms: dict[str, Any], tense: str, person: int, negative: bool) -> str:
    """The finite form; the negative one is stored where it is not the plain form with না."""
    if negative and tense + "_not" in forms:
        return str(forms[tense + "_not"][person])
    return str(forms.get(tense, forms["habit"])[person]) + (" না" if negative else "")


def quality(clause: Clause, agent: NP, lex: Lexicon) -> dict[str, Any]:
    """The adjective's entry; persons do not feel cold as water does."""
    entry = lex[clause.predicate]
    return dict(entry.get("person", entry) if personal(agent, lex) else entry)


def predicate(clause: Clause, verb: dict[str, Any], lex: Lexicon, kind: str, tense: str) -> str:
    """Everything from the adjective or verb on."""
    agent, negative, person = clause.role("agent"), clause.negative or clause.adverb == "adv.never", 2
    if agent and mark("agent", agent, verb, lex) == [NOM, ""]:
        person = agent.person - 1
    if kind in ("noun", "purpose"):
        return str(verb["noun"]) + (" জন্য" if kind == "purpose" else "")
    if kind == "command":
        return f"{verb['forbid']} না" if negative else str(verb["command"])
    if clause.modal:
        return f"{verb['inf']} {conjugated(lex[f'x.{clause.modal}'], tense, person, negative)}"
    if verb or clause.predicate.startswith("be.") or not agent:
        return conjugated(verb or lex["x.stay"], tense, person, negative)
    if clause.predicate.startswith("n."):
        words, entry = [mention(NP(clause.predicate, sex=agent.sex), lex)], {}
    else:
        entry, noun = quality(clause, agent, lex), noun_of(agent, lex)
        moment = "present" if tense in ("present", "habit", "if") else "past"
        degree = lex[clause.adverb] if clause.adverb else ""
        said = entry.get("said") or noun.get("adj", {}).get(clause.predicate, entry["base"])
        words = [degree[moment] if isinstance(degree, dict) else degree, said]
    copula = conjugated(entry.get("be", lex["x.be"]), tense, 2 if entry.get("owner") else person, negative)
    return " ".join(filter(None, [*words, copula]))


def say_clause(clause: Clause, lex: Lexicon, kind: str = "statement", tense: str = "", drop: bool = False) -> str:
    """A clause as statement, question, command, purpose or verbal noun; drop: its agent is understood."""
    if clause.predicate.startswith("w."):
        return str(lex[clause.predicate][clause.tense])
    swap = {np.concept: noun_of(np, lex).get("with", {}).get(clause.predicate, np.concept) for _, np in clause.roles}
    clause = replace(clause, roles=tuple((role, replace(np, concept=swap[np.concept])) for role, np in clause.roles))
    tense = tense or ("pluperfect" if clause.tense == "past" and (clause.time or kind != "statement") else clause.tense)
    verb, agent, subject = verb_of(clause, lex), clause.role("agent"), ""
    if agent and not drop and kind not in ("command", "purpose"):
        owner = clause.predicate.startswith("a.") and quality(clause, agent, lex).get("owner")
        taken = any(mark(role, np, verb, lex)[0] == ACC for role, np in clause.roles if role != "agent")
        subject = mention(agent, lex, GEN if owner or taken else ACC) if clause.modal == "must" or owner else ""
        subject = subject or phrase("agent", agent, verb, lex)
    often = clause.adverb if clause.adverb in FREQUENCY else ""
    head = [subject, lex["x.asked"].get(kind, ""), *(lex[key] for key in (clause.time, often) if key)]
    roles = {"place": lex["x.where"]} if kind == "where" else {}
    roles |= {role: phrase(role, np, verb, lex) for role, np in clause.roles if role != "agent"}
    early = [roles[role] for role in EARLY.split() if role in roles]
    early += [lex[clause.adverb] if clause.adverb.startswith("adv.") and not often else "", verb.get("means", "")]
    late = [roles[role] for role in ("object", "content", "goal") if role in roles]
    if kind == "what":
        case, post = verb.get("roles", {}).get("object", (NOM, ""))
        late += [verb.get("what", lex["x.what"][case]), post]
    words = [*early, *head] if clause.predicate == "be.exist" else [*head, *early]
    words += [*late, roles.get("standard", ""), predicate(clause, verb, lex, kind, tense)]
    return " ".join(word for word in words if word)


def same(one: NP | None, two: NP | None) -> bool:
    """Whether two mentions are of the same person or thing."""
    return bool(one and two and (one.concept, one.person, one.count) == (two.concept, two.person, two.count))


def turned(main: Clause, sub: Clause) -> tuple[Clause, Clause]:
    """The linked clause is now said first, so the fuller mention moves into it."""
    first, second = dict(sub.roles), dict(main.roles)
    for role, np in sub.roles:
        for place, other in main.roles:
            if np.form in ("pronoun", "known") and np.person == 3 and same(np, other) and other.form != "pronoun":
                own = other.owner is not None and other.owner.form == "self"
                first[role] = full = replace(other, owner=main.role("agent")) if own else other
                again = replace(full, form="known", adjectives=()) if other.form == "new" else full
                second[place] = np if role == "agent" or np.form == "known" else again
    return replace(main, roles=tuple(second.items())), replace(sub, roles=tuple(first.items()))


def linked(sentence: Sentence, sub: Clause, lex: Lexicon) -> str:
    """Main and linked clause in their order."""
    main, link, kind = sentence.main, sentence.link, sentence.kind
    if link in ("before", "after", "when") and not sentence.front:
        main, sub = turned(main, sub)
    if link == "purpose":
        return say_clause(sub, lex, "purpose") + " " + say_clause(main, lex, kind)
    alike = same(main.role("agent"), sub.role("agent"))
    if link in ("before", "after"):
        first = say_clause(sub, lex, "noun", drop=alike and kind == "command")
        return f"{first} {lex['x.links'][link]} {say_clause(main, lex, kind, drop=alike)}"
    tense = "if" if link == "if" else ""
    if sub.tense == "past" and (link in ("that", "because", "although") or main.time or kind != "statement"):
        tense = "perfect" if link == "that" else "pluperfect"
    drop = alike and link == "and" and main.predicate.startswith("v.") and sub.predicate.startswith("v.")
    text, other = say_clause(main, lex, kind), say_clause(sub, lex, tense=tense, drop=drop)
    if sentence.front or link == "when":
        return str(lex["x.fronted"][link].format(other, text))
    return text + str(lex["x.links"][link]) + other


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with punctuation and, if any, its speaker."""
    main, kind, who = sentence.main, sentence.kind, sentence.speaker
    if kind == "greeting":
        return f"প্রিয় {mention(replace(main.roles[0][1], owner=None), lex, bare=True)},"
    if kind == "closing":
        return f"ভালোবাসাসহ, {mention(main.roles[0][1], lex)}।"
    kind = "told" if sentence.quote == "turn" and kind == "statement" else kind  # in a talk: করেছিল, not করল
    text = linked(replace(sentence, kind=kind), sentence.sub, lex) if sentence.sub else say_clause(main, lex, kind)
    text = (f"{lex[sentence.opener]} " if sentence.opener else "") + text + ("?" if kind in lex["x.asked"] else "।")
    return str(lex["x.quotes"][sentence.quote]).format(mention(who, lex), text) if who else text
