"""What a training can start from: published weights, or a network trained before.

The published files are older than Keras 3, which refuses the `/` in their layers' names: they are
read with h5py and matched by name, every shape checked before the first weight changes. Nothing is
downloaded; `make weights` (`pipelines/weights.py`) says what to put where.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from components.errors import InputError

if TYPE_CHECKING:  # Keras takes seconds to import, and listing files does not need it
    import keras

_VGGFACE = "https://github.com/rcmalli/keras-vggface/releases/download/v2.0"
_KERAS = "https://storage.googleapis.com"


@dataclass(frozen=True)
class Published:
    """A file of weights that somebody publishes.

    Attributes:
        file: Its name.
        address: The folder on the web that it is in.
        megabytes: Its size.
        parameters: How many numbers its layers hold.
        licence: What its publisher allows, in short.
        md5: What Keras checks its own downloads by; none is published for the others.
    """

    file: str
    address: str
    megabytes: int
    parameters: int
    licence: str
    md5: str | None = None


PUBLISHED = {  # by architecture
    "vggface": Published(
        "rcmalli_vggface_tf_notop_vgg16.h5",
        _VGGFACE,
        59,
        14_714_688,
        "non-commercial research, Creative Commons Attribution (keras-vggface's README)",
    ),
    "vggface2": Published(
        "rcmalli_vggface_tf_notop_resnet50.h5",
        _VGGFACE,
        95,
        23_561_152,
        "non-commercial research, Creative Commons Attribution (keras-vggface's README)",
    ),
    "resnet50": Published(
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        f"{_KERAS}/tensorflow/keras-applications/resnet",
        95,
        23_587_712,
        "MIT; trained on ImageNet, whose pictures are for non-commercial research",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "efficientnet_b3": Published(
        "efficientnetb3_notop.h5",
        f"{_KERAS}/keras-applications",
        44,
        10_783_535,
        "Apache 2.0; trained on ImageNet, whose pictures are for non-commercial research",
        "af6d107764bb5b1abb91932881670226",
    ),
    "efficientnet_b4": Published(
        "efficientnetb4_notop.h5",
        f"{_KERAS}/keras-applications",
        72,
        17_673_823,
        "Apache 2.0; trained on ImageNet, whose pictures are for non-commercial research",
        "ebc24e6d6c33eaebbd558eafbeedf1ba",
    ),
}


@dataclass(frozen=True)
class Loaded:
    """What a file gave to a network.

    Attributes:
        layers: Names of the network's layers that took weights.
        parameters: How many numbers these are.
        unused: Names of the file's layers that the network has no use for.
        added: How many layers a deeper network has beyond those of the file.
    """

    layers: tuple[str, ...]
    parameters: int
    unused: tuple[str, ...]
    added: int = 0

    def __str__(self) -> str:
        left = f"; not used: {', '.join(self.unused)}" if self.unused else ""
        more = f"; {self.added} further layers begin as they are" if self.added else ""
        return f"{self.parameters:,} pretrained weights in {len(self.layers)} layers{left}{more}"


def load_pretrained(model: "keras.Model", member: str, path: Path) -> Loaded:
    """Puts weights into a network, as `design.MEMBER.weights` says; published ones into its body.

    Args:
        model: Network of the architecture `member`, changed in place, and only if all fits.
        member: Name of the architecture.
        path: Its published HDF5 file, or a `model.keras` that an earlier training wrote.

    Returns:
        What was loaded and what of the file was not used.

    Raises:
        InputError: If no weights are published for `member`; the file is missing, cannot be
            read, or is another model's; or a tensor has another shape than its layer.
    """
    from components.models import body

    if path.suffix == ".keras":
        return _load_earlier(model, member, path)
    if member not in PUBLISHED:
        raise InputError(
            f"design.{member}.weights: no weights are published for {member}, only for "
            f"{', '.join(PUBLISHED)}; set it to null, or name a model.keras of your own."
        )
    stored = read_layers(path)
    wanted = {layer.name: layer for layer in body(model) if layer.weights}
    missing = [name for name in wanted if name not in stored]
    if missing:
        raise InputError(
            f"{path} has no weights for {len(missing)} of the {len(wanted)} layers of {member}'s "
            f"body ({missing[0]} is the first), so it is another model's; put "
            f"{PUBLISHED[member].file} there (`make weights`)."
        )
    values = {name: _fitting(layer, stored[name], path) for name, layer in wanted.items()}
    for name, layer in wanted.items():
        layer.set_weights(values[name])
    return Loaded(
        layers=tuple(wanted),
        parameters=sum(value.size for tensors in values.values() for value in tensors),
        unused=tuple(name for name in stored if name not in wanted),
    )


def _load_earlier(model: "keras.Model", member: str, path: Path) -> Loaded:
    """Takes all of a network trained before, its last layer if the classes are as many.

    That network may be a shallower one of the same architecture.
    """
    import keras

    if not path.is_file():
        raise InputError(f"design.{member}.weights: {path} is missing; name a file, or set null.")
    try:
        earlier = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path} cannot be read as a network ({reason}); name a model.keras that the train "
            "step wrote."
        ) from None
    own, theirs = ([layer for layer in one.layers if layer.weights] for one in (model, earlier))
    head, their_head = own.pop(), theirs.pop()
    pairs = _pairs(own, theirs)
    if len(pairs) < len(theirs) or (len(own) > len(theirs) and model.name != earlier.name):
        raise InputError(
            f"{path} holds another network ({earlier.name}) than design.{member} describes; name "
            f"one of {member} with the same options, or with less depth."
        )
    added = len(own) - len(pairs)
    if _shapes(head) == _shapes(their_head):
        pairs.append((head, their_head))
    for layer, source in pairs:
        layer.set_weights(source.get_weights())
    return Loaded(
        layers=tuple(layer.name for layer, _ in pairs),
        parameters=sum(layer.count_params() for layer, _ in pairs),
        unused=() if pairs[-1][0] is head else (their_head.name,),
        added=added,
    )


def _pairs(own: list["keras.Layer"], theirs: list["keras.Layer"]) -> list[tuple]:
    """Finds each of their layers among ours, in order; ours may have more between them.

    A deeper network is so the shallower one with blocks added behind those of each stage. Where
    a block begins as the identity, as in `mien`, it answers what the shallower one does: T. Chen,
    I. Goodfellow & J. Shlens, "Net2Net: Accelerating Learning via Knowledge Transfer" (2016),
    arXiv:1511.05641, section 2.3.
    """
    rest = iter(own)
    pairs = []
    for source in theirs:
        fitting = (layer for layer in rest if _shapes(layer) == _shapes(source))
        layer = next(fitting, None)
        if layer is None:
            break
        pairs.append((layer, source))
    return pairs


def _shapes(layer: "keras.Layer") -> list[tuple[int, ...]]:
    return [tuple(variable.shape) for variable in layer.weights]


def read_layers(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Reads the weights that Keras 1 or 2 wrote to an HDF5 file.

    Args:
        path: The file; one of a whole model will do, too.

    Returns:
        For each layer with weights its tensors, in the order and under the last part of the
        names that the file gives them. A `/` in a layer's name is `_` here.

    Raises:
        InputError: If the file is missing, damaged, or not of that kind.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing; `make weights` says where to get it.")
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            return {
                name.replace("/", "_"): tensors
                for name in _names(root, "layer_names")
                if (tensors := _tensors(root[name]))
            }
    except (OSError, KeyError, RuntimeError) as error:
        reason = str(error).strip("'\"")
        raise InputError(
            f"{path} cannot be read as a file of Keras weights ({reason}); get it again "
            "(`make weights` says where)."
        ) from None


def _tensors(group: h5py.Group) -> dict[str, np.ndarray]:
    names = _names(group, "weight_names")
    return {name.rsplit("/", 1)[-1].split(":")[0]: group[name][()] for name in names}


def _names(group: h5py.Group, attribute: str) -> list[str]:
    names = group.attrs[attribute]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _fitting(layer: "keras.Layer", tensors: dict[str, np.ndarray], path: Path) -> list[np.ndarray]:
    """Returns the tensors in the order of the layer's variables."""
    own = {variable.name: tuple(variable.shape) for variable in layer.weights}
    # Keras 1 had other names for the same order; where the names are ours, they decide, since
    # the four vectors of a batch normalisation are all of one shape.
    ordered = [tensors[name] for name in own] if set(own) == set(tensors) else [*tensors.values()]
    shapes = [tensor.shape for tensor in ordered]
    if shapes != [*own.values()]:
        raise InputError(
            f"{path}: the weights of layer {layer.name} have the shapes {_listed(shapes)}, but the "
            f"network needs {_listed(own.values())}; get the published file (`make weights`)."
        )
    return ordered


def _listed(shapes) -> str:
    return ", ".join("x".join(map(str, shape)) or "none" for shape in shapes)
