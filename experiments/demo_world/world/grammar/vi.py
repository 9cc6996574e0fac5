"""Vietnamese: says an abstract sentence with the words stored in lexicon/vi.json; words never change form."""

from typing import Any

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence

ORDER = (
    "object", "end", "recipient", "content", "material", "companion", "topic", "cause", "source", "goal", "instrument",
    "beneficiary", "transport", "place", "duration", "purpose",
)  # fmt: skip
MODALS = {"": "", "want": "muốn", "can": "có thể", "must": "phải"}


def pronoun(np: NP, lex: Lexicon) -> str:
    """I, you, he, she, it or they; a kinsman's own word where there is one."""
    if np.person < 3:
        return "tôi" if np.person == 1 else "bạn"
    if np.others or np.count != 1:
        return "họ" if np.sex else "chúng"
    entry = lex[np.concept]
    usual = {"m": "anh ấy", "f": "cô ấy"}.get(np.sex, "nó")
    return str(entry.get(np.sex, usual)) if isinstance(entry, dict) else usual


def possessed(core: str, np: NP, entry: dict[str, Any], lex: Lexicon) -> str:
    """My mother, her own hand, Biram's goat; kin and body parts stand next to my, your and one's own."""
    owner = np.owner
    assert owner is not None
    own = owner.form == "self" and owner.person == 3
    name = "mình" if own else mention(owner, lex)
    return f"{core} {name}" if entry.get("kin") and (own or owner.person < 3) else f"{core} của {name}"


def quality(adjective: str, concept: str, form: str, lex: Lexicon) -> str:
    """The adjective as it is said of this noun."""
    entry = lex[adjective]
    return str(entry.get("by", {}).get(concept, entry.get(form, entry["pred"])))


def mention(np: NP, lex: Lexicon, way: str = "", entry: dict[str, Any] | None = None) -> str:
    """A noun phrase; way: subject, topic (with "that"), kind (bare), any (after a negation), only (without "one")."""
    if np.others and np.form != "pronoun":
        parts = [mention(one, lex, way) for one in (NP(**{**vars(np), "others": ()}), *np.others)]
        return ", ".join(parts[:-1]) + " và " + parts[-1]
    if np.form in ("pronoun", "self"):
        return pronoun(np, lex)
    if np.form == "name":
        return str(lex[np.concept])
    entry = entry or lex[np.concept]
    told = [quality(adjective, np.concept, "attr", lex) for adjective in np.adjectives]
    plain = " ".join([entry["n"], *told])
    core = f"{entry['c']} {plain}".strip()
    known = np.form == "known"
    if np.owner:
        return possessed(core, np, entry, lex)
    if entry.get("mass") or np.form == "bare":
        return plain + (" đó" if known and way == "topic" else "")
    if way in ("kind", "bare") and np.count < 2 and not known and not (told and way == "bare"):
        return plain
    if np.count > 1:
        return f"{lex[f'q.{np.count}']} {core}" + (" đó" if known else "")
    if np.count == 0:
        loose = entry.get("loose") and not told and way not in ("subject", "topic")
        return f"những {core} đó" if known else plain if loose else f"những {core}"
    if known:
        bare = way == "bare" or (way == "place" and entry.get("place"))
        return plain if bare and not told else core + (" đó" if way == "topic" else "")
    return core + " nào" if way == "any" else core if way == "only" else f"một {core}"


def where(np: NP, lex: Lexicon) -> str:
    """In the kitchen, at the market, behind the school."""
    word = lex[np.relation] if np.relation else "ở" if np.form == "name" else lex[np.concept]["in"]
    return f"{word} {mention(np, lex, 'place')}"


def adjunct(role: str, np: NP, clause: Clause, verb: dict[str, Any], lex: Lexicon) -> str:
    """A role with its preposition."""
    mark = verb.get("roles", {}).get(role, lex["x.marks"].get(role, ""))
    if mark == "LOC":
        return where(np, lex)
    if mark == "FROM":
        return "từ " + where(np, lex)
    if mark == "INTO":
        mark = lex[np.concept]["to"]
    way = "topic" if mark.endswith("về") else {"transport": "bare", "goal": "place", "place": "place"}.get(role, "")
    way = "kind" if role in verb.get("kind", ()) and (verb.get("stative") or not np.adjectives) else way
    if role == "object" and clause.negative and not np.adjectives:
        way = way or ("only" if clause.tense == "command" else "any")
    return f"{mark} {mention(np, lex, way, verb.get('nouns', {}).get(np.concept))}".strip()


def roles_said(clause: Clause, lex: Lexicon, kind: str) -> list[str]:
    """What follows the verb: the roles, the asked thing or place, the manner."""
    verb, words = lex[clause.predicate], []
    for role in sorted(ORDER, key=lambda one: one != verb.get("first")):
        np = clause.role(role)
        if role == "end":
            words.append(verb.get("end", ""))
        elif np:
            words.append(adjunct(role, np, clause, verb, lex))
        elif (kind, role) == ("what", "object"):
            words.append(f"{verb.get('roles', {}).get('object', '')} {verb.get('what', 'gì')}".strip())
        elif (kind, role) == ("where", "place"):
            words.append(verb.get("where", "ở đâu"))
    manner = lex[clause.adverb] if clause.adverb else ""
    return [*words, manner["end"]] if isinstance(manner, dict) else words


