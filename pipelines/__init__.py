"""How the steps are put together beyond `dvc.yaml`."""
