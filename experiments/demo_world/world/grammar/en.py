"""English: says an abstract sentence with the forms stored in lexicon/en.json."""

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence

PREPOSITIONS = {
    "recipient": "to", "source": "from", "goal": "to", "instrument": "with", "companion": "with", "topic": "about",
    "beneficiary": "for", "content": "with", "material": "from", "cause": "for", "place": "LOC", "duration": "for",
    "purpose": "for", "transport": "by",
}  # fmt: skip
ORDER = (
    "recipient", "object", "content", "material", "companion", "topic", "cause", "source", "goal", "instrument",
    "beneficiary", "transport", "place", "duration", "purpose",
)  # fmt: skip
PRONOUNS = {
    "I": ("I", "me", "my"), "you": ("you", "you", "your"), "m": ("he", "him", "his"), "f": ("she", "her", "her"),
    "": ("it", "it", "its"), "they": ("they", "them", "their"),
}  # fmt: skip
MODALS = {
    ("past", "want"): "wanted to", ("past", "can"): "could", ("past", "must"): "had to",
    ("future", "want"): "will want to", ("future", "can"): "will be able to", ("future", "must"): "will have to",
}  # fmt: skip
FREQUENCY = ("adv.always", "adv.often", "adv.sometimes", "adv.usually", "adv.rarely", "adv.never")


def pronoun(np: NP, case: int) -> str:
    """I, me or my."""
    key = ("I" if np.person == 1 else "you") if np.person < 3 else "they" if np.others or np.count != 1 else np.sex
    return PRONOUNS[key][case]


def possessor(np: NP, lex: Lexicon) -> str:
    """My, Amina's, the baker's."""
    return pronoun(np, 2) if np.form in ("pronoun", "self") else mention(np, lex) + "'s"


def mention(np: NP, lex: Lexicon, case: int = 1) -> str:
    """A noun phrase; case 0 subject, 1 object."""
    if np.others and np.form != "pronoun":
        parts = [mention(one, lex, case) for one in (NP(**{**vars(np), "others": ()}), *np.others)]
        return ", ".join(parts[:-1]) + " and " + parts[-1]
    if np.form == "pronoun":
        return pronoun(np, case)
    if np.form == "name":
        return str(lex[np.concept])
    noun = lex[np.concept]
    words = [lex[adjective]["base"] for adjective in np.adjectives] + [noun["one" if np.count == 1 else "many"]]
    if np.count > 1:
        words.insert(0, lex[f"q.{np.count}"])
    if np.owner:
        words.insert(0, possessor(np.owner, lex))
    elif np.form == "known":
        words.insert(0, "the")
    elif np.form == "new" and np.count == 1 and noun["a"]:
        words.insert(0, lex[np.adjectives[0]]["a"] if np.adjectives else noun["a"])
    return " ".join(words)


def adjunct(role: str, np: NP, clause: Clause, lex: Lexicon) -> str:
    """A role with its preposition."""
    verb = lex[clause.predicate] if clause.predicate.startswith("v.") else {}
    mark = verb.get("roles", {}).get(role, PREPOSITIONS.get(role, ""))
    if mark == "LOC":
        mark = lex[np.relation] if np.relation else "in" if np.form == "name" else lex[np.concept]["in"]
    if role == "transport":
        return f"{mark} {lex[np.concept]['one']}"
    return f"{mark} {mention(np, lex)}".strip()


def be(subject: NP | None, tense: str) -> str:
    """The copula that agrees with its subject."""
    first = subject is not None and subject.person == 1
    many = subject is not None and (subject.person == 2 or bool(subject.others) or subject.count != 1)
    if tense == "past":
        return "were" if many else "was"
    return "are" if many else "am" if first else "is"


def verb_group(clause: Clause, lex: Lexicon, shift: bool, ask: bool) -> tuple[str, str]:
    """Auxiliary (empty if none is needed) and the rest; shift puts reported speech into the past."""
    agent, tense, no = clause.role("agent"), clause.tense, " not" if clause.negative else ""
    third = agent is None or (agent.person == 3 and agent.count == 1 and not agent.others)
    forms = lex[clause.predicate] if clause.predicate.startswith("v.") else {"base": "be", "part": "been"}
    if clause.modal:
        if tense in ("present", "habit") and not shift:
            return {"can": "can", "must": "must"}.get(clause.modal, "wants to" if third else "want to"), forms["base"]
        return MODALS["future" if tense == "future" else "past", clause.modal], forms["base"]
    if tense == "future":
        return ("would" if shift else "will") + no, forms["base"]
    if shift and tense == "past":
        return "had" + no, forms["part"]
    now = "past" if shift or tense == "past" else "present"
    if forms["base"] == "be":
        return be(agent, now) + no, ""
    if tense == "present" and not forms.get("stative"):
        return be(agent, now) + no, forms["ing"]
    if clause.negative or ask:
        return ("did" if now == "past" else "does" if third else "do") + no, forms["base"]
    return "", forms["past"] if now == "past" else forms["s" if third else "base"]


