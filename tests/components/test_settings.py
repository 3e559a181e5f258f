from pathlib import Path

import pytest
import yaml

from components import settings
from components.errors import InputError

PARAMS = Path(__file__).parents[2] / "params.yaml"


def refusal(tmp_path: Path, key: str, **change: object) -> str:
    """What `load` says of params.yaml after one key was renamed, removed or given a value."""
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    *sections, last = key.split(".")
    section = raw
    for name in sections:
        section = section[name]
    if "value" in change:
        section[last] = change["value"]
        return refusal_of(tmp_path, yaml.safe_dump(raw))
    value = section.pop(last)
    if "rename" in change:
        section[change["rename"]] = value
    return refusal_of(tmp_path, yaml.safe_dump(raw))


def refusal_of(tmp_path: Path, text: str) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        settings.load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_the_settings_in_git_are_valid():
    params = settings.load(PARAMS)
    assert set(params.ensemble.members) <= set(params.train.members)


def test_a_member_changes_only_what_it_names():
    named = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["train"]["members"]["vggface"]
    train = settings.load(PARAMS).train
    changed, common = train.members["vggface"].model_dump(), train.common.model_dump()
    for key, value in common["augment"].items():
        assert changed["augment"][key] == named["augment"].get(key, value)
    for key in common.keys() - {"augment"}:
        assert changed[key] == named.get(key, common[key])
    assert changed != common


@pytest.mark.parametrize(
    ("key", "rename", "said"),
    [
        ("search.trials", "trails", "search.trails is not a setting; did you mean 'trials'?"),
        ("balance", "balence", "balence is not a setting; did you mean 'balance'?"),
        ("train.members.vggface.epochs", "epoch", "members.vggface.epoch is not a setting; did"),
        ("design.vggface.input_size", "input", "design.vggface.input is not a setting; did you"),
        ("train.common.augment.flip", "flop", "augment.flop is not a setting; did you mean 'flip'"),
        ("ingest.columns.group", "grop", "ingest.columns.grop is not a setting; did you mean 'g"),
        ("train.members.vggface.head.epochs", "epoch", "head.epoch is not a setting; did you mean"),
        ("search.trials", "xyz", "search.xyz is not a setting; remove it."),
    ],
)
def test_a_misspelt_key_is_named_with_its_nearest_neighbour(tmp_path, key, rename, said):
    assert said in refusal(tmp_path, key, rename=rename)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("search.trials", "a dozen", "search.trials is 'a dozen': input should be a valid integer"),
        ("search.trials", 0, "search.trials is 0: input should be greater than or equal to 1"),
        ("search.oracle", "grid", "search.oracle is 'grid': input should be 'random', 'hyperband'"),
        ("search.minutes", 0, "search.minutes is 0: input should be greater than 0"),
        ("ingest.strict", 1, "ingest.strict is 1: input should be a valid boolean"),
        ("ingest.split.val", 0, "ingest.split.val is 0: input should be greater than 0"),
        ("ingest.colour", "red", "ingest.colour is 'red': input should be 'grey' or 'rgb'"),
        ("ingest.label_map", {"x": "joy"}, "ingest.label_map has 'joy' for 'x', not one of angry"),
        ("ingest.label_map", ["happy"], "ingest.label_map is ['happy']: input should be a valid"),
        ("clean.targets", "soft", "clean.targets is soft, for which clean.label_set must be ferpl"),
        (
            "balance.method",
            "smoke",
            "balance.method.0 is 'smoke': input should be 'none'",
        ),
        ("train.common.augment.shift", 8, "train.common.augment.shift is 8: input should be less"),
        ("train.members.vggface.epochs", -1, "train.members.vggface.epochs is -1: input should"),
        ("train.common.schedule", "plateau", "schedule plateau has no warm-up; set warmup_epochs"),
        ("train.members", None, "train.members is None: input should be a valid dictionary"),
    ],
)
def test_a_wrong_value_is_named_with_what_it_should_be(tmp_path, key, value, said):
    assert said in refusal(tmp_path, key, value=value)


def test_labels_may_be_integers_and_are_logged_as_one_value(tmp_path):
    raw = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    raw["ingest"]["label_map"] = {1: "surprise", "glad (very)": 3}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    ingest = settings.load(tmp_path / "params.yaml").ingest
    assert ingest.label_map == {"1": "surprise", "glad (very)": "3"}
    assert ingest.model_dump()["label_map"] == '{"1": "surprise", "glad (very)": "3"}'


def test_a_missing_key_is_named(tmp_path):
    assert "ensemble.bootstrap is missing; add it" in refusal(tmp_path, "ensemble.bootstrap")


@pytest.mark.parametrize("section", ["design", "train.members"])
def test_a_member_without_network_or_recipe_is_named(tmp_path, section):
    said = refusal(tmp_path, f"{section}.vggface2")
    assert f"ensemble.members names 'vggface2', which {section} does not have" in said


def test_a_baseline_on_a_network_that_is_not_trained_is_named(tmp_path):
    said = refusal(tmp_path, "baseline.member", value="resnet")
    assert "baseline.member is 'resnet', which ensemble.members does not name (it has" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stem": 0}, "architecture.wide.stem is 0: input should be greater than or equal to 1"),
        ({"stages": []}, "architecture.wide.stages is []: list should have at least 1 item"),
        ({"steam": 8}, "design.searched.architecture.wide.steam is not a setting"),
        ({"modules": [{}]}, "design.searched.architecture.article."),
    ],
)
def test_a_wrong_architecture_is_named_with_its_key(tmp_path, change, said):
    stage = {"filters": 8, "blocks": 1, "kernel": 3}
    plan = {"stem": 8, "stride": 1, "convolution": "full", "squeeze": False, "activation": "relu"}
    plan |= {"dropout": 0.0, "head": "max", "stages": [stage]} | change
    assert said in refusal(tmp_path, "design.searched.architecture", value=plan)


def test_broken_yaml_is_told_with_its_line(tmp_path):
    said = refusal_of(tmp_path, "ingest:\n  strict: [\n")
    assert ", line 3 is not valid YAML" in said


def test_a_missing_file_tells_where_to_run(tmp_path):
    with pytest.raises(InputError, match="run from the repository root"):
        settings.load(tmp_path / "params.yaml")
