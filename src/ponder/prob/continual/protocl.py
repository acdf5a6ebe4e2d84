"""Prototypical Bayesian continual learning (Kessler et al. 2023, section 6). Needs the extra `torch`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ponder.core.errors import InputError, need
from ponder.core.seeds import generator
from ponder.prob.continual.prototypes import Prototypes
from ponder.prob.continual.replay import Memory, train


class ProtoCL:
    """A classifier whose classes may come one after another: an encoder, conjugate prototypes of its embeddings, a small memory.

    The encoder is trained on the new task and the memory, by the log-probability of each label given the other embeddings of its
    minibatch. After each task the prototypes are computed anew from memory, since those of the encoder's former state are stale.

    Args:
        encoder: a torch module from inputs (n, ...) to embeddings (n, k); trained in place.
        noise: variance of embeddings around their class mean.
        memory: examples kept of all past tasks together.
        epochs, batch, rate, decay: of `train`.
        seed: of the memory's choice and of the order of examples (the encoder's initial weights are the caller's).
    """

    def __init__(
        self,
        encoder: Any,
        noise: float = 0.05,
        memory: int = 1000,
        epochs: int = 30,
        batch: int = 64,
        rate: float = 1e-3,
        decay: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.encoder, self.noise, self.memory = encoder, noise, Memory(memory)
        self._training = {"epochs": epochs, "batch": batch, "rate": rate, "decay": decay}
        self._rng = generator(seed, ["ProtoCL"])
        self._counts: dict[Any, int] = {}
        self._prototypes: Prototypes | None = None

    @property
    def classes(self) -> NDArray[Any]:
        """Labels seen so far, sorted; the columns of `predict_proba`."""
        return np.array(sorted(self._counts))

    def partial_fit(self, x: ArrayLike, y: ArrayLike) -> ProtoCL:
        """Learn a task.

        Args:
            x: inputs, shape (n, ...).
            y: labels, shape (n,): numbers or texts; new ones become new classes.

        Raises:
            InputError: no examples, unequal lengths, or a first task with only one class.
        """
        x, y = np.asarray(x), np.asarray(y)
        if y.ndim != 1 or len(x) != len(y) or not len(y):
            raise InputError(f"a task needs as many labels as inputs, at least one; {x.shape} and {y.shape} were given")
        counts = dict(self._counts)
        for label, n in zip(*np.unique(y, return_counts=True), strict=True):
            counts[label.item()] = counts.get(label.item(), 0) + int(n)
        if len(counts) < 2:
            raise InputError(f"there is nothing to tell apart: all labels so far are {y[0]!r}; give tasks of at least 2 classes first")
        self._counts = counts
        mixed, labels = self.memory.mixed(x, y)
        self.encoder.train()
        train(self.encoder.parameters(), self._loss, mixed, self._indices(labels), self._rng, **self._training)
        seen, labels = self.memory.beside(x, y)
        z = self.embed(seen)
        found = self._prior(z).update(z, need("torch", "torch").as_tensor(self._indices(labels)))
        # The memory holds few of the old tasks' examples: how common a class is, is counted on all.
        true = z.new_tensor([counts[c] for c in self.classes.tolist()])
        self._prototypes = replace(found, counts=self._prior(z).counts + true)
        self.memory = self.memory.keep(x, y, self._rng)
        return self

    def embed(self, x: ArrayLike) -> Any:
        """Embeddings, a tensor of shape (n, k), without gradient."""
        torch = need("torch", "torch")
        self.encoder.eval()
        with torch.no_grad():
            return self.encoder(torch.as_tensor(np.asarray(x), dtype=torch.float32))

    def predict_proba(self, x: ArrayLike) -> NDArray[np.float64]:
        """p(class | x), shape (n, classes seen). No label is looked at and nothing is updated.

        Raises:
            InputError: before the first task.
        """
        return self.prototypes().log_joint(self.embed(x)).double().softmax(-1).numpy()

    def predict(self, x: ArrayLike) -> NDArray[Any]:
        """The most probable label, shape (n,)."""
        return self.classes[self.predict_proba(x).argmax(axis=1)]

    def log_loss(self, x: ArrayLike, y: ArrayLike) -> float:
        """Mean of -log p(y | x), nats.

        Raises:
            InputError: a label that was never learned has no probability.
        """
        p = self.predict_proba(x)
        return float(-np.mean(np.log(np.maximum(p[np.arange(len(p)), self._indices(np.asarray(y))], 1e-300))))

    def prototypes(self) -> Prototypes:
        """The posterior of the class means, classes in the order of `classes`."""
        if self._prototypes is None:
            raise InputError("nothing has been learned yet: call partial_fit first")
        return self._prototypes

    def _prior(self, z: Any) -> Prototypes:
        return Prototypes.prior(len(self._counts), z.shape[-1], self.noise, dtype=z.dtype)

    def _loss(self, x: Any, y: Any) -> Any:
        z = self.encoder(x)
        scores = self._prior(z).update(z, y).log_joint_without_own(z, y)
        return need("torch", "torch").nn.functional.cross_entropy(scores, y)

    def _indices(self, labels: NDArray[Any]) -> NDArray[np.int64]:
        known = {label: i for i, label in enumerate(self.classes.tolist())}
        unseen = sorted(set(labels.tolist()) - set(known))
        if unseen:
            raise InputError(f"labels {unseen} were never learned; the classes so far are {self.classes.tolist()}")
        return np.array([known[label] for label in labels.tolist()])
