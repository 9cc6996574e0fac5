"""The library runs where only torch, transformers, safetensors and numpy are installed."""

from __future__ import annotations

import re
import subprocess
import venv
from importlib import metadata
from pathlib import Path

import pytest
from conftest import ROOT

NAMED = ("torch", "transformers", "safetensors", "numpy")
ABSENT = ("hydra", "omegaconf", "wandb", "datasets", "lm_eval", "pyarrow", "scipy", "pandas", "matplotlib")
CODE = """
from importlib.util import find_spec
present = [name for name in {absent} if find_spec(name)]
assert not present, present
import mbs
model = mbs.open({model!r})
calibration = mbs.sample(model, mbs.FolderCorpus({text!r}), {{"en": 4, "sw": 4}}, length=24)
before = mbs.perplexity(model, mbs.FolderCorpus({news!r}), "sw")
mbs.compress(model, calibration, mbs.SparseGPT(), mbs.Unstructured(0.5))
after = mbs.perplexity(model, mbs.FolderCorpus({news!r}), "sw")
model.save("saved")
print(before > 1, after > 1, before != after)
"""


def requirements(names: tuple[str, ...]) -> set[str]:
    """The installed distributions that these need, themselves included, without extras."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in seen:
            continue
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another platform
            continue
        seen.add(name)
        waiting += [re.split(r"[^\w.-]", line)[0] for line in needed if not re.search(r"\bextra\s*==", line)]
    return seen


def environment(folder: Path) -> Path:
    """A virtual environment that has those distributions alone, by links to the installed ones; its interpreter."""
    venv.create(folder, symlinks=True, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in requirements(NAMED):
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or [] if ".." not in file.parts}:
            source, target = Path(str(distribution.locate_file(top))), site / top
            if source.exists() and not target.exists():
                target.symlink_to(source)
    (site / "mbs").symlink_to(ROOT / "mbs")
    return folder / "bin" / "python"


@pytest.mark.guard("mbs/library.py", "import numpy as np\n", "import numpy as np\nimport scipy\n")
def test_the_library_needs_torch_transformers_safetensors_and_numpy(
    tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path
) -> None:
    code = CODE.format(absent=ABSENT, model=str(checkpoint), text=str(corpus_folder), news=str(evaluation_folder))
    ended = subprocess.run([environment(tmp_path / "bare"), "-I", "-c", code], capture_output=True, text=True,
                           check=False, cwd=tmp_path)  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, "True True True\n"), ended.stderr
