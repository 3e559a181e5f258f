"""Files in the exact layout of the published ones, with random numbers, into our bodies."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import keras
import numpy as np
import pytest

from components import models
from components.errors import InputError
from components.recipe import predict
from components.weights import PUBLISHED, load_pretrained, read_layers

Layers = dict[str, dict[str, np.ndarray]]
FACES = np.random.default_rng(0).integers(0, 256, (2, 40, 36, 1)).astype(np.float32)
RNG = np.random.default_rng(1)
NORMALISATION = ("gamma", "beta", "moving_mean", "moving_variance")


def convolution(size: int, before: int, after: int, bias: bool) -> dict[str, np.ndarray]:
    kernel = RNG.normal(0, (2 / (size * size * before)) ** 0.5, (size, size, before, after))
    tensors = {"kernel": kernel.astype(np.float32)}
    return tensors | ({"bias": vector(after)} if bias else {})


def vector(size: int) -> np.ndarray:
    return RNG.uniform(0.5, 1.5, size).astype(np.float32)


def vggface_layers() -> Layers:
    """Simonyan & Zisserman's table under the names of rcmalli/keras-vggface; pools are empty."""
    layers, before = {}, 3
    for block, (filters, depth) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], 1):
        for conv in range(1, depth + 1):
            layers[f"conv{block}_{conv}"] = convolution(3, before, filters, bias=True)
            before = filters
        layers[f"pool{block}"] = {}
    return layers


def vggface2_layers() -> Layers:
    """He et al.'s table under the names of rcmalli/keras-vggface, slashes and all."""
    shapes = [("conv1/7x7_s2", 7, 3, 64)]
    before = 64
    for stage, (filters, depth) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], 2):
        for block in range(1, depth + 1):
            name = f"conv{stage}_{block}"
            shapes += [
                (f"{name}_1x1_reduce", 1, before, filters),
                (f"{name}_3x3", 3, filters, filters),
                (f"{name}_1x1_increase", 1, filters, 4 * filters),
            ]
            if block == 1:
                shapes.append((f"{name}_1x1_proj", 1, before, 4 * filters))
            before = 4 * filters
    layers = {}
    for name, size, channels, filters in shapes:
        layers[name] = convolution(size, channels, filters, bias=False)
        layers[f"{name}/bn"] = {part: vector(filters) for part in NORMALISATION}
    return layers


