"""Discourse planner: a genre and a random source become paragraphs of abstract sentences."""

from dataclasses import replace
from random import Random

from world import moves, public, setting, talk
from world.accept import accept
from world.basics import Move
from world.concepts import by_type, concepts, fillers
from world.message import NP, Clause, Paragraph, Sentence
from world.stage import Stage, event

GENRES = ("story", "letter", "news", "instruction", "dialogue")
TRIES = 40
FEWEST_SENTENCES = 9
KITCHEN = "fruit vegetable staple dish drink utensil fish"
HOME = "furniture household utensil container room clothes"
PROCEDURES = (
    ("v.cook", KITCHEN, "n.onion,n.garlic,n.rice,n.salt,n.carrot,n.pot,n.knife,n.ginger,n.mushroom,n.potato,n.bean",
     "wash peel chop slice cut heat boil fry mix add pour stir taste serve"),
    ("v.bake", KITCHEN, "n.flour,n.sugar,n.butter,n.egg,n.milk,n.honey,n.apple,n.lemon,n.bowl,n.cinnamon,n.salt,n.tray",
     "measure wash peel slice heat mix add pour stir bake cool cover taste serve"),
    ("v.make", "tool material structure furniture", "n.hammer,n.saw,n.drill,n.chisel,n.wood,n.paint,n.brush,n.file",
     "measure sharpen cut chop carve lift carry check paint polish clean push move"),
    ("v.repair", "tool material structure machine vehicle", "n.hammer,n.screwdriver,n.pliers,n.rope,n.oil,n.brush",
     "stop check clean take borrow push pull repair paint polish close install"),
    ("v.plant", "plant vegetable fruit tool nature", "n.shovel,n.seed,n.bucket,n.rake,n.hoe,n.spade,n.water,n.basket",
     "choose dig carry fill plant water protect cover collect harvest"),
    ("v.decorate", HOME, "n.soap,n.broom,n.towel,n.bucket,n.candle,n.flower,n.picture,n.curtain,n.brush,n.tablecloth",
     "open sweep empty wash clean iron fold move hang cover light decorate close"),
    ("v.train", "farm pet household container staple", "n.rope,n.water,n.bread,n.brush,n.basket,n.egg,n.meat",
     "buy feed brush fill open close clean train follow wash"),
    ("v.travel", "clothes text container vehicle", "n.ticket,n.map,n.suitcase,n.backpack,n.money,n.coat,n.hat,n.boot",
     "wash iron fold choose pack buy check take lock carry wait leave go"),
)  # fmt: skip


def one_of(stage: Stage, weighted: dict[Move, int], tries: int = TRIES) -> list[Sentence]:
    """Try moves at random until one gives a sentence that belongs to the split."""
    for _ in range(tries):
        move = stage.rng.choices(list(weighted), list(weighted.values()))[0]
        sentence = accept(stage, move(stage))
        if sentence:
            return [sentence]
    return []


def several(stage: Stage, weighted: dict[Move, int], count: int) -> Paragraph:
    """A paragraph of at most count sentences."""
    return tuple(s for _ in range(count) for s in one_of(stage, weighted))


def people(rng: Random, count: int) -> list[NP]:
    """Named persons with different names."""
    return [NP(p, "name", sex=concepts()[p].sex) for p in rng.sample(by_type("name"), count)]


def story(rng: Random, split: str) -> list[Paragraph]:
    """A narrative: who and where, what happened, how it ended."""
    stage = Stage(rng, split, people(rng, rng.randint(2, 4)))
    return [
        several(
            stage, {setting.introduce: 3, setting.habit: 3, setting.locate: 2, setting.weather: 1}, rng.randint(2, 3)
        ),
        several(stage, moves.NARRATIVE, rng.randint(4, 6)),
        several(stage, moves.NARRATIVE, rng.randint(3, 6)),
        several(stage, {moves.feel: 3, moves.report: 2, talk.quoted: 2, moves.onward: 4}, 2),
    ]


