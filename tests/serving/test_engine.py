import asyncio
import threading

import numpy as np
import pytest

from serving.engine import MAX_BATCH, Batcher, Engine

RNG = np.random.default_rng(0)
FACES = RNG.integers(0, 256, (300, 48, 48, 1), np.uint8)


class Watched(Engine):
    """An engine that remembers its batches and can be held."""

    def __init__(self, package) -> None:
        super().__init__(package, threads=1)
        self.batches: list[int] = []
        self.free = threading.Event()
        self.free.set()

    def probabilities(self, faces):
        self.free.wait(30)
        self.batches.append(len(faces))
        if len(faces) == 13:
            raise RuntimeError("thirteen")
        return super().probabilities(faces)


def test_requests_that_wait_are_run_together_and_each_gets_its_own_answers(package):
    engine = Watched(package)
    expected = Engine(package, threads=1).probabilities(FACES)

    async def ask() -> list[np.ndarray]:
        batcher = Batcher(engine)
        engine.free.clear()
        first = asyncio.create_task(batcher.probabilities(FACES[:1]))
        await asyncio.sleep(0.1)
        others = [batcher.probabilities(FACES[i : i + 3]) for i in range(1, 31, 3)]
        rest = asyncio.gather(*others)
        await asyncio.sleep(0.1)
        engine.free.set()
        return [await first, *await rest]

    np.testing.assert_allclose(np.concatenate(asyncio.run(ask())), expected[:31], atol=1e-5)
    assert engine.batches == [1, 30]


def test_a_large_request_is_run_in_parts(package):
    engine = Watched(package)
    answers = asyncio.run(Batcher(engine).probabilities(FACES))
    np.testing.assert_allclose(answers, Engine(package, threads=1).probabilities(FACES), atol=1e-5)
    assert max(engine.batches) == MAX_BATCH


def test_a_batch_that_fails_fails_alone(package):
    engine = Watched(package)
    batcher = Batcher(engine)

    async def ask() -> np.ndarray:
        with pytest.raises(RuntimeError, match="thirteen"):
            await batcher.probabilities(FACES[:13])
        return await batcher.probabilities(FACES[:2])

    assert asyncio.run(ask()).shape == (2, 7)


def test_a_request_that_was_given_up_does_not_hold_up_the_next(package):
    engine = Watched(package)

    async def ask() -> np.ndarray:
        batcher = Batcher(engine)
        engine.free.clear()
        gone = asyncio.create_task(batcher.probabilities(FACES[:1]))
        await asyncio.sleep(0.05)
        gone.cancel()
        engine.free.set()
        return await batcher.probabilities(FACES[:2])

    assert asyncio.run(ask()).shape == (2, 7)
