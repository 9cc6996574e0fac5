"""French: says an abstract sentence with the forms stored in lexicon/fr.json."""

import re
from dataclasses import replace
from typing import Any

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence

FREQUENCY = ("adv.always", "adv.often", "adv.sometimes", "adv.usually", "adv.rarely", "adv.never")
VOWEL = "(?=[aàâeéèêëiîïoôuûœh]|y )"


def sandhi(text: str, lex: Lexicon) -> str:
    """Elision and contraction; · marks articles and possessives, ~ a partitive or plural article."""
    vowel = rf"(?!(?:{'|'.join(lex['x.aspirate'])})\b){VOWEL}"
    text = re.sub(r"\bde ~(?:de ·l[ea]|des|de) ", "de ", text).replace("~", "")
    text = re.sub(rf"·([mts])a {vowel}", r"\1on ", text)
    text = re.sub(rf"(?<![\w'-])·?(l|j|m|t|s|n|d|qu)[ea] {vowel}", r"\1'", text)
    for plain, short in (("à ·le", "au"), ("à ·les", "aux"), ("de ·le", "du"), ("de ·les", "des")):
        text = re.sub(rf"\b{plain} ", short + " ", text)
    return re.sub(r"\bsi (?=ils? )", "s'", text).replace("·", "")


def number(np: NP, lex: Lexicon) -> int:
    """Index of the agreeing form: 0 m, 1 f, 2 m plural, 3 f plural."""
    gender = np.sex if isinstance(lex[np.concept], str) else lex[np.concept].get("g", np.sex)
    return (gender == "f") + 2 * (np.count != 1 or bool(np.others) or gender == "p")


def pronoun(np: NP, lex: Lexicon) -> Any:
    """The row of stored pronouns, with the index of the verb form."""
    return lex["x.pronouns"][np.person - 1 if np.person < 3 else 2 + number(np, lex)]


def noun(concept: str, sex: str, many: bool, lex: Lexicon) -> str:
    """The bare noun."""
    entry = lex[concept]
    return str((entry if "one" in entry else entry[sex or "m"])["many" if many else "one"])


def preferred(entry: Any, np: NP | None, lex: Lexicon, attributive: bool = False) -> Any:
    """The adjective or verb itself, or another one that is said of this noun."""
    alt, person = entry.get("alt", {}), "person" if np and np.sex else ""
    key = (np and alt.get(np.concept)) or alt.get(person) or (entry.get("attr") if attributive else None)
    return lex[key] if key else entry


def mention(np: NP, lex: Lexicon, negated: bool = False) -> str:
    """A noun phrase with its article."""
    if np.form in ("pronoun", "name"):
        return str(pronoun(np, lex)["stressed"] if np.form == "pronoun" else lex[np.concept])
    i, own, early, words = number(np, lex), np.owner, False, [noun(np.concept, np.sex, np.count != 1, lex)]
    for concept in np.adjectives:
        found = preferred(lex[concept], np, lex, True)
        early = found.get("pre", False)
        form = found["forms"][4 if i == 0 and re.match(VOWEL, words[0]) and words[0] not in lex["x.aspirate"] else i]
        words = [form, *words] if early else [*words, form]
    words = [lex[f"q.{np.count}"], *words] if np.count > 1 else words
    if own and own.form in ("pronoun", "self") and not (own.form == "self" and lex[np.concept].get("body")):
        return " ".join([pronoun(own, lex)["poss"][i], *words])
    if own or np.form in ("known", "bare"):
        return " ".join([lex["x.the"][i], *words] + (["de", mention(own, lex)] if own and own.form != "self" else []))
    article = lex["x.some"][i] if lex[np.concept].get("mass") else ("un", "une")[i % 2] if np.count else "~des"
    article = "~de" if negated or (np.count == 0 and early) else article
    return " ".join(words if np.count > 1 else [article, *words])


def marked(role: str, np: NP, verb: Any, lex: Lexicon) -> str:
    """The preposition of a role."""
    mark = str(verb.get("roles", {}).get(role, lex["x.marks"][role]))
    entry = {"in": "à"} if isinstance(lex[np.concept], str) else lex[np.concept]
    place = lex[np.relation] if np.relation else entry.get("in", "")
    return mark.replace("TO", entry.get("to", place)).replace("IN", place).replace("BY", entry.get("by", ""))


