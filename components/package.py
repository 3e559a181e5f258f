"""Put the ensemble into one ONNX graph that answers as the Keras members do.

The graph takes grey levels as they come out of `components.preprocess` and returns
calibrated probabilities: resizing, normalisation, member weights and temperature are
inside. Run it as `python -m components package`.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pandas as pd
from keras import layers, ops

from components.canonical import canonicalise
from components.card import model_card
from components.data.faces import FaceSet
from components.errors import InputError
from components.half import keep_as_float16
from components.measures import embed, measures
from components.metrics import SMALLEST
from components.outputs import replacing
from components.predictions import FILE, NETWORK, SELECTED, digest_of_test
from components.recipe import predict
from components.settings import PackageSettings
from components.views import mean_logits

PARITY_FACES = 256
REFERENCE = "reference.parquet"


def package(
    members: dict[str, Path],
    ensemble: Path,
    faces: Path,
    scores: dict[str, float],
    out: Path,
    settings: PackageSettings,
    *,
    label_set: str,
    classes: tuple[str, ...],
    data_md5: str,
) -> dict[str, float]:
    """Exports the ensemble and checks it against Keras, face by face.

    Args:
        members: For each member, the folder that `train` wrote.
        ensemble: Folder that `ensemble` wrote.
        faces: Face set written by `ingest`.
        scores: Metrics that `ensemble` returned, for manifest and model card.
        out: Folder to write `ensemble.onnx`, `manifest.json`, `MODEL_CARD.md` and
            `reference.parquet` (what drift is measured against) to.
        settings: Name, precision of the weights in the graph, tolerance.
        label_set: Name of the label set.
        classes: Names of the classes, in label order.
        data_md5: What identifies the data; the manifest carries it to the service.

    Returns:
        `megabytes`, `parameters`, and the largest difference of a probability between
        Keras and ONNX, `parity`.

    Raises:
        InputError: If the two differ by more than the tolerance.
    """
    fitted = json.loads((ensemble / "ensemble.json").read_text(encoding="utf-8"))
    face_set = FaceSet.open(faces)
    model = _joined(members, face_set.shape, fitted)
    table = pd.read_parquet(ensemble / FILE)
    rows = table["row"].to_numpy()[:PARITY_FACES]
    examples = face_set.images[rows].reshape(-1, *face_set.shape)

    with replacing(out) as folder:
        graph = folder / "ensemble.onnx"
        parity = _export(model, graph, examples, settings)
        manifest = {
            "name": settings.name,
            **_identity(graph),
            "data_md5": data_md5,
            "test_sha256": digest_of_test(table, face_set.images),
            "label_set": label_set,
            "classes": list(classes),
            "input": {"shape": list(face_set.shape), "dtype": "uint8"},
            "members": fitted["weights"],
            "refitted": [name for name, path in members.items() if (path / SELECTED).exists()],
            **{key: fitted[key] for key in ("rule", "temperature", "abstain_below", "tta")},
            "metrics": scores,
        }
        text = json.dumps(manifest, indent=1) + "\n"
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        (folder / "MODEL_CARD.md").write_text(model_card(manifest), encoding="utf-8")
        known = reference(table, face_set.images, classes)
        known = known.assign(model_version=manifest["version"])
        known.to_parquet(folder / REFERENCE, index=False)
        size = graph.stat().st_size
    return {
        "megabytes": round(size / 1e6, 1),
        "parameters": float(model.count_params()),
        "parity": parity,
    }


def reference(table: pd.DataFrame, images: np.ndarray, classes: tuple[str, ...]) -> pd.DataFrame:
    """Describes faces that the ensemble did not learn from as the prediction log does its own.

    Args:
        table: As `ensemble` writes it: `row`, and a probability a class.
        images: All faces, (N, H, W) or (N, H, W, 3) uint8; `row` points into them.
        classes: Names of the classes, in label order.

    Returns:
        A row a face: `label` (the answer), `confidence`, `brightness`, `contrast`, `sharpness`,
        `embedding` (a list of floats).
    """
    answers = table[list(classes)].to_numpy(np.float64)
    faces = [images[row] for row in table["row"]]
    known = pd.DataFrame({"label": [classes[code] for code in answers.argmax(axis=1)]})
    known = known.assign(confidence=answers.max(axis=1), **measures(faces))
    return known.assign(embedding=list(embed(faces)))


def _joined(
    members: dict[str, Path], shape: tuple[int, int, int], fitted: dict[str, Any]
) -> keras.Model:
    networks = {
        name: keras.models.load_model(path / NETWORK, compile=False)
        for name, path in members.items()
    }
    how = {key: fitted[key] for key in ("weights", "stacking", "temperature", "tta")}
    return join(networks, shape, **how)


def join(
    members: dict[str, keras.Model],
    shape: tuple[int, int, int],
    *,
    weights: dict[str, float],
    temperature: float,
    tta: str,
    stacking: dict[str, list] | None = None,
) -> keras.Model:
    """Joins members into one network from faces to calibrated probabilities.

    Args:
        members: Networks from grey levels to logits.
        shape: (H, W, C) of the faces.
        weights: Weight of each member, summing to one; members without weight are left out.
        temperature: Divides the log of the mixture.
        tta: Test-time augmentation (components/views.py).
        stacking: `kernel` and `bias` of the dense layer on the log probabilities of all
            members (components/combining.py), which then takes the place of the weights.

    Returns:
        A model from (N, H, W, C) uint8 to (N, classes) float32 probabilities.
    """
    faces = keras.Input(shape, dtype="uint8", name="faces")
    levels = ops.cast(faces, "float32")
    for name, network in members.items():
        network.name = name  # two members of one architecture would share theirs
    answers = {
        name: layers.Softmax(name=f"{name}_probabilities")(mean_logits(network, levels, tta))
        for name, network in members.items()
        if stacking or weights[name] > 0
    }
    if stacking:
        cooled = _stacked(list(answers.values()), stacking) / temperature
    else:
        shares = [answer * weights[name] for name, answer in answers.items()]
        mixture = layers.Add()(shares) if len(shares) > 1 else shares[0]
        cooled = _log(mixture) / temperature
    return keras.Model(faces, layers.Softmax(name="probabilities")(cooled), name="ensemble")


def _stacked(answers: list[keras.KerasTensor], layer: dict[str, list]) -> keras.KerasTensor:
    """Returns the log probabilities, but for a constant a face, that stacking gives."""
    logs = [_log(answer) for answer in answers]
    features = layers.Concatenate()(logs) if len(logs) > 1 else logs[0]
    kernel, bias = (np.array(layer[part], np.float32) for part in ("kernel", "bias"))
    dense = layers.Dense(len(bias), name="stacking")
    stacked = dense(features)
    dense.set_weights([kernel, bias])
    return stacked


def _log(probabilities: keras.KerasTensor) -> keras.KerasTensor:
    return ops.log(ops.maximum(probabilities, SMALLEST))


def _identity(graph: Path) -> dict[str, str]:
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    return {"version": digest[:12], "onnx_sha256": digest}


def _export(model: keras.Model, graph: Path, faces: np.ndarray, settings: PackageSettings) -> float:
    """Writes the graph; returns the largest difference of a probability on some faces.

    Raises:
        InputError: If it is more than the tolerance.
    """
    answers = predict(model, faces)  # Keras exports only what was called once
    model.export(graph, format="onnx", verbose=False)
    if settings.weights == "float16":
        keep_as_float16(graph)
    canonicalise(graph)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: faces})
    parity = float(np.abs(answer - answers).max())
    if not parity <= settings.parity_tolerance:  # nor if it is no number
        raise InputError(
            f"ONNX and Keras differ by {parity:.1e} in a probability, more than "
            f"package.parity_tolerance ({settings.parity_tolerance:.0e}), with weights in "
            f"{settings.weights}; nothing was packaged."
        )
    return parity
