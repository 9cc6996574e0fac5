"""Languages near and far: against a naive computation, and by its own identities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from conftest import random_model

from mbs.engine.skeleton import Skeleton
from mbs.errors import MbsError
from mbs.evaluation.similarity import as_published, clustering, language_vectors, similarity_to, standardised

Vectors = dict[str, np.ndarray]


def rows_of(seed: int, count: int, length: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(4, 400, (count, length))


@pytest.fixture
def vectors() -> Vectors:
    source = np.random.default_rng(0)
    return {code: source.uniform(0.1, 2, 12) for code in ("en", "fr", "sw", "yo", "ta")}


@pytest.mark.parametrize("architecture", ["bloom", "gpt2", "opt", "llama"])
def test_vectors_are_those_of_the_whole_tensor(architecture: str) -> None:
    """Against the input of the first block as a hook on the plain model sees it, all rows at once."""
    model = random_model(architecture)
    skeleton = Skeleton(model)
    rows = {"en": rows_of(1, 5, 12), "sw": rows_of(2, 3, 12)}
    seen: list[torch.Tensor] = []
    block = skeleton.chain[0].module
    handle = block.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
    )
    with torch.no_grad():
        for ids in rows.values():
            model(torch.from_numpy(ids))
    handle.remove()
    for batch_tokens in (1, 30, 10_000):
        found = language_vectors(skeleton, rows, batch_tokens)
        for vector, x in zip(found.values(), seen, strict=True):
            naive = np.array([sum(float(value) ** 2 for value in x[..., j].flatten()) for j in range(x.shape[-1])])
            assert vector == pytest.approx(naive / len(x), rel=1e-6)


def test_rows_that_differ_in_length_count_by_their_tokens() -> None:
    skeleton = Skeleton(random_model("gpt2"))
    ragged = [*rows_of(1, 2, 9), *rows_of(2, 1, 4), *rows_of(3, 2, 1)]
    found = language_vectors(skeleton, {"en": ragged, "sw": rows_of(4, 1, 12)}, 20)
    entered = [skeleton.enter(torch.from_numpy(row)[None])[0].numpy().astype(float) for row in ragged]
    squares = sum(np.square(x).sum(axis=(0, 1)) for x in entered)
    assert found["en"] == pytest.approx(squares * 12 / 24, rel=1e-6)
    with pytest.raises(MbsError, match="no tokens in yo"):
        language_vectors(skeleton, {"yo": []}, 20)


def test_embeddings_that_are_not_finite_are_refused() -> None:
    model: Any = random_model("gpt2")
    skeleton = Skeleton(model)
    with torch.no_grad():
        model.get_input_embeddings().weight[7] = math.inf
    with pytest.raises(MbsError, match="not finite in en"):
        language_vectors(skeleton, {"en": np.array([[7, 8]])}, 20)


def test_matrices_by_hand(vectors: Vectors) -> None:
    published = as_published(vectors)
    a, b = vectors["en"], vectors["sw"]
    cosine = sum(a * b) / math.sqrt(sum(a * a)) / math.sqrt(sum(b * b))
    assert published.cosine[0, 2] == pytest.approx(cosine)
    assert published.angle[0, 2] == pytest.approx(math.degrees(math.acos(cosine)))
    assert published.distance[0, 2] == pytest.approx(math.dist(a, b))
    roots = np.array([[math.sqrt(value) for value in vector] for vector in vectors.values()])
    scaled = [[(row[j] - np.mean(roots[:, j])) / np.std(roots[:, j]) for j in range(12)] for row in roots]
    other = standardised(vectors)
    assert other is not None
    expected = np.dot(scaled[0], scaled[2]) / np.linalg.norm(scaled[0]) / np.linalg.norm(scaled[2])
    assert other.cosine[0, 2] == pytest.approx(expected)


def test_identities(vectors: Vectors) -> None:
    vectors["xx"] = vectors["en"].copy()
    for similarity in (as_published(vectors), standardised(vectors)):
        assert similarity is not None
        for matrix, itself in ((similarity.cosine, 1), (similarity.angle, 0), (similarity.distance, 0)):
            assert np.allclose(matrix, matrix.T, rtol=1e-12, atol=1e-12)
            assert (np.diag(matrix) == itself).all()
        assert similarity.cosine[0, -1] == pytest.approx(1)
        assert similarity.nearest("en") == "xx"
        assert similarity.farthest("en") == similarity.languages[int(similarity.cosine[0].argmin())]
    shuffled = {code: vectors[code] for code in sorted(vectors)}
    order = [list(vectors).index(code) for code in shuffled]
    assert as_published(shuffled).cosine == pytest.approx(as_published(vectors).cosine[np.ix_(order, order)])


def test_standardised_knows_no_scale_of_a_dimension(vectors: Vectors) -> None:
    """A rogue dimension rules the published cosine and not the standardised one; one that is constant plays no part."""
    rogue = np.ones(12)
    rogue[3] = 1e6
    large = {code: vector * rogue for code, vector in vectors.items()}
    assert as_published(large).cosine.min() > 0.999
    before, after = standardised(vectors), standardised(large)
    assert before is not None
    assert after is not None
    assert after.cosine == pytest.approx(before.cosine)
    constant = standardised({code: np.append(vector, 5.0) for code, vector in vectors.items()})
    assert constant is not None
    assert constant.cosine == pytest.approx(before.cosine)
    assert standardised({"en": vectors["en"], "sw": vectors["sw"]}) is None


def test_clusters_merge_at_the_mean_over_pairs(vectors: Vectors) -> None:
    similarity = as_published(vectors)
    found = clustering(similarity)
    at = {code: k for k, code in enumerate(similarity.languages)}
    assert sorted(found.order) == sorted(vectors)
    assert len(found.merges) == 4
    for merge in found.merges:
        pairs = [1 - similarity.cosine[at[a], at[b]] for a in merge.left for b in merge.right]
        assert merge.height == pytest.approx(np.mean(pairs))
    assert found.merges[0].height == pytest.approx(1 - np.sort(similarity.cosine[~np.eye(5, dtype=bool)])[-1])
    assert sorted(found.merges[-1].left + found.merges[-1].right) == sorted(vectors)
    assert clustering(as_published({"en": vectors["en"]})).merges == ()


def test_similarity_to_a_mix(vectors: Vectors) -> None:
    alone = similarity_to(vectors, {"sw": 3})
    published, other = as_published(vectors), standardised(vectors)
    assert other is not None
    for k, code in enumerate(vectors):
        assert alone[code].cosine == pytest.approx(published.cosine[k, 2])
        assert alone[code].standardised == pytest.approx(other.cosine[k, 2])
    mixed = similarity_to(vectors, {"en": 6, "fr": 2, "yo": 0})
    doubled = similarity_to({**vectors, "mix": (3 * vectors["en"] + vectors["fr"]) / 4}, {"mix": 1})
    assert [mixed[code].cosine for code in vectors] == pytest.approx([doubled[code].cosine for code in vectors])
    assert mixed["en"].cosine > mixed["ta"].cosine
    assert similarity_to({code: vectors[code] for code in ("en", "sw")}, {"en": 1})["sw"].standardised is None
    same = dict.fromkeys(("en", "sw", "yo"), vectors["en"])
    assert similarity_to(same, {"en": 1, "sw": 1})["yo"].standardised is None
    with pytest.raises(MbsError, match="no vector of ig"):
        similarity_to(vectors, {"ig": 1, "en": 1})
    with pytest.raises(MbsError, match="without weight"):
        similarity_to(vectors, {"en": 0})
