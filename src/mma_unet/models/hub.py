"""Networks from and to the Hugging Face hub, without its package until one is asked for.

`huggingface_hub` takes a third of a second to import, which every start would pay.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import new_class
from typing import Any, Self

__all__ = ["HubNetwork"]


class HubNetwork:
    """Base class that gives a network the methods of `huggingface_hub.PyTorchModelHubMixin`."""

    config: Any

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str, **options: Any) -> Self:
        """A network from a folder of `save_pretrained`, or by name from the hub.

        Args:
            pretrained_model_name_or_path: The folder, or `USER/NAME`, which is downloaded.
            **options: As for `PyTorchModelHubMixin.from_pretrained`.
        """
        own: Any = cls
        model: Self = _on_hub(own).from_pretrained(pretrained_model_name_or_path, **options)
        model.__class__ = cls
        return model

    def save_pretrained(self, save_directory: Any, **options: Any) -> str | None:
        """Write config and weights into a folder; see `PyTorchModelHubMixin.save_pretrained`."""
        with self._on_hub() as model:
            answer: str | None = model.save_pretrained(
                save_directory, **{"config": self.config, **options}
            )
            return answer

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Upload config and weights; see `PyTorchModelHubMixin.push_to_hub`."""
        with self._on_hub() as model:
            answer: str = model.push_to_hub(repo_id, **{"config": self.config, **options})
            return answer

    @contextmanager
    def _on_hub(self) -> Iterator[Any]:
        """The network with the mixin, for the time of the `with` block."""
        own: Any = type(self)
        self.__class__ = _on_hub(own)
        try:
            yield self
        finally:
            self.__class__ = own


@cache
def _on_hub(network: Any) -> Any:
    """The same class with the mixin in front."""
    from huggingface_hub import PyTorchModelHubMixin

    return new_class(
        network.__name__,
        (PyTorchModelHubMixin, network),
        {"library_name": "mma-unet", "tags": ["image-fusion", "infrared", "visible"]},
        lambda space: space.update(__module__=network.__module__, __doc__=network.__doc__),
    )
