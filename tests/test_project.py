"""The project holds together: imports go down, every yaml builds, the README's commands run, trackers cannot hurt."""

from __future__ import annotations

import ast
import gc
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from guards import guards
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import mbs
from mbs.cli.config import build
from mbs.cli.main import with_own_groups
from mbs.errors import MbsError, closest, unknown
from mbs.run.imports import uncollected
from mbs.storage.digests import digest, digest_files, strict_json
from mbs.storage.files import config_folder, slug, write_whole
from mbs.trackers.base import NoTracker, RunInfo
from mbs.trackers.guard import Guarded
from mbs.trackers.wandb import WandbTracker, default_mode

ROOT = Path(__file__).resolve().parent.parent

# Imports go down this list only.
ROOMS = ["errors", "demo", "storage", "engine", "data", "compression", "evaluation", "metrics", "trackers", "run",
         "report", "cli", "__main__"]  # fmt: skip
# What the rooms from storage to metrics may not import, and where an exception is made.
FORBIDDEN = {"hydra", "omegaconf", "wandb", "rich", "datasets", "lm_eval", "pyarrow"}
LIBRARY = {"storage", "engine", "data", "compression", "evaluation", "metrics"}
EXCEPTIONS = {"mbs.data.corpora": {"datasets", "pyarrow"}, "mbs.evaluation.tasks": {"datasets", "lm_eval"}}


def modules() -> dict[str, Path]:
    files = sorted((ROOT / "mbs").rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("module", [name for name in modules() if name != "mbs.__init__"])
def test_imports_go_down_only(module: str) -> None:
    room = module.split(".")[1]
    allowed = EXCEPTIONS.get(module.rpartition(".")[0], set())
    for name in imported(modules()[module]):
        top, *rest = name.split(".")
        if top == "mbs" and rest and rest[0] != room:
            assert ROOMS.index(rest[0]) < ROOMS.index(room), f"{module} imports {name}"
        if room in LIBRARY:
            assert top not in FORBIDDEN - allowed, f"{module} imports {name}"


def test_every_room_is_in_the_order() -> None:
    assert {name.split(".")[1] for name in modules()} - {"__init__"} == set(ROOMS)


def test_public_names_exist() -> None:
    for name in mbs.__all__:
        assert getattr(mbs, name) is not None
        assert name in dir(mbs)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = mbs.nothing_of_the_kind


def test_the_version_is_stated_once_in_effect() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert stated == mbs.__version__ == metadata.version("mbs")


def options() -> list[tuple[str, str]]:
    return sorted((file.parent.name, file.stem) for file in config_folder().glob("*/*.yaml"))


EXTRA = {("mix", "single"): ["mix.language=sw"], ("mix", "custom"): ["mix.weights={en: 1}"],
         ("model", "local"): ["model.path=some/model"], ("experiment", "mixes"): ["model.path=some/model"]}  # fmt: skip


@pytest.mark.guard(
    "conf/pruner/wanda.yaml", "mbs.compression.pruners.wanda.Wanda", "mbs.compression.pruners.wanda.Wnda"
)
@pytest.mark.parametrize(("group", "option"), options())
def test_every_yaml_composes_and_builds(group: str, option: str, corpus_folder: Path, evaluation_folder: Path) -> None:
    own = (
        (group, option) in EXTRA
        or (group, option) in (("corpus", "local"), ("evaluation", "local"))
        or "bloom" in option
    )
    paths = [f"corpus.path={corpus_folder}", f"evaluation.path={evaluation_folder}"] if own else []
    overrides = with_own_groups([f"{group}={option}", *paths, *EXTRA.get((group, option), [])])
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("config", overrides, return_hydra_config=group == "experiment")
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    settings = build(config)
    assert settings.segments >= 1
    assert group in ("experiment", "debug") or settings.config[group]["_target_"].startswith("mbs.")


def test_an_experiments_values_win() -> None:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        assert compose("config", ["experiment=mixes"]).calibration.segments == 128
        assert compose("config", ["experiment=mixes", "debug=tiny"]).calibration.segments == 20


def commands_of_readme() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("mbs ")]


def test_the_readme_has_commands() -> None:
    assert len(commands_of_readme()) >= 3


@pytest.mark.guard("README.md", "mix=english evaluation.documents=60", "mix=englisch evaluation.documents=60")
@pytest.mark.parametrize("command", commands_of_readme())
def test_the_readmes_commands_compose(command: str, tmp_path: Path) -> None:
    """Every command is composed by Hydra as typed, with --cfg instead of a run."""
    import shlex

    words = [word for word in shlex.split(command)[1:] if word != "-m"]
    ended = subprocess.run(
        [sys.executable, "-m", "mbs", "--cfg", "job", *[re.sub(r"=([^\[{,]+),.*", r"=\1", word) for word in words]],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def test_every_guarded_line_is_in_the_code_once() -> None:
    found = guards()
    assert len(found) > 20
    for guard in found:
        assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.line) == 1, guard


