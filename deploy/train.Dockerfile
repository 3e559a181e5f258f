# What the tasks of the Kubeflow pipeline run in: the repository and all it needs but a display.
#   docker build -f deploy/train.Dockerfile -t REGISTRY/mien-train:$(git rev-parse --short HEAD) .
# Nobody has built this where it was written: there was no container engine.
FROM python:3.11-slim

# git: each run in MLflow is tagged with its commit; gcc: some packages come as source.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc git libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home mien

WORKDIR /mien
COPY requirements/train.txt requirements/kubeflow.txt requirements/
RUN pip install --no-cache-dir uv \
    && uv pip install --system --no-cache --require-hashes -r requirements/train.txt -r requirements/kubeflow.txt
# What DVC's remote needs; for S3 that replaces the locked python-dateutil by an older one.
ARG DVC_REMOTE=dvc-s3
RUN uv pip install --system --no-cache ${DVC_REMOTE}

COPY --chown=mien:mien . .
RUN chown mien:mien .
USER mien
ENV PYTHONPATH=/mien \
    MLFLOW_DISABLE_TELEMETRY=true
