"""The embedded models are what the record says of them, and the figures about them are computed right."""

import json
import math

import numpy as np
import pytest
from knowledge import RECORD, held_out, nll
from law import slope

from mbs import open_model, open_tokenizer
from mbs.demo import sample
from mbs.engine.checkpoint import CHECKPOINTS

TWINS = ("demo", "demo-reversed")


@pytest.mark.parametrize("twin", TWINS)
def test_recorded_perplexities_are_reproduced(twin: str) -> None:
    record = json.loads(RECORD.read_text())[twin]
    model, encode = open_model(CHECKPOINTS / twin, dtype="float32"), open_tokenizer(CHECKPOINTS / twin).hf
    assert set(record) == set(sample.LANGUAGES)
    for language, row in record.items():
        rows = held_out(model, encode, language, 40)
        found = math.exp(nll(model, rows).sum() / sum(len(ids) - 1 for ids in rows))
        assert found == pytest.approx(row["model"], rel=0.01), language


@pytest.mark.parametrize("twin", TWINS)
def test_a_checkpoint_is_small_and_its_shares_are_those_of_its_yaml(twin: str) -> None:
    from hydra import compose, initialize_config_dir

    from mbs.cli.paths import config_folder

    assert sum(file.stat().st_size for file in (CHECKPOINTS / twin).glob("*.safetensors")) <= 8e6
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        declared = dict(compose("config", [f"model={twin}"]).model.shares.share)
    record = {code: row["share"] for code, row in json.loads(RECORD.read_text())[twin].items()}
    assert declared == pytest.approx(record, abs=1e-4)


def test_the_twins_have_each_others_shares_in_reverse() -> None:
    one, two = (json.loads(RECORD.read_text())[twin] for twin in TWINS)
    order = sorted(one, key=lambda code: -one[code]["share"])
    assert [two[code]["share"] for code in order[::-1]] == [one[code]["share"] for code in order]


def test_the_slope_of_the_law_is_exact_on_a_line() -> None:
    x = np.array([-2.0, 0.5, 1.0, 3.0])
    assert slope(x, 0.7 - 0.3 * x) == pytest.approx(-0.3)
