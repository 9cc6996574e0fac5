"""Simplified Chinese: says an abstract sentence with the forms stored in lexicon/zh-Hans.json.

A verb stores its frame, the order of its roles around the verb: "role:mark" with ~ for the mention, @ for the place
word of standing somewhere (in, on) and ^ for that of getting there; "V" is the verb, "*" the manner (else before "V").
"""

from dataclasses import replace
from typing import Any

from world.lexicon import Lexicon
from world.message import NP, Clause, Sentence

FREQUENCY = ("adv.always", "adv.often", "adv.sometimes", "adv.usually", "adv.rarely", "adv.never")
ASKED = {"what": ("object", "什么"), "where": ("place", "哪里"), "when": ("", "什么时候"), "why": ("", "为什么")}
BEFORE = {"because": "因为", "although": "虽然", "if": "如果", "when": "当"}
AFTER = {"when": "的时候", "before": "之前", "after": "之后"}
AUX = {
    "past": ("", "没有"),
    "present": ("正在", "没有在"),
    "future": ("会", "不会"),
    "habit": ("", "不"),
    "command": ("", "不要"),
}
MODAL = {"want": "想", "can": "能", "must": "必须"}
KNOWN = "known pronoun"  # how little a form says, found later in this list; any other form says more
QUOTE = {"turn": "：", "said": "说：", "asked": "问："}
JOIN = {"because": "所以", "although": "但是", "so": "所以", "but": "但是", "and": "而"}


def pronoun(np: NP, owning: str = "") -> str:
    """I, you, he, she, it, they; or, with what stands between owner and owned, my, one's own."""
    if np.form == "self" and np.person == 3:
        return "自己的"
    third = {"m": "他", "f": "她", "": "它"}[np.sex] + ("们" if np.count != 1 else "")
    return ("我" if np.person == 1 else "你" if np.person == 2 else third) + owning


def sort(concept: str, lex: Lexicon) -> str:
    """Person, or what type of thing a noun is."""
    return "person" if concept[:2] == "p." else "" if concept[:2] == "g." else str(lex[concept]["kind"])


def described(adjective: str, noun: str, lex: Lexicon) -> Any:
    """The forms of an adjective, which may be another word with some nouns."""
    others = lex[adjective].get("alt", {})
    return others.get(noun) or others.get(sort(noun, lex)) or lex[adjective]


def mention(np: NP, lex: Lexicon, there: bool = False, about: str = "") -> str:
    """A noun phrase; a known place needs no demonstrative, what a text is about stands before its noun."""
    if np.form == "pronoun":
        return pronoun(np)
    if np.others:
        parts = [mention(one, lex) for one in (replace(np, others=()), *np.others)]
        return "、".join(parts[:-1]) + "和" + parts[-1]
    if np.form == "name":
        return str(lex[np.concept])
    noun: dict[str, str] = lex[np.concept]
    measure = noun["cl"]
    words = about + "".join(described(a, np.concept, lex)["attr"] for a in np.adjectives) + noun.get(np.sex, noun["n"])
    counted = f"{lex[f'q.{np.count}']}{measure}" if np.count > 1 else ""
    if np.owner:
        mine = np.owner.form in ("pronoun", "self")  # kin follows a pronoun directly
        owner = pronoun(np.owner, "" if "kin" in noun else "的") if mine else mention(np.owner, lex) + "的"
        return owner + counted + words
    bare = "bare" in noun if there else noun.get("bare") == "all" and not np.adjectives
    if np.form == "known" and measure and not (bare and np.count == 1):
        return "那" + (counted or (measure if np.count == 1 else "些")) + words
    return ("一" + measure if np.form == "new" and np.count == 1 and measure else counted) + words