def write(path: Path, layers: Layers) -> Path:
    """Writes what Keras 2's `save_weights` wrote: names in attributes, tensors below them."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.0.8"
        for name, tensors in layers.items():
            group = file.require_group(name)  # conv1/7x7_s2/bn lies in the group conv1/7x7_s2
            group.attrs["weight_names"] = [f"{name}/{part}:0".encode() for part in tensors]
            for part, tensor in tensors.items():
                group[f"{name}/{part}:0"] = tensor
    return path


LAYERS = {"vggface": vggface_layers, "vggface2": vggface2_layers}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, tuple[Path, Layers]]:
    folder = tmp_path_factory.mktemp("weights")
    made = {member: layers() for member, layers in LAYERS.items()}
    return {m: (write(folder / PUBLISHED[m].file, layers), layers) for m, layers in made.items()}


def build(member: str, seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return models.build(member, (40, 36, 1), 7, 32)


def logits_of(model: keras.Model) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(FACES, training=False))


@pytest.mark.parametrize("member", LAYERS)
def test_a_network_answers_as_one_whose_weights_were_set_by_hand(member, files):
    path, layers = files[member]
    loaded_model, by_hand = build(member), build(member)
    loaded = load_pretrained(loaded_model, member, path)
    for name, tensors in layers.items():
        if tensors:
            by_hand.get_layer(name.replace("/", "_")).set_weights(list(tensors.values()))
    np.testing.assert_allclose(logits_of(loaded_model), logits_of(by_hand), rtol=1e-5)
    assert not np.allclose(logits_of(by_hand), logits_of(build(member)))
    assert loaded.parameters == PUBLISHED[member].parameters
    assert loaded.unused == ()


@pytest.mark.parametrize(
    ("member", "application"),
    [
        ("resnet50", keras.applications.ResNet50),
        ("efficientnet_b3", keras.applications.EfficientNetB3),
    ],
)
def test_what_keras_publishes_fits_layer_for_layer(member, application, tmp_path):
    body = application(include_top=False, weights=None, input_shape=(32, 32, 3))
    layers = {
        layer.name: {w.name: RNG.normal(size=w.shape).astype(np.float32) for w in layer.weights}
        for layer in body.layers
    }
    model = build(member)
    loaded = load_pretrained(model, member, write(tmp_path / "keras.h5", layers))
    for layer in models.body(model):
        if layer.weights:
            assert all(map(np.array_equal, layer.get_weights(), layers[layer.name].values()))
    normalisation = tuple(name for name in layers if name.startswith("normalization"))
    assert loaded.unused == normalisation
    assert body.count_params() == PUBLISHED[member].parameters


def test_the_head_stays_as_it_is(files):
    model = build("vggface")
    head = [layer for layer in model.layers if layer not in models.body(model)]
    before = [weight for layer in head for weight in layer.get_weights()]
    load_pretrained(model, "vggface", files["vggface"][0])
    after = [weight for layer in head for weight in layer.get_weights()]
    assert before
    assert all(map(np.array_equal, before, after))


def test_keras_1_names_and_the_layers_of_a_top_are_no_obstacle(files, tmp_path):
    layers = {
        name: {f"{name}_{part[0].upper()}": tensor for part, tensor in tensors.items()}
        for name, tensors in files["vggface"][1].items()
    }
    layers["fc6"] = {"fc6_W": np.zeros((4, 2), np.float32)}
    model = build("vggface")
    loaded = load_pretrained(model, "vggface", write(tmp_path / "old.h5", layers))
    kernel = files["vggface"][1]["conv3_2"]["kernel"]
    np.testing.assert_array_equal(model.get_layer("conv3_2").get_weights()[0], kernel)
    assert loaded.unused == ("fc6",)
    assert "not used: fc6" in str(loaded)


def test_the_four_vectors_of_a_normalisation_go_where_their_names_say(files, tmp_path):
    layers = dict(files["vggface2"][1])
    bn = layers["conv1/7x7_s2/bn"]
    layers["conv1/7x7_s2/bn"] = {part: bn[part] for part in reversed(NORMALISATION)}
    model = build("vggface2")
    load_pretrained(model, "vggface2", write(tmp_path / "reversed.h5", layers))
    stored = model.get_layer("conv1_7x7_s2_bn").get_weights()
    assert all(map(np.array_equal, stored, (bn[part] for part in NORMALISATION)))


def missing(folder: Path, files: dict) -> Path:
    return folder / "none.h5"


def truncated(folder: Path, files: dict) -> Path:
    path = folder / "truncated.h5"
    path.write_bytes(files["vggface"][0].read_bytes()[:1_000_000])
    return path


def empty(folder: Path, files: dict) -> Path:
    h5py.File(folder / "empty.h5", "w").close()
    return folder / "empty.h5"


def of_another_model(folder: Path, files: dict) -> Path:
    return files["vggface2"][0]


def reshaped(folder: Path, files: dict) -> Path:
    layers = dict(files["vggface"][1])
    layers["conv3_1"] = layers["conv3_1"] | {"kernel": np.zeros((3, 3, 128, 128), np.float32)}
    return write(folder / "reshaped.h5", layers)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (missing, r"none.h5 is missing; `make weights` says"),
        (truncated, r"truncated.h5 cannot be read .*truncated.*get it again"),
        (empty, r"empty.h5 cannot be read .*layer_names"),
        (of_another_model, r"13 of the 13 layers.*conv1_1 is.*another model's"),
        (reshaped, r"conv3_1 have the shapes 3x3x128x128, 256, but .* needs 3x3x128x256, 256"),
    ],
)
def test_a_file_that_does_not_fit_is_one_sentence_and_changes_nothing(
    file, message, files, tmp_path
):
    model = build("vggface")
    before = model.get_weights()
    with pytest.raises(InputError, match=message) as raised:
        load_pretrained(model, "vggface", file(tmp_path, files))
    assert "\n" not in str(raised.value)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_an_architecture_without_published_weights_says_so(files):
    with pytest.raises(InputError, match=r"design.mini_xception.weights: no weights are published"):
        load_pretrained(build("mini_xception"), "mini_xception", files["vggface"][0])


def test_a_layer_without_weights_is_not_listed(files):
    assert "pool1" not in read_layers(files["vggface"][0])


@pytest.fixture
def earlier(tmp_path) -> Path:
    """A network trained before, for eight classes."""
    path = tmp_path / "model.keras"
    models.build("mien", (40, 36, 1), 8, 24, width=0.25).save(path)
    return path


def test_a_network_goes_on_from_one_of_other_classes(earlier):
    model = models.build("mien", (40, 36, 1), 7, 24, width=0.25)
    head = model.layers[-1].get_weights()
    loaded = load_pretrained(model, "mien", earlier)
    before = keras.models.load_model(earlier)
    for layer, source in zip(model.layers[:-1], before.layers[:-1], strict=True):
        for own, theirs in zip(layer.get_weights(), source.get_weights(), strict=True):
            np.testing.assert_array_equal(own, theirs)
    for own, fresh in zip(model.layers[-1].get_weights(), head, strict=True):
        np.testing.assert_array_equal(own, fresh)
    assert loaded.parameters == model.count_params() - model.layers[-1].count_params()
    assert loaded.unused == ("logits",)


def test_with_the_same_classes_the_head_goes_on_too(earlier):
    model = models.build("mien", (40, 36, 1), 8, 24, width=0.25)
    load_pretrained(model, "mien", earlier)
    before = keras.models.load_model(earlier)
    np.testing.assert_array_equal(model.predict(FACES, verbose=0), before.predict(FACES, verbose=0))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "cannot be read as a network"),
        (lambda path: None, "holds another network"),
    ],
)
def test_what_is_no_earlier_network_changes_nothing(earlier, spoil, reason):
    spoil(earlier)
    model = models.build("mien", (40, 36, 1), 7, 24, width=0.5)
    before = model.get_weights()
    with pytest.raises(InputError, match=reason):
        load_pretrained(model, "mien", earlier)
    for own, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, old)


def test_a_deeper_network_begins_as_the_shallower_one(earlier):
    before = keras.models.load_model(earlier)
    rng = np.random.default_rng(0)
    for variable in before.weights:  # as after a training: nothing is 0 that could hide another
        variable.assign(rng.uniform(0.5, 1.5, variable.shape) / np.sqrt(max(variable.shape)))
    before.save(earlier)
    deeper = models.build("mien", (40, 36, 1), before.output_shape[1], 24, width=0.25, depth=3)
    loaded = load_pretrained(deeper, "mien", earlier)
    assert loaded.unused == ()
    assert loaded.added == sum(bool(layer.weights) for layer in deeper.layers) - len(loaded.layers)
    assert loaded.added > 0

    faces = rng.integers(0, 256, (5, 40, 36, 1)).astype(np.float32)
    np.testing.assert_allclose(predict(deeper, faces), predict(before, faces), rtol=1e-4, atol=1e-5)


def test_a_shallower_network_does_not_begin_as_a_deeper_one(earlier):
    models.build("mien", (40, 36, 1), 3, 24, width=0.25, depth=2).save(earlier)
    model = models.build("mien", (40, 36, 1), 3, 24, width=0.25)
    with pytest.raises(InputError, match="less depth"):
        load_pretrained(model, "mien", earlier)