def clitics(clause: Clause, verb: Any, lex: Lexicon) -> list[tuple[int, str, str, NP]]:
    """The pronouns before the verb in their order, with role and mention."""
    found = []
    for role, np in clause.roles:
        if np.form == "pronoun" and role in lex["x.marks"]:
            mark, row = marked(role, np, verb, lex), pronoun(np, lex)
            if mark == "" or (mark == "à" and np.sex):
                place = 0 if np.person < 3 else 2 if mark else 1
                found.append((place, row["indirect" if mark else "direct"], role, np))
            elif mark in ("à", "de") and not np.sex:
                found.append((3, "y" if mark == "à" else "en", role, np))
    return sorted(found, key=lambda one: one[0])


def group(clause: Clause, verb: Any, lex: Lexicon, form: str) -> list[str]:
    """The verb with negation, pronouns, auxiliary and frequency."""
    agent, tied, rest = clause.role("agent"), clitics(clause, verb, lex), verb.get("rest", "")
    row = pronoun(agent, lex) if agent else lex["x.pronouns"][2]
    before = ([row["self"]] if verb.get("se") else []) + [word for _, word, *_ in tied]
    ne = ["ne"] if clause.negative or clause.adverb == "adv.never" else []
    no = "pas" if clause.negative else lex[clause.adverb] if clause.adverb in FREQUENCY else ""
    if form == "imper" and not ne:
        late = sorted(tied, key=lambda one: one[0] or 2)
        after = [pronoun(np, lex)["stressed"] if np.person < 3 else word for _, word, _, np in late]
        return ["-".join([verb["imper"], *(["toi"] if verb.get("se") else []), *after]), rest]
    if clause.modal or form == "inf":
        modal = [lex[f"x.{clause.modal}"][form][row["verb"]]] if clause.modal else []
        return [*ne, *modal, no, *before, verb["inf"], rest]
    direct = next((np for _, _, role, np in tied if marked(role, np, verb, lex) == ""), None)
    model, helper = (agent, lex["x.be"]) if verb.get("be") else (direct, lex["x.have"])
    compound = lex["x.compound"].get(form)
    shape = helper[compound] if compound else verb[form]
    done = verb["part"][number(model, lex) if model else 0] if compound else ""
    return [*ne, *before, shape if isinstance(shape, str) else shape[row["verb"]], no, done, rest]


def complement(clause: Clause, agent: NP, lex: Lexicon) -> list[str]:
    """What follows the copula."""
    i, two = number(agent, lex), clause.role("standard")
    if not clause.predicate.startswith("a."):
        return [noun(clause.predicate, agent.sex, i > 1, lex)] if clause.predicate.startswith("n.") else []
    entry = preferred(lex[clause.predicate], agent, lex)
    word, degree = entry.get("pred", entry["forms"][i]), entry.get("degree", {}).get(clause.adverb)
    if not two:
        return [degree] if degree else [lex[clause.adverb] if clause.adverb else "", word]
    other, j, own = mention(two, lex), number(two, lex), two.owner if two.concept == agent.concept else None
    if own:
        that = f"{lex['x.that'][j]} de {mention(own, lex)}"
        other = pronoun(own, lex)["mine"][j] if own.form == "pronoun" else that
    return [entry["more"][i] if "more" in entry else f"plus {word}", "que", other]


