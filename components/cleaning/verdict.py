"""The judge: from what was found to one reason against a face, and what follows from it.

A face has one reason, the first of `REASONS` that holds; each rule sees what those before it
left. Validation and test are the yardstick, so only the label rule takes faces out of them;
whatever else is found there is `flagged`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.cleaning.near_copies import Pairs
from components.data.copies import first_of_group
from components.data.labels import NO_LABEL, VOTE_COLUMNS, not_a_face
from components.settings import CleanSettings

# In order of precedence, with what the score of each means.
REASONS = {
    "reviewer": "always 0",
    "non_face": "share of votes for NF",
    "blank": "standard deviation of the grey levels",
    "undetected": "the face detector's best confidence",
    "unlabelled": "always 0",
    "leak": "similarity to the partner, a validation or test face",
    "near_leak": "similarity to the partner, a validation or test face",
    "conflict": "similarity to the partner, which has another label",
    "duplicate": "similarity to the partner, which is kept",
    "near_conflict": "similarity to the partner, which has another label",
    "near_copy": "similarity to the partner, which is kept",
    "mislabel": "probability of its label, by a classifier that has not seen it",
}
_IDENTICAL = 1.0


@dataclass(frozen=True)
class Evidence:
    """What is known about N faces.

    Attributes:
        training: (N,) bool.
        labels: (N,) int8, -1 for none.
        groups: (N,) int64, equal for byte-identical copies.
        deviation: (N,) float64 standard deviations of the grey levels.
        votes: (N, 10) int8 FER+ votes, or None.
        near: Near copies between groups, by the first face of each; None where not looked for.
        confidence: (N,) float32 of the face detector; None without one.
    """

    training: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    deviation: np.ndarray
    votes: np.ndarray | None
    near: Pairs | None
    confidence: np.ndarray | None


class Verdict:
    """The first reason against each face, collected rule by rule."""

    def __init__(self, count: int):
        self._reason = np.full(count, "", object)
        self._score = np.zeros(count)
        self._partner = np.full(count, -1)

    @property
    def unmarked(self) -> np.ndarray:
        """(N,) bool, where no rule has spoken so far."""
        return self._reason == ""

    def mark(self, reason: str, where: np.ndarray, score: np.ndarray) -> None:
        """Gives the reason to the faces (N,) bool that have none yet."""
        where = where & self.unmarked
        self._reason[where] = reason
        self._score[where] = score[where]

    def mark_copies(
        self, reason: str, where: np.ndarray, partner: np.ndarray, similarity: np.ndarray
    ) -> None:
        """Gives the reason to the faces that have none yet, but a partner (-1 for none)."""
        where = where & self.unmarked & (partner >= 0)
        self._partner[where] = partner[where]
        self.mark(reason, where, similarity)

    def table(self, dropped: np.ndarray, kept: np.ndarray) -> pd.DataFrame:
        """Draws the conclusion.

        Args:
            dropped: (N,) bool, the faces that a reason takes out.
            kept: (N,) bool, the faces that a reviewer keeps whatever the reason.

        Returns:
            N rows: `reason` (str, empty for none), `score` (float64), `partner` (int64, the
            row of the copy, -1 for none), `action` (`dropped`, `flagged`, `kept` or empty).
        """
        action = np.where(dropped, "dropped", "flagged")
        action = np.where(self.unmarked, "", np.where(kept, "kept", action))
        columns = {"reason": self._reason, "score": self._score, "partner": self._partner}
        return pd.DataFrame(columns | {"action": action})


def judge(verdict: Verdict, evidence: Evidence, settings: CleanSettings) -> None:
    """Marks each face with the first reason against it, if there is one."""
    training, labels, groups = evidence.training, evidence.labels, evidence.groups
    identical = np.full(len(labels), _IDENTICAL)
    _judge_pictures(verdict, evidence, settings)
    unlabelled = labels == NO_LABEL
    verdict.mark("unlabelled", unlabelled, np.zeros(len(labels)))
    held_out = ~training & ~unlabelled
    near = _Near(evidence.near, groups)
    if settings.leaks:
        verdict.mark_copies("leak", training, first_of_group(groups, held_out), identical)
        verdict.mark_copies("leak", held_out, first_of_group(groups, training), identical)
        verdict.mark_copies("near_leak", training, *near.closest(held_out))
        verdict.mark_copies("near_leak", held_out, *near.closest(training))
    if settings.conflicts:
        standing = training & verdict.unmarked
        # Which of several labels is right cannot be known from copies: all of them go.
        verdict.mark_copies("conflict", standing, _dissenter(groups, labels, standing), identical)
    if settings.duplicates:
        for part in (training & verdict.unmarked, held_out):
            first = first_of_group(groups, part)
            other = part & (first != np.arange(len(first)))
            verdict.mark_copies("duplicate", other, first, identical)
    if settings.conflicts:
        standing = training & verdict.unmarked
        verdict.mark_copies("near_conflict", standing, *near.dissenter(labels, standing))
    if settings.duplicates:
        for part in (training & verdict.unmarked, held_out & verdict.unmarked):
            verdict.mark_copies("near_copy", part, *near.earlier(part))


def copied(evidence: Evidence, among: np.ndarray) -> np.ndarray:
    """(N,) bool, where a face is not `among` (N,) bool but has a copy or near copy there."""
    near, _ = _Near(evidence.near, evidence.groups).closest(among)
    return ~among & ((first_of_group(evidence.groups, among) >= 0) | (near >= 0))


def _judge_pictures(verdict: Verdict, evidence: Evidence, settings: CleanSettings) -> None:
    if settings.non_faces:
        if evidence.votes is not None:
            votes = evidence.votes
            share = votes[:, VOTE_COLUMNS.index("NF")] / votes.sum(axis=1).clip(min=1)
            verdict.mark("non_face", not_a_face(votes), share)
        verdict.mark("blank", evidence.deviation < settings.blank_std, evidence.deviation)
    if evidence.confidence is not None:
        missed = evidence.confidence < settings.detector_confidence
        verdict.mark("undetected", missed, evidence.confidence)


def _dissenter(groups: np.ndarray, labels: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(N,) int64, for each face the first of its copies that has another label, or -1."""
    first = first_of_group(groups, among)
    other = first_of_group(groups, among & (labels != labels[first]))
    return np.where(labels == labels[first], other, first)