def slot(item: str, clause: Clause, lex: Lexicon, kind: str) -> str:
    """One role with its preposition, and with its place word if the frame asks for one."""
    role, _, mark = item.partition(":")
    mark = mark or ("在~@" if role == "place" else "~")
    np, topic = clause.role(role), clause.role("topic") if clause.predicate in ("v.read", "v.write") else None
    about = f"关于{mention(topic, lex)}的" if topic and role == "object" else ""
    if np is None:
        asked, word = ASKED.get(kind, ("", ""))
        word += about + "东西" if about else ""
        return mark.replace("~", word).replace("@", "").replace("^", "") if role == asked else ""
    if role == "transport":
        return str(lex[np.concept]["by"])
    mark = mark.replace("~", "~@") if np.relation and "@" not in mark else mark
    noun = {} if np.concept[:2] in ("p.", "g.") else lex[np.concept]
    within = lex[np.relation] if np.relation else noun.get("loc", "")
    said = mention(np, lex, role in ("place", "goal", "source"), about)
    return mark.replace("~", said).replace("@", within).replace("^", noun.get("to", within))


def chosen(clause: Clause, lex: Lexicon, kind: str) -> dict[str, Any]:
    """The verb's entry, which may differ with what is asked, with a further role or with what fills a role."""
    entry: dict[str, Any] = lex[clause.predicate]
    keys = [kind, clause.modal, *(role for role, _ in clause.roles)]
    for role, np in clause.roles:
        if role in ("object", "goal", "companion", "agent"):
            keys += [np.concept, sort(np.concept, lex)] if role != "agent" or sort(np.concept, lex) != "person" else []
    return next((entry | entry["alt"][key] for key in keys if key in entry.get("alt", {})), entry)


def predicate(clause: Clause, lex: Lexicon, kind: str, bare: bool) -> str:
    """Everything after the subject and its time and frequency, of a verb."""
    verb, form, no, tense = chosen(clause, lex, kind), "base", clause.negative, clause.tense
    aux, frame = AUX["habit" if "stative" in verb and tense in ("past", "present") else tense][no], list(verb["frame"])
    if clause.modal:
        aux = ("不" if no else "") + ("不得不" if (clause.modal, tense) == ("must", "past") else MODAL[clause.modal])
    elif tense == "present":
        aux = aux if "now" not in verb else "没有" if no else verb["now"]
        form = "prog" if "prog" in verb and not no else "base"
    elif tense == "past" and not no and not bare and kind not in ("where", "when"):
        form = "past"
    if "*" not in frame:
        frame.insert(frame.index("V"), "*")
    manner = lex[clause.adverb] if clause.adverb and clause.adverb not in FREQUENCY else ""
    rest = "".join(verb[form] if i == "V" else manner if i == "*" else slot(i, clause, lex, kind) for i in frame)
    return aux + (rest.removeprefix("在") if aux.endswith("在") else rest)


def state(clause: Clause, agent: NP, lex: Lexicon) -> str:
    """An adjective, a profession or a place as predicate."""
    standard, no = clause.role("standard"), "不" if clause.negative else ""
    if clause.predicate.startswith("a."):
        entry = described(clause.predicate, agent.concept, lex)
        compared = f"比{mention(standard, lex)}{entry['more']}" if standard else ""
        return compared or str(entry["neg" if no else clause.adverb[2:] or "pred"])
    if clause.predicate == "be.at":
        return f"{no}{slot('place', clause, lex, '')}"
    return f"{no}是{mention(NP(clause.predicate, sex=agent.sex), lex)}"


def say_clause(clause: Clause, lex: Lexicon, kind: str = "statement", bare: bool = False, drop: bool = False) -> str:
    """A clause as statement or question; bare without the mark of completion, drop without its subject."""
    if clause.predicate.startswith("w."):
        return str(lex[clause.predicate]["when" if bare else clause.tense])
    agent = clause.role("agent")
    if clause.predicate == "be.exist" and agent:
        return f"{slot('place:~@', clause, lex, '')}有{mention(agent, lex)}"
    some = "一些" if agent and (agent.form, agent.count) == ("new", 0) and clause.tense != "habit" else ""
    subject = "谁" if kind == "who" else some + mention(agent, lex) if agent and not drop and kind != "command" else ""
    early = (ASKED[kind][1] if kind in ("when", "why") else "") + (lex[clause.time] if clause.time else "")
    early += lex[clause.adverb] if clause.adverb in FREQUENCY else ""
    if agent and not clause.predicate.startswith("v."):
        return subject + early + state(clause, agent, lex)
    rest = predicate(clause, lex, kind, bare)
    past = kind in ("where", "when") and clause.tense == "past" and not clause.negative
    return f"{subject}是{early}{rest}的" if past else subject + early + rest