def tail(clause: Clause, verb: Any, lex: Lexicon) -> list[str]:
    """Manner, roles and time after the verb."""
    words = [lex[clause.adverb]] if clause.adverb[:2] == "ad" and clause.adverb not in FREQUENCY else []
    spoken, never = [one[2] for one in clitics(clause, verb, lex)], clause.negative or clause.adverb == "adv.never"
    for role in lex["x.marks"]:
        np = clause.role(role)
        if np and (role, np.form) == ("object", "new"):
            key = "" if np.adjectives or np.count > 1 else "single"
            np = replace(np, form=verb.get("generic" if np.count == 0 or lex[np.concept].get("mass") else key, np.form))
        if np and role not in spoken:
            parts = []
            for one in (replace(np, others=()), *np.others):
                mark = marked(role, one, verb, lex)
                no = never and (role, np.form, mark) == ("object", "new", "")
                parts.append(mark if role == "transport" else f"{mark} {mention(one, lex, no)}".strip())
            words.append(" et ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part))
    return [*words, lex[clause.time]] if clause.time else words


def say_clause(clause: Clause, lex: Lexicon, kind: str = "statement", shift: bool = False, form: str = "") -> str:
    """A clause as statement, question, command, infinitive or in the subjunctive."""
    if clause.predicate.startswith("w."):
        return str(lex[clause.predicate][form or ("past" if shift else clause.tense)])
    agent, verb, event = clause.role("agent"), lex["x.be"], clause.predicate.startswith("v.")
    if event or clause.predicate.startswith("a."):
        verb = preferred(lex[clause.predicate], clause.role("object") if event else agent, lex)
        verb = verb if event else lex[verb.get("verb", "x.be")]
    past = "imp" if not event or verb.get("state") or clause.modal else "pqp" if shift else "pc"
    tenses = {"past": past, "future": "cond" if shift else "fut", "command": "imper"}
    form = ("psubj" if past == "pc" else "subj") if form == "although" else form
    form = form or tenses.get(clause.tense, "imp" if shift else "pres")
    if clause.predicate == "be.exist" and agent:
        return " ".join(["il y", lex["x.have"][form][2], mention(agent, lex), *tail(clause, verb, lex)])
    words = group(clause, verb, lex, form)
    words += (complement(clause, agent, lex) if agent and not event else []) + tail(clause, verb, lex)
    if agent and form not in ("inf", "perfect", "imper"):
        words.insert(0, pronoun(agent, lex)["subject"] if agent.form == "pronoun" else mention(agent, lex))
    mark = verb.get("roles", {}).get("object", "")
    head = f"{mark} quoi est-ce que" if mark and kind == "what" else lex["x.heads"].get(kind, "")
    return " ".join(word for word in [head, *words] if word)


def linked(sentence: Sentence, sub: Clause, lex: Lexicon) -> str:
    """Main and linked clause in their order; with the same agent an infinitive where French wants it."""
    main, link, one, two = sentence.main, sentence.link, sentence.main.role("agent"), sub.role("agent")
    can = link in ("before", "after", "purpose") or (link == "that" and lex[main.predicate].get("control"))
    who = [(np.concept, np.person, np.count) for np in (one, two) if np]
    again = can and who[1:] == who[:1] and not (one and two and one.form == two.form == "new")
    if again and sentence.front:
        main = replace(main, roles=tuple((r, two if r == "agent" and two else np) for r, np in main.roles))
    form = {"although": "although", "before": "subj"}.get(link, "")
    form = ("perfect" if link == "after" or (link, sub.tense) == ("that", "past") else "inf") if again else form
    shift = main.tense == "past" and (link == "that" or (link == "because" and main.predicate.startswith("a.")))
    text, word = say_clause(main, lex, sentence.kind), lex["x.links"][("to_" if again else "") + link]
    other = f"{word} {say_clause(sub, lex, shift=shift, form=form)}".strip()
    if sentence.front:
        return f"{lex['x.links']['since'] + other[len(word) :] if link == 'because' else other}, {text}"
    return f"{text}{',' if link in ('so', 'but') else ''} {other}"


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with capital letter, punctuation and, if any, its speaker."""
    main, kind, np = sentence.main, sentence.kind, sentence.main.roles[0][1] if sentence.main.roles else None
    if np and kind in ("greeting", "closing"):
        called = lex[np.concept] if np.form == "name" else noun(np.concept, np.sex, False, lex)
        dear = f"{lex['x.dear'][number(np, lex) % 2]} {called},"
        return dear if kind == "greeting" else sandhi(f"Affectueusement, {mention(np, lex)}.", lex)
    text = linked(sentence, sentence.sub, lex) if sentence.sub else say_clause(main, lex, kind)
    text = sandhi(f"{lex[sentence.opener]} {text}" if sentence.opener else text, lex)
    text = text[0].upper() + text[1:] + ("." if kind in ("statement", "command") else "\u00a0?")
    name, verb = mention(sentence.speaker, lex) if sentence.speaker else "", lex["x.quotes"].get(sentence.quote, "")
    return f"{name} {verb}\u00a0: «\u00a0{text}\u00a0»" if verb else f"{name}\u00a0: {text}" if name else text