def test_slugs_are_safe() -> None:
    assert slug("../../Evil Name") == "evil_name"
    assert slug("人") == "x"
    assert slug("Ünïcode") == slug("U\u0308ni\u0308code")
    assert len(slug("a" * 500)) == 32


def test_files_are_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sub" / "a.json"
    write_whole(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mbs.storage.files.os.fsync", full)
    with pytest.raises(MbsError, match=r"no space left for .*a\.json"):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in file.parent.iterdir()] == ["a.json"]


@pytest.mark.guard(
    "mbs/storage/digests.py", "allow_nan=False, ensure_ascii=False, indent=indent", "ensure_ascii=False, indent=indent"
)
def test_digests(tmp_path: Path) -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
    (tmp_path / "a").write_bytes(b"1")
    before = digest_files([tmp_path / "a"])
    (tmp_path / "a").write_bytes(b"2")
    assert digest_files([tmp_path / "a"]) != before
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json({"x": float("nan")})


def test_errors_read_well() -> None:
    error = MbsError("a\n b", "c", "d")
    assert error.line == "mbs: a b; expected c; try d"
    assert str(unknown("mix", "mbz", ["mbs", "english"])).endswith("try 'mbs'")
    assert closest("qqqq", ["mbs"]) == ""


class Failing(NoTracker):
    def log(self, event: Any) -> None:
        raise ConnectionError("gone")


def test_a_failing_tracker_is_one_warning(tmp_path: Path) -> None:
    lines: list[str] = []
    guarded = Guarded(Failing(), lines.append)
    guarded.start(RunInfo("r", "0", tmp_path, {}, []))
    guarded.log({"event": "x"})
    guarded.log({"event": "x"})
    guarded.finish({})
    assert len(lines) == 1
    assert "Failing failed and is left out (ConnectionError: gone)" in lines[0]


def test_wandb_is_offline_without_a_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert default_mode() == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert default_mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert default_mode() == "disabled"


def test_wandb_mirrors_a_run_offline(tmp_path: Path) -> None:
    scores = {"perplexity": 10.0, "bits_per_byte": 1.5}
    result = {
        "languages": {"sw": {"share": 0.1, "dense": scores, "compressed": scores, "harm": 0.25}},
        "summary": {"harm_mean": 0.25, "low_resource_languages": ["sw"]},
        "tasks": {"xnli": {"sw": {"accuracy_dense": 0.75, "accuracy_compressed": 0.5}}},
    }
    tracker = WandbTracker(mode="offline")
    tracker.start(RunInfo("a-run", "0", tmp_path, {"seed": 1}, ["mbs", "wanda"]))
    tracker.log({"event": "language", "language": "sw", "harm": 0.25})
    tracker.finish(result)
    (record,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    leet = Path(sys.executable).with_name("wandb")
    shown = subprocess.run([leet, "leet", "inspect", "--summary", "--json", record], capture_output=True, text=True,
                           check=True)  # fmt: skip
    text = json.dumps(json.loads(shown.stdout))
    assert "harm/sw" in text
    assert "0.25" in text
    assert "xnli/sw" in text
    assert "0.75" in text


def test_a_run_with_a_broken_tracker_is_complete(
    tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path
) -> None:
    from dataclasses import replace

    from mbs.run.execute import run
    from mbs.run.log import Log

    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = compose("config", with_own_groups(
            [f"model.path={checkpoint}", f"model.shares={checkpoint / 'training.json'}", f"corpus.path={corpus_folder}",
             f"evaluation.path={evaluation_folder}", "tracker=none", f"outputs={tmp_path}", "calibration.segments=6",
             "calibration.length=16"]))  # fmt: skip
    lines: list[str] = []
    said: list[str] = []
    settings = replace(build(config), tracker=Failing())
    log = Log(said.append, lines.append)
    outcome = run(settings, log)
    assert len(lines) == 1
    assert [line.split(":")[0] for line in said] == ["identify", "sample", "load", "dense", "compress", "score"]
    assert outcome.record
    assert outcome.record["warnings"] == []  # a tracker is no part of the result


def test_garbage_is_not_collected_while_importing_and_is_afterwards() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    with uncollected():
        kept = [[number] for number in range(100)]
    assert gc.get_freeze_count() == frozen  # nothing was imported
    assert kept
