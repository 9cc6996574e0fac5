"""Print generated documents, or one example of every shape of message, for an author to read."""

import argparse
from itertools import islice

from world.corpus import meaning, render, say
from world.lexicon import load
from world.message import Clause, Sentence
from world.planner import GENRES


def clause_shape(clause: Clause | None) -> str:
    """Everything about a clause that grammar may depend on, without its concepts."""
    if clause is None:
        return "-"
    agent = clause.role("agent")
    who = ""
    if agent:
        number = "list" if agent.others else "one" if agent.count == 1 else "many"
        who = f"{agent.form}.{agent.person}{agent.sex}.{number}"
    kind = clause.predicate if clause.predicate[:3] == "be." else clause.predicate[:1]
    kind = "more" if clause.role("standard") else kind
    return f"{kind} {clause.tense}{' not' if clause.negative else ''}{' ' + clause.modal if clause.modal else ''} {who}"


def shape(sentence: Sentence) -> str:
    """Kind, link, order and clause shapes of a sentence."""
    link = f" {sentence.link}{' (front)' if sentence.front else ''}" if sentence.sub else ""
    return f"{sentence.kind}{link} {sentence.quote}| {clause_shape(sentence.main)} | {clause_shape(sentence.sub)}"


def main() -> None:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("languages", nargs="+", help="the same document in each of these")
    parser.add_argument("--genre", choices=GENRES)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="train")
    parser.add_argument("--shapes", action="store_true", help="one example per message shape, from COUNT documents")
    arguments = parser.parse_args()
    lexicons = [load(code) for code in arguments.languages]
    seen: set[str] = set()
    numbers = (n for n in range(10**9) if arguments.genre in (None, GENRES[n % len(GENRES)]))
    for number in islice(numbers, arguments.count):
        genre, paragraphs = meaning(str(arguments.seed), number, arguments.split)
        if not arguments.shapes:
            print(f"## {number} {genre}")
            for lexicon in lexicons:
                print(render(paragraphs, lexicon), end="\n\n")
            continue
        for sentence in (s for paragraph in paragraphs for s in paragraph):
            if shape(sentence) not in seen:
                seen.add(shape(sentence))
                print(shape(sentence), *(say(sentence, lexicon) for lexicon in lexicons), sep="\n    ")


if __name__ == "__main__":
    main()