def verbal(clause: Clause, lex: Lexicon, kind: str, mark: bool) -> list[str]:
    """Tense, negation, modal, manner and the verb itself."""
    verb, tense, np, agent = lex[clause.predicate], clause.tense, clause.role("object"), clause.role("agent")
    by = verb.get("by", {})
    said = by.get(np.concept if np else "", by.get(agent.concept if agent else "", verb["v"]))
    manner = lex[clause.adverb] if clause.adverb and isinstance(lex[clause.adverb], str) else ""
    if kind in ("command", "purpose"):
        head = "đừng" if clause.negative else "hãy" if kind == "command" else ""
        return [head, manner, said]
    steady = verb.get("stative") or clause.modal
    time = "sẽ" if tense == "future" else ""
    if tense == "past" and not clause.negative and (clause.modal == "must" or (mark and not steady)):
        time = "lại" if kind == "why" else "đã"
    if tense == "present" and not steady:
        time = "hiện" if clause.negative else verb.get("now", "đang")
    ask = "có" if kind == "question" and time in ("đang", "") else ""
    return [ask, time, "không" if clause.negative else "", MODALS[clause.modal], manner, said]


def being(clause: Clause, agent: NP, lex: Lexicon) -> list[str]:
    """What is said of the agent of a state: a quality, a comparison, a profession, a place."""
    no = "không" if clause.negative else ""
    place, standard = clause.role("place"), clause.role("standard")
    if clause.predicate == "be.at" and place:
        spot = where(place, lex)
        return [no, spot if spot.startswith("ở ") else f"ở {spot}"]
    if clause.predicate.startswith("n."):
        return ["là", lex[clause.predicate]["n"]]
    entry = lex[clause.predicate]
    if standard:
        return [no, quality(clause.predicate, agent.concept, "more", lex), "hơn", mention(standard, lex)]
    if clause.adverb in ("", "d.still"):
        form = "pred" if clause.adverb or no else "done"
        return [clause.adverb and lex[clause.adverb], no, quality(clause.predicate, agent.concept, form, lex)]
    return [no, entry["before"], lex[clause.adverb], quality(clause.predicate, agent.concept, "base", lex)]


def say_clause(clause: Clause, lex: Lexicon, kind: str = "statement", mark: bool = True, late: bool = False) -> str:
    """A clause as statement, question, command or bare verb phrase; the time first unless late."""
    if clause.predicate.startswith("w."):
        return str(lex[clause.predicate][clause.tense])
    agent, place, event = clause.role("agent"), clause.role("place"), clause.predicate.startswith("v.")
    time = lex[clause.time] if clause.time else ""
    if clause.predicate == "be.exist" and agent and place:
        return f"{where(place, lex)} có {mention(agent, lex)}"
    said = agent if kind not in ("command", "purpose") else None
    subject = mention(said, lex, "subject" if event or said.owner else "topic") if said else ""
    verb = verbal(clause, lex, kind, mark) if event else being(clause, agent, lex) if agent else []
    tail = roles_said(clause, lex, kind) if event else []
    asked = "khi nào" if kind == "when" else ""
    front = {"why": "tại sao", "who": "ai"}.get(kind, asked if clause.tense != "past" else "")
    end = asked if not front else ""
    if kind == "question":
        end = "không" if verb[0] else "phải không"
    dated = f"vào {time}" if time.startswith(("mùa", "sáng", "chiều", "tối", "đêm")) else time
    text = " ".join(word for word in (front, subject, *verb, *tail, dated if late else "", end) if word)
    return f"{time}, {text}" if time and not late else text


def linked(sentence: Sentence, lex: Lexicon, mark: bool) -> str:
    """Main and linked clause in their order."""
    main, sub, link, kind = sentence.main, sentence.sub, sentence.link, sentence.kind
    assert sub is not None
    word, answer = lex["x.links"][link]
    short = "purpose" if link == "purpose" or (link == "before" and kind == "command") else "statement"
    other = say_clause(sub, lex, short, link not in ("before", "after", "when"), True)
    text = say_clause(main, lex, kind, mark, sentence.front)
    return f"{word} {other}{answer} {text}" if sentence.front else f"{text} {word} {other}"


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with capital letter, punctuation and, if any, its speaker."""
    main, kind, agent = sentence.main, sentence.kind, sentence.main.role("agent")
    if kind in ("greeting", "closing") and agent:
        own = agent.form == "name"
        name = lex[agent.concept] if own else lex[agent.concept]["dear" if kind == "greeting" else "sign"]
        text = f"{name}{' thân mến' if own else ''}," if kind == "greeting" else f"thân mến, {name}."
        return text[0].upper() + text[1:]
    told = agent is not None and agent.form == "pronoun" and agent.person == 3
    told = told and sentence.link in ("", "before", "after", "when")
    mark = kind != "statement" or not (told or (sentence.opener and not sentence.quote))
    text = linked(sentence, lex, mark) if sentence.sub else say_clause(main, lex, kind, mark)
    text = f"{lex[sentence.opener]} {text}" if sentence.opener else text
    text = text[0].upper() + text[1:] + ("." if kind in ("statement", "command") else "?")
    if not sentence.speaker:
        return text
    name = mention(sentence.speaker, lex)
    if sentence.quote == "turn":
        return f"{name}: {text}"
    return f"{name} {'nói' if sentence.quote == 'said' else 'hỏi'}: “{text}”"