def exchange(first: Clause, second: Clause) -> tuple[Clause, Clause]:
    """Where the shorter mention (she, the baker) would come before the fuller one, the two change places."""
    ahead, behind = list(first.roles), list(second.roles)
    for i, (role, np) in enumerate(ahead):
        for j, (other, full) in enumerate(behind):
            alike = np.concept == full.concept and np.person == 3 and np.owner in (None, full.owner)
            if alike and KNOWN.find(np.form) > KNOWN.find(full.form):
                ahead[i], behind[j] = (role, full), (other, np)
                return exchange(replace(first, roles=tuple(ahead)), replace(second, roles=tuple(behind)))
    return first, second


def linked(sentence: Sentence, lex: Lexicon) -> str:
    """Main and linked clause, the circumstance first; the second clause drops the subject that it shares."""
    main, sub, link, kind = sentence.main, sentence.sub, sentence.link, sentence.kind
    assert sub is not None
    if link == "that":
        return say_clause(main, lex) + say_clause(sub, lex)
    if link == "purpose":
        aim, means = say_clause(replace(sub, tense="command"), lex, drop=True), say_clause(main, lex)
        late = main.predicate == "v.need" and any(np.form == "pronoun" for role, np in sub.roles if role != "agent")
        return f"{means}来{aim}" if late else f"为了{aim}，{means}"
    first, second = (main, sub) if link in ("so", "but", "and") else exchange(sub, main)
    one, two = (clause.role("agent") or NP("") for clause in (first, second))
    same = (one.concept, one.person) == (two.concept, two.person) and (
        two.form in ("pronoun", "name") or (one.form == two.form == "known" and one.owner == two.owner)
    )
    told = kind == "command" and same and link in ("before", "after")  # the one told to is not named
    start = say_clause(first, lex, bare=link in ("when", "before"), drop=told)
    head = "" if link == "when" and first.predicate[:2] == "w." else BEFORE.get(link, "")
    start = "在" + start.removeprefix("在") if told else head + start
    join = "就" if (kind, link) == ("command", "if") else "并且" if same and link == "and" else JOIN.get(link, "")
    rest = say_clause(second, lex, kind, drop=same and link not in ("if", "when"))
    return f"{start}{AFTER.get(link, '')}，{join.removesuffix('是') if rest.startswith('是') else join}{rest}"


def say(sentence: Sentence, lex: Lexicon) -> str:
    """The whole sentence with punctuation and, if any, its speaker."""
    main, kind = sentence.main, sentence.kind
    if kind in ("greeting", "closing"):
        to = main.roles[0][1]
        whom = mention(replace(to, owner=None, form="name" if to.form == "name" else "bare"), lex)
        return f"爱你的{whom}" if kind == "closing" else f"亲爱的{whom}："
    text = linked(sentence, lex) if sentence.sub else say_clause(main, lex, kind)
    text = (lex[sentence.opener] if sentence.opener else "") + text
    done = main.predicate in ("v.invite", "v.warn") and main.tense == "past" and not (main.modal or main.negative)
    text += "。" if kind in ("statement", "command") else "了吗？"[not done :] if kind == "question" else "？"
    if not sentence.speaker:
        return text
    return mention(sentence.speaker, lex) + QUOTE[sentence.quote] + (text if sentence.quote == "turn" else f"“{text}”")
