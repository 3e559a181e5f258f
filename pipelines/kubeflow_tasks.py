"""Kubeflow's components, one a stage of `dvc.yaml`, and `begin` and `data` before them.

A component's body is all that Kubeflow sends to a pod, so each imports what it calls; the code is
in the image. What later steps need is in `out`; all else is for Kubeflow's user interface.
"""

from kfp import dsl
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Metrics, Model, Output

IMAGE = "mien-train"

component = dsl.component(base_image=IMAGE, install_kfp_package=False)


@component
def begin(params: str) -> list:
    from pipelines import pod

    return pod.begin(params)


@component
def data(md5: str, out: Output[Dataset]):
    from pipelines import pod

    pod.fetch(md5, out)


@component
def ingest(params: str, data: Input[Dataset], out: Output[Dataset], metrics: Output[Metrics]):
    from pipelines import pod

    pod.run("components ingest", params, [data], out, metrics)


@component
def clean(params: str, ingest: Input[Dataset], out: Output[Dataset], metrics: Output[Metrics]):
    from pipelines import pod

    pod.run("components clean", params, [ingest], out, metrics)


@component
def balance(
    params: str,
    ingest: Input[Dataset],
    clean: Input[Dataset],
    out: Output[Dataset],
    metrics: Output[Metrics],
):
    from pipelines import pod

    pod.run("components balance", params, [ingest, clean], out, metrics)


@component
def datacard(
    params: str,
    ingest: Input[Dataset],
    clean: Input[Dataset],
    balance: Input[Dataset],
    out: Output[Dataset],
    metrics: Output[Metrics],
    card: Output[HTML],
):
    from pipelines import pod

    pod.run("components datacard", params, [ingest, clean, balance], out, metrics)
    pod.show_page(out, "artifacts/datacard/DATA_CARD.html", card)


@component
def search(
    params: str,
    ingest: Input[Dataset],
    clean: Input[Dataset],
    balance: Input[Dataset],
    out: Output[Model],
    metrics: Output[Metrics],
):
    from pipelines import pod

    pod.run("pipelines.search", params, [ingest, clean, balance], out, metrics)


@component
def design(
    params: str,
    ingest: Input[Dataset],
    search: Input[Model],
    out: Output[Model],
    metrics: Output[Metrics],
):
    from pipelines import pod

    pod.run("components design", params, [ingest, search], out, metrics)


@component
def train(
    params: str,
    member: str,
    ingest: Input[Dataset],
    clean: Input[Dataset],
    balance: Input[Dataset],
    design: Input[Model],
    out: Output[Model],
    metrics: Output[Metrics],
):
    from pipelines import pod

    inputs = [ingest, clean, balance, design]
    pod.run(f"pipelines.train {member}", params, inputs, out, metrics)


@component
def ensemble(
    params: str,
    train: Input[list[Model]],
    out: Output[Model],
    metrics: Output[Metrics],
    confusion: Output[ClassificationMetrics],
):
    from pipelines import pod

    pod.run("components ensemble", params, train, out, metrics)
    pod.show_confusion(out, params, confusion)


@component
def evaluate(
    params: str,
    ingest: Input[Dataset],
    train: Input[list[Model]],
    ensemble: Input[Model],
    out: Output[Artifact],
    metrics: Output[Metrics],
    report: Output[HTML],
):
    from pipelines import pod

    pod.run("components evaluate", params, [ingest, ensemble, *train], out, metrics)
    pod.show_page(out, "artifacts/evaluate/report.html", report)


@component
def baseline(
    params: str,
    ingest: Input[Dataset],
    clean: Input[Dataset],
    balance: Input[Dataset],
    train: Input[list[Model]],
    out: Output[Artifact],
    metrics: Output[Metrics],
):
    from pipelines import pod

    inputs = [ingest, clean, balance, *train]
    pod.run("components baseline", params, inputs, out, metrics)


@component
def package(
    params: str,
    ingest: Input[Dataset],
    train: Input[list[Model]],
    ensemble: Input[Model],
    out: Output[Model],
    metrics: Output[Metrics],
):
    from pipelines import pod

    pod.run("components package", params, [ingest, ensemble, *train], out, metrics)
