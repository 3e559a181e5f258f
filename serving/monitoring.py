"""What Prometheus learns of the service beside BentoML's own request metrics, at `/metrics`."""

from prometheus_client import Counter, Histogram

FACES = Counter("mien_faces", "Faces that were answered, by their label", ["label"])
UNCERTAIN = Counter("mien_faces_uncertain", "Faces whose label is not certain")
REJECTED = Counter("mien_rejected", "Requests that got no answer, by reason", ["reason"])
PICTURES = Counter("mien_pictures", "Pictures and video frames that were looked at")
PER_PICTURE = Histogram(
    "mien_faces_per_picture", "Faces found in a picture", buckets=[0, 1, 2, 4, 8, 16, 32, 64, 128]
)
SECONDS = Histogram(
    "mien_stage_seconds",
    "Seconds a picture spends in a stage",
    ["stage"],
    buckets=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
)
SHADOW = Counter(
    "mien_shadow_faces", "Faces that a shadow answered, too, by both labels", ["label", "shadow"]
)
SHADOW_SKIPPED = Counter("mien_shadow_skipped", "Faces that a shadow had no time for")
BATCH = Histogram(
    "mien_batch_size", "Faces that were run together", buckets=[1, 2, 4, 8, 16, 32, 64]
)
