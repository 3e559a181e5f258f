from components.clean import clean
from tests.components.cleaning.few_faces import ALL, decide, run


def test_a_reviewer_keeps_what_a_rule_would_drop(faces, tmp_path):
    copy = faces.add("train", label=2, like=2)
    _, kept, quarantine = run(faces, **decide(tmp_path, f"fer{copy:07d},keep,,a twin"))
    assert copy in kept.index
    shown = quarantine.loc[copy, ["reason", "action", "comment"]]
    assert shown.tolist() == ["duplicate", "kept", "a twin"]


def test_a_reviewer_drops_what_no_rule_would(faces, tmp_path):
    row = faces.add("train", label=2)
    metrics, kept, quarantine = run(faces, **decide(tmp_path, f"fer{row:07d},drop,,an ear"))
    assert row not in kept.index
    shown = quarantine.loc[row, ["reason", "action", "comment"]]
    assert shown.tolist() == ["reviewer", "dropped", "an ear"]
    assert metrics["dropped.reviewer"] == 1


def test_a_new_label_ends_a_conflict(faces, tmp_path):
    first = faces.add("train", label=0)
    second = faces.add("train", label=1, like=first)
    decisions = decide(tmp_path, f"fer{first:07d},relabel,disgust,")
    _, kept, quarantine = run(faces, **decisions)
    assert kept.loc[first, "label"] == 1
    assert quarantine["reason"].to_dict() == {second: "duplicate"}


def test_findings_are_scored_against_the_truth(faces, tmp_path):
    copy, other = faces.add("train", label=0, like=0), faces.add("train", label=1, like=1)
    leak = faces.add("train", label=0, like=14)
    folder = faces.write()
    lines = ["id,kind,partner,true_label", f"fer0000000,copy,fer{copy:07d},0"]
    lines += [f"fer{leak:07d},leak,fer0000014,0", "fer0000002,leak,fer0000015,0"]
    lines += ["fer0000003,wrong_label,,0"]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    metrics = clean(folder, tmp_path / "kept", ALL)
    truth = {key: value for key, value in metrics.items() if key.startswith("truth.")}
    assert truth == {
        "truth.copy.recall": 1,
        "truth.copy.precision": 0.5,  # `other` was not planted
        "truth.leak.recall": 0.5,
        "truth.leak.precision": 1,
    }
    assert other


def test_the_report_needs_nothing_beside_itself(faces, tmp_path):
    faces.add("train", label=2, like=2)
    run(faces)
    text = (tmp_path / "kept" / "report.html").read_text()
    assert "Exact copies within a split" in text
    assert 'src="data:image/png;base64,' in text
    assert "http" not in text