def letter(rng: Random, split: str) -> list[Paragraph]:
    """A personal letter: greeting, news, questions and plans, closing."""
    writer, reader, *rest = people(rng, 4)
    me, you = replace(writer, form="pronoun", person=1), replace(reader, form="pronoun", person=2)
    stage = Stage(rng, split, [me, me, *rest])
    formulas = Stage(rng, split, [writer, reader])
    greeting = one_of(formulas, {public.greeting: 1}, 60)
    body = [
        several(stage, moves.NARRATIVE | {talk.opinion: 3}, rng.randint(4, 6)),
        several(replace(stage, cast=[me, you, you, *rest]), talk.OUTLOOK, rng.randint(4, 6)),
    ]
    closing = one_of(formulas, {public.closing: 1}, 60)
    return [tuple(greeting), *body, tuple(closing)]


def news(rng: Random, split: str) -> list[Paragraph]:
    """A report of one incident with reactions and outlook."""
    stage = Stage(rng, split, people(rng, 2))
    return [
        several(stage, {public.incident: 5, setting.weather: 1}, 2),
        several(
            stage, {public.incident: 3, moves.onward: 4, moves.report: 4, public.consequence: 3}, rng.randint(3, 5)
        ),
        several(stage, {talk.quoted: 2, talk.future: 4, moves.report: 3, public.incident: 2}, rng.randint(2, 4)),
    ]


def instruction(rng: Random, split: str) -> list[Paragraph]:
    """A recipe or how-to: purpose and needs, steps in order, warnings and conditions."""
    you = NP(by_type("name")[0], "pronoun", sex="m", person=2)
    aim, domain, needs, steps = rng.choice(PROCEDURES)
    stage = Stage(rng, split, [you], domain=(*domain.split(), "people", "profession", "room", "town", "unit"))
    goal = next(filter(None, (event(stage, aim, {"agent": you}, "habit", 0.2) for _ in range(50))))
    wanted = [
        NP(c, "new", 1 if concepts()[c].mass else rng.choice((1, 2, 3, 4))) for c, _ in rng.sample(fillers(needs), 4)
    ]
    stage.props += wanted
    chosen = [f"v.{v}" for v in steps.split() if rng.random() < 0.9]

    def need(stage: Stage) -> Sentence:
        some = stage.rng.sample(wanted, stage.rng.randint(2, 4))
        listed = replace(some[0], others=tuple(some[1:]))
        clause = Clause("v.need", (("agent", you), ("object", listed)), "habit")
        return Sentence(clause, link="purpose", sub=goal)

    opening = one_of(stage, {need: 1})
    body: list[Sentence] = []
    for number, verb in enumerate(chosen):
        opener = "o.first" if number == 0 else "o.finally" if number == len(chosen) - 1 else ""
        body += one_of(stage, {public.step(verb, opener): 1}, 30)
        if rng.random() < 0.35:
            body += one_of(stage, {public.advice: 2, public.prohibit: 1, public.caution: 1})
    cut = 1 + len(body) // 2
    return [(*opening, *body[:1]), tuple(body[1:cut]), tuple(body[cut:])]


def dialogue(rng: Random, split: str) -> list[Paragraph]:
    """Two people ask, answer, tell, plan and object in turn; each turn is a paragraph."""
    one, two, *rest = people(rng, 4)
    turns: list[Paragraph] = []
    asked: Sentence | None = None
    base = Stage(rng, split, [])
    for number in range(rng.randint(8, 13)):
        speaker, hearer = (one, two) if number % 2 == 0 else (two, one)
        me, you = replace(speaker, form="pronoun", person=1), replace(hearer, form="pronoun", person=2)
        stage = replace(base, cast=[me, you, *rest])
        reply = talk.answer(asked, me, you) if asked else None
        said = one_of(stage, {reply: 1}, 12) if reply else []
        if not said or rng.random() < 0.6:
            said += one_of(stage, talk.TALK | {moves.fresh: 3, moves.report: 2, moves.sequence: 2})
        if said:
            said[0] = replace(said[0], speaker=speaker, quote="turn")
            turns.append(tuple(said))
        asked = said[-1] if said else None
    return turns


def plan(genre: str, rng: Random, split: str) -> list[Paragraph]:
    """The paragraphs of one document."""
    make = {"story": story, "letter": letter, "news": news, "instruction": instruction, "dialogue": dialogue}[genre]
    while True:
        paragraphs = [paragraph for paragraph in make(rng, split) if paragraph]
        if sum(map(len, paragraphs)) >= FEWEST_SENTENCES:
            return paragraphs
