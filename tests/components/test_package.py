import json

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from components.calibration import cool
from components.combining import Stacking
from components.errors import InputError
from components.measures import embed
from components.models import _article, _wide, searched
from components.package import join, package
from components.recipe import predict
from components.settings import PackageSettings
from components.views import SHARES, views
from serving.engine import Engine, read_manifest

CLASSES = ("angry", "happy", "neutral")
SETTINGS = PackageSettings(name="mien", weights="float32", parity_tolerance=1e-4)
HALF = SETTINGS.model_copy(update={"weights": "float16", "parity_tolerance": 1e-3})
WEIGHTS = {"first": 0.75, "second": 0.25}
SCORES = {
    f"{split}.{name}": value
    for split in ("test", "test_leak_free")
    for name, value in {
        **dict.fromkeys(("n", "accuracy", "accuracy_low", "accuracy_high", "macro_f1"), 0.5),
        **dict.fromkeys(("nll", "ece"), 0.5),
        **dict.fromkeys(("coverage", "risk"), 0.25),
    }.items()
}
SETTLED = {"rule": "equal", "weights": WEIGHTS, "stacking": None, "temperature": 1.7}
SETTLED |= {"abstain_below": 0.4, "tta": "none"}


def network(seed: int) -> keras.Model:
    """Has what makes an export go wrong: resizing, batch normalisation, dropout."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Resizing(6, 6),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    for weight in model.weights:  # moving averages as after a training
        if "seed" not in weight.path:
            weight.assign(np.random.default_rng(seed).uniform(0.2, 2, weight.shape))
    return model


@pytest.fixture
def inputs(tmp_path, make_faces):
    members = {}
    for seed, name in enumerate(WEIGHTS):
        members[name] = tmp_path / name
        members[name].mkdir()
        network(seed).save(members[name] / "model.keras")
    ensemble = tmp_path / "ensemble"
    ensemble.mkdir()
    (ensemble / "ensemble.json").write_text(json.dumps(SETTLED))
    table = pd.DataFrame({"row": np.arange(20), "split": "test", "label": np.zeros(20, np.int8)})
    table[list(CLASSES)] = np.random.default_rng(0).dirichlet(np.ones(len(CLASSES)), 20)
    table.to_parquet(ensemble / "predictions.parquet")
    faces = make_faces(np.zeros(20), ["test"] * 20)
    return {"members": members, "ensemble": ensemble, "faces": faces, "scores": SCORES}


def run(inputs, out, settings=SETTINGS):
    return package(
        **inputs, out=out, settings=settings, label_set="x", classes=CLASSES, data_md5="abc"
    )


@pytest.mark.parametrize("tta", ["none", "flip", "two_scales"])
def test_the_graph_answers_as_the_formula_says(inputs, tmp_path, tta):
    (inputs["ensemble"] / "ensemble.json").write_text(json.dumps(SETTLED | {"tta": tta}))
    metrics = run(inputs, tmp_path / "out")
    assert metrics["parity"] < 1e-5
    faces = np.load(inputs["faces"] / "faces.npy")[..., None]
    mixed = 0.0
    for name, weight in WEIGHTS.items():
        model = keras.models.load_model(inputs["members"][name] / "model.keras")
        seen = map(keras.ops.convert_to_numpy, views(faces.astype(np.float32), tta))
        logits = np.average([predict(model, view) for view in seen], axis=0, weights=SHARES[tta])
        shares = np.exp(logits - logits.max(1, keepdims=True))
        mixed += weight * shares / shares.sum(1, keepdims=True)
    cooled = mixed ** (1 / 1.7)
    expected = cooled / cooled.sum(1, keepdims=True)
    answers = Engine(tmp_path / "out", threads=1).probabilities(faces)
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_the_graph_stacks_as_the_ensemble_does(inputs, tmp_path):
    draw = np.random.default_rng(0).normal
    combine = Stacking(draw(size=(6, 3)).round(6), draw(size=3).round(6))
    layer = {"kernel": combine.kernel.tolist(), "bias": combine.bias.tolist()}
    settled = SETTLED | {"stacking": layer, "weights": {"first": 1.0, "second": 0.0}}
    (inputs["ensemble"] / "ensemble.json").write_text(json.dumps(settled))
    assert run(inputs, tmp_path / "out")["parity"] < 1e-5

    faces = np.load(inputs["faces"] / "faces.npy")[..., None]
    models = [keras.models.load_model(path / "model.keras") for path in inputs["members"].values()]
    logits = np.stack([predict(model, faces.astype(np.float32)) for model in models])
    expected = cool(combine(softmax(logits, axis=2)), 1.7)
    answers = Engine(tmp_path / "out", threads=1).probabilities(faces)
    np.testing.assert_allclose(answers, expected, atol=1e-4)


def test_the_service_learns_when_to_abstain(inputs, tmp_path):
    run(inputs, tmp_path / "out")
    assert read_manifest(tmp_path / "out")["abstain_below"] == 0.4
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "below 0.4 is called uncertain. Of the published split, 25% of the faces" in card


def test_the_manifest_leads_back_to_the_data(inputs, tmp_path):
    run(inputs, tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    assert manifest["data_md5"] == "abc"
    assert manifest["version"] == manifest["onnx_sha256"][:12]
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "| published split | 0 | 0.500 (0.500–0.500) |" in card


def test_the_card_says_who_has_learnt_the_validation_faces(inputs, tmp_path):
    run(inputs, tmp_path / "out")
    assert read_manifest(tmp_path / "out")["refitted"] == []
    assert "validation split, too" not in (tmp_path / "out" / "MODEL_CARD.md").read_text()
    network(5).save(inputs["members"]["second"] / "selected.keras")
    run(inputs, tmp_path / "out")
    assert read_manifest(tmp_path / "out")["refitted"] == ["second"]
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "second went on learning with most faces of the\nvalidation split, too" in card


def test_the_manifest_names_the_test_faces_by_pixels_and_labels(inputs, tmp_path):
    def named() -> str:
        run(inputs, tmp_path / "out")
        return read_manifest(tmp_path / "out")["test_sha256"]

    names = [named(), named()]
    table = pd.read_parquet(inputs["ensemble"] / "predictions.parquet")
    table.loc[3, "label"] = 1
    table.to_parquet(inputs["ensemble"] / "predictions.parquet")
    names.append(named())
    images = np.load(inputs["faces"] / "faces.npy")
    images[5, 0, 0] ^= 1
    np.save(inputs["faces"] / "faces.npy", images)
    names.append(named())
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_what_drift_is_measured_against_is_in_the_package(inputs, tmp_path):
    run(inputs, tmp_path / "out")
    known = pd.read_parquet(tmp_path / "out" / "reference.parquet")
    answers = pd.read_parquet(inputs["ensemble"] / "predictions.parquet")[list(CLASSES)]
    assert list(known["label"]) == list(answers.idxmax(axis=1))
    np.testing.assert_allclose(known["confidence"], answers.max(axis=1))
    faces = np.load(inputs["faces"] / "faces.npy")
    np.testing.assert_allclose(known["brightness"], faces.mean(axis=(1, 2)))
    np.testing.assert_allclose(np.stack(known["embedding"]), embed(faces), rtol=1e-6)
    assert set(known["model_version"]) == {read_manifest(tmp_path / "out")["version"]}


def test_every_activation_of_the_search_spaces_survives_the_export(inputs, tmp_path):
    module = {"filters": 2, "kernel": 3, "stride": 1, "bias": True, "dropout": 0.1}
    module |= {"norm_shortcut": True, "norm_first": False, "norm_second": True}
    modules = [module | {"activation": name} for name in _article.ACTIVATIONS]
    architecture = {"activation": "relu", "head": "max", "modules": modules}
    article = searched.build((8, 8, 1), 3, 8, architecture=architecture)
    article.save(inputs["members"]["first"] / "model.keras")

    x = wide = keras.Input((8, 8, 1))
    for name in _wide.ACTIVATIONS:
        x = _wide.activate(keras.layers.Conv2D(3, 3, padding="same")(x), name)
    x = keras.layers.GlobalAveragePooling2D()(x)
    keras.Model(wide, x).save(inputs["members"]["second"] / "model.keras")

    assert run(inputs, tmp_path / "out")["parity"] < 1e-5


def test_a_graph_that_differs_is_not_packaged(inputs, tmp_path):
    run(inputs, tmp_path / "out")
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    strict = SETTINGS.model_copy(update={"parity_tolerance": 1e-30})
    with pytest.raises(InputError, match="nothing was packaged"):
        run(inputs, tmp_path / "out", strict)
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before


@pytest.fixture
def many_weights(inputs):
    """Makes the first member large enough for its weights to be most of the graph."""
    keras.utils.set_random_seed(0)
    filters = keras.layers.Conv2D(256, 3)
    layers = [keras.Input((8, 8, 1)), keras.layers.Rescaling(1 / 255), filters]
    model = keras.Sequential([*layers, keras.layers.Conv2D(128, 3), keras.layers.Flatten()])
    model.add(keras.layers.Dense(3))
    path = inputs["members"]["first"] / "model.keras"
    model.save(path)
    return model, filters, path


def test_weights_in_float16_take_half_the_bytes_and_answer_alike(inputs, tmp_path, many_weights):
    run(inputs, tmp_path / "whole")
    assert 0 < run(inputs, tmp_path / "half", HALF)["parity"] < 1e-3
    sizes = [(tmp_path / name / "ensemble.onnx").stat().st_size for name in ("half", "whole")]
    assert 0.5 < sizes[0] / sizes[1] < 0.51
    faces = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), np.uint8)
    answers = [Engine(tmp_path / out, 1).probabilities(faces) for out in ("half", "whole")]
    np.testing.assert_allclose(*answers, atol=1e-3)


def test_weights_too_large_for_float16_are_not_packaged(inputs, tmp_path, many_weights):
    model, filters, path = many_weights
    kernel, bias = filters.get_weights()
    filters.set_weights([kernel * 1e9, bias])
    model.save(path)
    with pytest.raises(InputError, match="nothing was packaged"):
        run(inputs, tmp_path / "out", HALF)


def test_a_member_without_weight_is_left_out():
    members = {"first": network(0), "second": network(1)}
    weights = {"first": 1.0, "second": 0.0}
    model = join(members, (8, 8, 1), weights=weights, temperature=1.0, tta="none")
    assert model.count_params() == members["first"].count_params()
