"""The steps of mien, one module each, and what they share.

A step is one public function: paths in, paths out, a frozen settings object, a
flat dict of metrics back. It opens no MLflow run, reads no `params.yaml` and
knows no DVC, so that the same function runs under DVC, under Kubeflow and in a
test. `python -m components STEP` (`__main__.py`) is the only edge.
"""
