"""Heads that are worked out at single cells give what whole maps hold there."""

import numpy as np
import pytest

from schema.errors import ModelError
from workers.core.heads import CHANNELS, FEATURES, HIDDEN, Network, offsets, values
from workers.models.litert import read_networks

H, W = 6, 9


def network(rng, channels):
    """Any network."""
    shapes = (3, 3, FEATURES), (FEATURES, HIDDEN), (HIDDEN,), (channels, HIDDEN), (channels,)
    return Network(*(rng.normal(size=shape).astype(np.float32) for shape in shapes))


def whole(features, head):
    """The map of a head, by the book, in double precision."""
    _, h, w, _ = features.shape
    padded = np.pad(features.astype(float), [(0, 0), (1, 1), (1, 1), (0, 0)])
    mixed = sum(padded[:, y : y + h, x : x + w] * head.depthwise[y, x] for y in range(3) for x in range(3))
    hidden = np.maximum(mixed @ head.expand + head.expand_bias, 0)
    return hidden @ head.project.T + head.project_bias


@pytest.fixture
def features():
    return np.random.default_rng(6).normal(size=(2, H, W, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("channels", CHANNELS.values(), ids=CHANNELS)
def test_values_are_those_of_the_map_also_at_its_edges(features, channels):
    head = network(np.random.default_rng(7), channels)
    every = np.stack(np.meshgrid(np.arange(H), np.arange(W), indexing="ij"), -1).reshape(1, -1, 2)
    found = values(features, np.repeat(every, 2, axis=0), head)
    np.testing.assert_allclose(found, whole(features, head).reshape(2, H * W, -1), rtol=1e-4, atol=1e-3)


def test_each_keypoint_has_the_offset_of_its_own_cell(features):
    head = network(np.random.default_rng(8), 34)
    cells = np.random.default_rng(9).integers(0, [H, W], (2, 5, 17, 2))
    pairs = whole(features, head).reshape(2, H, W, 17, 2)
    expected = pairs[np.arange(2)[:, None, None], cells[..., 0], cells[..., 1], np.arange(17)]
    np.testing.assert_allclose(offsets(features, cells, head), expected, rtol=1e-4, atol=1e-3)


def test_a_file_without_heads_is_named(tmp_path):
    np.savez(tmp_path / "heads.npz", other=np.zeros(3))
    with pytest.raises(ModelError, match=r"heads.npz holds no heads"):
        read_networks(tmp_path / "heads.npz")
    (tmp_path / "heads.npz").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"heads.npz holds no heads"):
        read_networks(tmp_path / "heads.npz")
