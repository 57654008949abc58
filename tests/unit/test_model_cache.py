"""The cache of models: what is whole, damaged or of an older layout, with TensorFlow and without."""

import json

import pytest

from producer.models import infer_processes
from schema.errors import ModelError
from schema.settings import Settings
from workers.models import store
from workers.models.fetch import sha256


@pytest.fixture
def models(tmp_path):
    """A cache with one model, as it is after pulling."""
    folder = tmp_path / "singlepose-lightning"
    (folder / "saved_model").mkdir(parents=True)
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"stock")
    (folder / "trunk.tflite").write_bytes(b"trunk")
    files = {name: sha256(folder / name) for name in ("saved_model/saved_model.pb", "trunk.tflite")}
    card = {"name": folder.name, "origin": "npm", "kind": "singlepose", "sha256": "0" * 64, "files": files}
    card["layout"] = store._LAYOUT
    (folder / "model.json").write_text(json.dumps(card))
    return tmp_path


def test_without_the_stock_graph_a_model_is_whole(models):
    before = store.identity("singlepose-lightning", models)
    store._check_files.cache_clear()
    store.leave_out_stock(models)
    assert store.identity("singlepose-lightning", models) == before
    assert sorted(path.name for path in models.rglob("*") if path.is_file()) == ["model.json", "trunk.tflite"]


def test_a_damaged_trunk_is_still_found(models):
    store.leave_out_stock(models)
    store.trunk_file("singlepose-lightning", models).write_bytes(b"other")
    store._check_files.cache_clear()
    with pytest.raises(ModelError, match="is damaged"):
        store.identity("singlepose-lightning", models)


@pytest.mark.parametrize("wanted", ["tensorflow", "gpu"])
def test_tensorflow_that_is_not_there_is_named(wanted, monkeypatch):
    monkeypatch.setattr(store, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match=f"POSEFLEET_BACKEND={wanted}, but there is no TensorFlow: say litert"):
        store.backend(Settings(backend=wanted))


def test_files_of_another_layout_are_made_anew(models):
    path = models / "singlepose-lightning" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layout": store._LAYOUT - 1}))
    with pytest.raises(ModelError, match=r"is not in .*: run 'posefleet model pull'"):
        store.identity("singlepose-lightning", models)


@pytest.mark.parametrize(
    ("runs_on", "cores", "expected"), [("litert", 6, 6), ("tensorflow", 6, 2), ("tensorflow", 1, 1)]
)
def test_cores_take_a_process_each_and_a_gpu_two(monkeypatch, runs_on, cores, expected):
    monkeypatch.setattr("producer.models.backend", lambda _: runs_on)
    assert infer_processes(Settings(), cores) == expected