def tail(clause: Clause, lex: Lexicon) -> list[str]:
    """What follows the verb."""
    agent, standard = clause.role("agent"), clause.role("standard")
    words = []
    if clause.predicate.startswith("a."):
        entry = lex[clause.predicate]
        degree = [lex[clause.adverb]] if clause.adverb else []
        words = [entry["more"], "than", mention(standard, lex)] if standard else [*degree, entry["base"]]
    elif clause.predicate.startswith("n.") and agent:
        noun = lex[clause.predicate]
        words = [noun["many"]] if agent.others else [noun["a"], noun["one"]]
    bare = clause.predicate.startswith("v.") and lex[clause.predicate].get("roles", {}).get("recipient") == ""
    order = ORDER if bare else ("object", "recipient", *ORDER[2:])
    for role in order:
        np = clause.role(role)
        if np:
            words.append(adjunct(role, np, clause, lex))
        if role == "object" and clause.adverb and clause.predicate.startswith("v.") and not frequent(clause):
            words.append(lex[clause.adverb])
    return words + ([lex[clause.time]] if clause.time else [])


def frequent(clause: Clause) -> bool:
    """Whether the adverb stands before the verb."""
    return clause.adverb in FREQUENCY


def say_clause(clause: Clause, lex: Lexicon, kind: str = "statement", shift: bool = False) -> str:
    """A clause as statement, yes-no question, wh-question, command or infinitive."""
    if clause.predicate.startswith("w."):
        return str(lex[clause.predicate]["past" if shift else clause.tense])
    agent = clause.role("agent")
    early = [lex[clause.adverb]] if frequent(clause) else []
    if kind in ("command", "purpose"):
        head = "do not" if clause.negative else "to" if kind == "purpose" else ""
        return " ".join([*head.split(), *early, lex[clause.predicate]["base"], *tail(clause, lex)])
    ask = kind in ("question", "what", "where", "when", "why")
    aux, verb = verb_group(clause, lex, shift, ask)
    if clause.modal and (clause.negative or ask):
        aux, verb = modal_negated(clause, verb, ask)
    if clause.predicate == "be.exist" and agent:
        return " ".join(filter(None, ["there", aux, verb, mention(agent, lex, 0), *tail(clause, lex)]))
    subject = mention(agent, lex, 0) if agent else ""
    if ask:
        helper, _, no = aux.partition(" ")
        words = ["" if kind == "question" else kind, helper, subject, no, *early, verb, *tail(clause, lex)]
    else:
        words = ["who" if kind == "who" else subject, aux, *early, verb, *tail(clause, lex)]
    return " ".join(word for word in words if word)


def modal_negated(clause: Clause, base: str, ask: bool) -> tuple[str, str]:
    """Could not, did not want to, did not have to; in questions without the not."""
    no, agent = " not" if clause.negative else "", clause.role("agent")
    third = agent is None or (agent.person == 3 and agent.count == 1 and not agent.others)
    helper = {"past": "did", "future": "will"}.get(clause.tense, "does" if third else "do")
    if clause.modal == "can" and clause.tense != "future":
        return ("could" if clause.tense == "past" else "can") + no, base
    return helper + no, {"want": "want to", "must": "have to", "can": "be able to"}[clause.modal] + " " + base


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with capital letter, punctuation and, if any, its speaker."""
    main, kind, sub = sentence.main, sentence.kind, sentence.sub
    if kind == "greeting":
        addressee = main.roles[0][1]
        return f"Dear {mention(addressee, lex) if addressee.form == 'name' else lex[addressee.concept]['one']},"
    if kind == "closing":
        return "With love from " + mention(main.roles[0][1], lex) + "."
    text = say_clause(main, lex, kind)
    if sub:
        text = linked(text, sentence, lex)
    if sentence.opener:
        text = f"{lex[sentence.opener]} {text}"
    text = text[0].upper() + text[1:] + ("." if kind in ("statement", "command") else "?")
    if not sentence.speaker:
        return text
    name = mention(sentence.speaker, lex, 0)
    if sentence.quote == "turn":
        return f"{name}: {text}"
    return f"{name[0].upper()}{name[1:]} {sentence.quote}: “{text}”"


def linked(text: str, sentence: Sentence, lex: Lexicon) -> str:
    """Main and linked clause in their order."""
    sub, link = sentence.sub, sentence.link
    assert sub is not None
    if link == "purpose":
        return f"{text} {say_clause(sub, lex, 'purpose')}"
    if link == "that":
        return f"{text} that {say_clause(sub, lex, shift=sentence.main.tense == 'past')}"
    other = say_clause(sub, lex)
    if sentence.front:
        return f"{link} {other}, {text}"
    return f"{text}{',' if link in ('so', 'but') else ''} {link} {other}"