class _Near:
    """Near copies face by face: each pair of groups is a pair of any of their members.

    Every answer is (N,) int64 partners, -1 for none, and (N,) float64 similarities.
    """

    def __init__(self, pairs: Pairs | None, groups: np.ndarray):
        self._count = len(groups)
        edges = pd.DataFrame(columns=["face", "partner", "similarity"], dtype=np.int64)
        if pairs is not None and len(pairs.first):
            members = pd.DataFrame({"group": groups, "face": np.arange(len(groups))})
            one = pd.DataFrame(
                {
                    "group": groups[np.concatenate([pairs.first, pairs.second])],
                    "other": groups[np.concatenate([pairs.second, pairs.first])],
                    "similarity": np.tile(pairs.similarity, 2),
                }
            ).merge(members, on="group")
            others = members.rename(columns={"group": "other", "face": "partner"})
            edges = one.merge(others, on="other")[["face", "partner", "similarity"]]
        # The first edge of a face is that to its closest partner; of equals, to the first.
        order = ["face", "similarity", "partner"]
        self._edges = edges.sort_values(order, ascending=[True, False, True], kind="stable")

    def closest(self, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each face its closest partner `among` (N,) bool."""
        return self._spread(self._edges[among[self._edges["partner"].to_numpy()]])

    def dissenter(self, labels: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each face its closest partner `among` (N,) bool that has another label."""
        face, partner = (self._edges[name].to_numpy() for name in ("face", "partner"))
        return self._spread(self._edges[among[partner] & (labels[face] != labels[partner])])

    def earlier(self, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each face its closest partner that comes before it and stays.

        Of a chain of faces each of which is near the next, every second one stays: a near copy
        of a near copy may be another picture.
        """
        face, partner = (self._edges[name].to_numpy() for name in ("face", "partner"))
        ordered = self._edges[among[face] & among[partner] & (partner < face)]
        stays, standing = among.copy(), np.zeros(len(ordered), bool)
        for place, (own, other) in enumerate(zip(ordered["face"], ordered["partner"], strict=True)):
            standing[place] = stays[other]
            stays[own] &= not stays[other]
        return self._spread(ordered[standing])

    def _spread(self, edges: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        best = edges.drop_duplicates("face")
        partner, similarity = np.full(self._count, -1), np.zeros(self._count)
        partner[best["face"]] = best["partner"]
        similarity[best["face"]] = best["similarity"]
        return partner, similarity
