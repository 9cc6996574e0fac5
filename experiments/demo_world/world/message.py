"""The abstract sentences ("messages") that the planner makes and every language's lineariser says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NP:
    """One person, thing or place as it is mentioned in one sentence."""

    concept: str  # n.*, p.* (person name) or g.* (town)
    form: str = "new"  # new | known | bare | name | pronoun | self (only as owner: the clause's own agent)
    count: int = 1  # 1 singular, 0 plural without a number, 2.. plural with the number said (q.N)
    adjectives: tuple[str, ...] = ()
    sex: str = ""  # m | f for persons, empty for all else
    person: int = 3  # 1 and 2 only with form pronoun or self
    owner: "NP | None" = None  # whose it is; an owned NP needs no article
    relation: str = ""  # r.* in the role place; empty: the place's own everyday relation
    others: tuple["NP", ...] = ()  # further members of an "and" list


@dataclass(frozen=True)
class Clause:
    """One event, state or fact: a predicate and who or what fills its roles."""

    predicate: str  # v.* | a.* (agent is so) | n.* (agent is one) | w.* (weather) | be.at | be.exist
    roles: tuple[tuple[str, NP], ...] = ()
    tense: str = "past"  # past | present (going on now) | habit | future | command
    negative: bool = False
    modal: str = ""  # want | can | must
    adverb: str = ""  # adv.* manner or frequency of a v.*; d.* degree of an a.*
    time: str = ""  # t.*

    def role(self, name: str) -> NP | None:
        """The filler of a role, if the clause has it."""
        return next((np for role, np in self.roles if role == name), None)


@dataclass(frozen=True)
class Sentence:
    """One sentence: a main clause and at most one linked clause, as a statement, question or command."""

    main: Clause
    kind: str = "statement"  # statement | question | who | what | where | when | why | command | greeting | closing
    link: str = ""  # because | although | before | after | when | if | so | but | and | purpose | that
    sub: Clause | None = None
    front: bool = False  # the linked clause is said first (never with so, but, and, purpose, that)
    opener: str = ""  # o.*
    speaker: NP | None = None  # whose words these are
    quote: str = ""  # said | asked (direct speech inside a text) | turn (a line of a dialogue)


Paragraph = tuple[Sentence, ...]


def mentions(np: NP | None) -> list[str]:
    """The concepts of a mention that are heard in every language: no names, no pronouns."""
    if np is None:
        return []
    heard = [np.concept] if np.form not in ("pronoun", "self", "name") else []
    for other in (*np.others, np.owner):
        heard += mentions(other)
    return heard + list(np.adjectives) + ([np.relation] if np.relation else [])


def content(clause: Clause | None) -> list[str]:
    """All concepts heard in a clause except names and numbers."""
    if clause is None:
        return []
    heard = [clause.predicate, clause.adverb, clause.time]
    for _, np in clause.roles:
        heard += mentions(np)
    return [concept for concept in heard if concept]
