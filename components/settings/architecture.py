"""A network of the search's two spaces, as `artifacts/search/architecture.json` has it.

`components/models/_wide.py` and `_article.py` say what the values mean.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from components.settings.section import Count, Section, Share

Activation = Literal[
    "relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "tanh", "leaky_relu",
    "softmax", "sigmoid", "linear",
]  # fmt: skip
Stride = Literal[1, 2]
Head = Literal["average", "max"]


class StageSettings(Section):
    filters: Annotated[int, Field(ge=4)]  # squeeze and excitation look at a quarter of them
    blocks: Count
    kernel: Count


class WideSettings(Section):
    stem: Count
    stride: Stride
    convolution: Literal["full", "separable"]
    squeeze: bool
    activation: Activation
    dropout: Share
    head: Head
    stages: Annotated[list[StageSettings], Field(min_length=1)]


class ModuleSettings(Section):
    filters: Count
    kernel: Count
    stride: Stride
    bias: bool
    norm_shortcut: bool
    norm_first: bool
    norm_second: bool
    activation: Activation
    dropout: Share


class ArticleSettings(Section):
    activation: Activation
    modules: Annotated[list[ModuleSettings], Field(min_length=1)]
    head: Head


def _space(plan: Any) -> str:
    return "article" if isinstance(plan, dict) and "modules" in plan else "wide"


ArchitectureSettings = Annotated[
    Annotated[WideSettings, Tag("wide")] | Annotated[ArticleSettings, Tag("article")],
    Discriminator(_space),
]
