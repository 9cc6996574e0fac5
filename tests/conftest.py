"""Small worlds for the tests: text in several scripts, a byte-level tokenizer trained on it, random tiny models."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    OPTConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    XGLMConfig,
)

from mbs.engine.tokenizer import Tokenizer

os.environ.update(HF_HUB_OFFLINE="1", WANDB_MODE="offline", WANDB_SILENT="true", TOKENIZERS_PARALLELISM="false")
torch.set_num_threads(1)

# Whether a test passes is no question of how busy the machine is.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
SYLLABLES = {
    "en": ["ba", "ke", "ti", "mo", "ru", "san", "del", "for", "ing", "the"],
    "fr": ["ça", "été", "où", "bon", "jour", "mer", "voi", "là", "et", "ne"],
    "sw": ["ki", "wa", "mu", "ngo", "zi", "ha", "ri", "ni", "ja", "mbo"],
    "zh-Hans": list("山水火木金土日月人大小天"),
    "yo": ["ọ̀rọ̀", "ẹ̀kọ́", "àwọn", "ilé", "ọmọ", "gbé", "ṣe", "náà", "tí", "kò"],
}
VOCABULARY = 400


def invented(language: str, words: int, seed: int = 0) -> str:
    """Text of invented words in a language's letters."""
    source = random.Random(f"{language}{seed}")
    gap = "" if language.startswith("zh") else " "
    return gap.join("".join(source.choices(SYLLABLES[language], k=source.randint(1, 3))) for _ in range(words))


@pytest.fixture(scope="session")
def backend() -> Backend:
    """A byte-level BPE tokenizer with `<s>` 1, `</s>` 2, `<pad>` 3."""
    built = Backend(models.BPE())
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<unk>", "<s>", "</s>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    built.train_from_iterator([invented(language, 400) for language in SYLLABLES], trainer)
    return built


def wrapped(backend: Backend) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    )


@pytest.fixture(scope="session")
def tokenizer(backend: Backend) -> Tokenizer:
    return Tokenizer(wrapped(backend))


@pytest.fixture(scope="session")
def bos_tokenizer(backend: Backend) -> Tokenizer:
    """The same, but with `<s>` at the start of every sequence, as for Llama and Gemma."""
    copy = Backend.from_str(backend.to_str())
    copy.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return Tokenizer(wrapped(copy))


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibration text: .txt and .jsonl files of many documents."""
    folder = tmp_path_factory.mktemp("corpus")
    for language in SYLLABLES:
        texts = [invented(language, 30, seed) for seed in range(1, 41)]
        if language in ("en", "fr"):
            (folder / f"{language}.txt").write_text("\n\n".join(texts), encoding="utf-8")
        else:
            rows = [{"id": f"{language}/{n}", "source": "made", "text": text} for n, text in enumerate(texts)]
            lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            (folder / f"{language}.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def evaluation_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evaluation text: three documents per language, one of them longer than a window of 32 tokens."""
    folder = tmp_path_factory.mktemp("evaluation")
    for language in SYLLABLES:
        texts = [invented(language, words, 1000 + words) for words in (5, 60, 12)]
        (folder / f"{language}.txt").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return folder


Command = Callable[[Callable[[], None], list[str]], tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Calls a command's entry point with words, from an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(main: Callable[[], None], words: list[str]) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mbs", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    return call


CONFIGS: dict[str, Callable[[], Any]] = {
    "bloom": lambda: BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=3, n_head=4, bos_token_id=1,
                                 eos_token_id=2, pad_token_id=3),
    "gpt2": lambda: GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=3, n_head=4, n_positions=128),
    "opt": lambda: OPTConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=3, ffn_dim=64,
                             num_attention_heads=4, max_position_embeddings=128, word_embed_proj_dim=16,
                             do_layer_norm_before=False, activation_function="relu"),
    "xglm": lambda: XGLMConfig(vocab_size=VOCABULARY, d_model=32, ffn_dim=64, num_layers=3, attention_heads=4,
                               max_position_embeddings=128),
    "llama": lambda: LlamaConfig(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=3,
                                 num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128),
    "qwen2": lambda: Qwen2Config(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=4,
                                 num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
                                 use_sliding_window=True, sliding_window=8, max_window_layers=2),
    "qwen3": lambda: Qwen3Config(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=3,
                                 num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                                 max_position_embeddings=128),
    "gemma3": lambda: Gemma3TextConfig(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48,
                                       num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                                       max_position_embeddings=128, sliding_window=8,
                                       layer_types=["sliding_attention", "sliding_attention", "full_attention"] * 2),
}  # fmt: skip


def random_model(architecture: str, seed: int = 0) -> PreTrainedModel:
    """A tiny model of that shape with random weights large enough to matter."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(CONFIGS[architecture]()).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    assert isinstance(model, PreTrainedModel)
    return model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, backend: Backend) -> Path:
    """A saved tiny BLOOM with its tokenizer and a file of training shares."""
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-bloom"
    random_model("bloom").save_pretrained(folder)
    wrapped(backend).save_pretrained(folder)
    share = {"en": 0.5, "zh-Hans": 0.2, "fr": 0.15, "sw": 0.1, "yo": 0.05}
    (folder / "training.json").write_text(json.dumps({"share": share, "unit": "tokens"}))
    return folder


def shared(*parts: str) -> Path | None:
    """A file or folder of real data given by MBS_SHARED, or None where it is not present."""
    root = os.environ.get("MBS_SHARED", "")
    path = Path(root, *parts)
    return path if root and path.exists() else None


Run = Callable[..., tuple[int, str, str]]


def tiny_run(checkpoint: Path, corpus: Path, evaluation: Path) -> list[str]:
    """The words of the smallest run on a model and text."""
    return [
        f"model.path={checkpoint}", f"model.shares={checkpoint / 'training.json'}", f"corpus.path={corpus}",
        f"evaluation.path={evaluation}", "calibration.segments=12", "calibration.length=24", "tracker=none",
    ]  # fmt: skip


@pytest.fixture
def bare_run(command: Command, checkpoint: Path, corpus_folder: Path) -> Run:
    """`mbs` on a tiny model; the evaluation is the caller's."""
    from mbs.cli import main as cli

    common = [
        f"model.path={checkpoint}", f"model.shares={checkpoint / 'training.json'}", f"corpus.path={corpus_folder}",
        "calibration.segments=12", "calibration.length=24", "tracker=none",
    ]  # fmt: skip
    return lambda *overrides: command(cli.main, [*common, *overrides])


@pytest.fixture(scope="session")
def quiet_imports() -> None:
    """What lm-eval's imports warn of is no matter of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lm_eval.evaluator
        import lm_eval.models.huggingface  # noqa: F401


@pytest.fixture
def run(command: Command, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path) -> Run:
    """`mbs` with a tiny model and text."""
    common = tiny_run(checkpoint, corpus_folder, evaluation_folder)

    def call(*arguments: str) -> tuple[int, str, str]:
        flags = [argument for argument in arguments if argument.startswith("-")]
        overrides = [argument for argument in arguments if not argument.startswith("-")]
        from mbs.cli import main as cli

        return command(cli.main, [*flags, *common, *overrides])

    return call


@pytest.fixture
def inputs(tmp_path: Path, checkpoint: Path, corpus_folder: Path, evaluation_folder: Path) -> dict[str, Path]:
    """Copies of model, corpus and evaluation text that a test may change."""
    folders = {"model": checkpoint, "corpus": corpus_folder, "evaluation": evaluation_folder}
    return {name: Path(shutil.copytree(folder, tmp_path / name)) for name, folder in folders.items()}
