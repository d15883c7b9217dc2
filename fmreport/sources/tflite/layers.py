"""Which operators are one layer, and what layers are called."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from fmreport.sources.tflite.file import BIASED, File, Operator

JOINED = ";"
"""Between the names of what a converter made one operator of."""
MULTIPLIES = re.compile("conv|matmul|depthwise|dense", re.IGNORECASE)
"""In the last word of a name: that of the weighted sum itself."""
OUTPUT = re.compile(r":\d+$")


def layers(file: File) -> Iterator[tuple[Operator, ...]]:
    """Every operator once, in their order; those of a dilated convolution together, where its first one stands.

    A converter may write it as blocks of pixels, a convolution of these, its opposite, and a bias.
    """
    readers = defaultdict[int, list[Operator]](list)
    for operator in file.operators:
        for index in operator.inputs:
            readers[index].append(operator)

    def after(operator: Operator, *types: str) -> Operator | None:
        """What alone reads what an operator makes, if it is of such a type and nobody sees what lies between."""
        made = operator.outputs[0]
        found = readers[made]
        alone = len(found) == 1 and made not in file.outputs and found[0].inputs[0] == made
        return found[0] if alone and found[0].type in types else None

    done = set[Operator]()
    for operator in file.operators:
        if operator not in done:
            together = _dilated(operator, after, file) if operator.type == "SPACE_TO_BATCH_ND" else (operator,)
            done.update(together)
            yield together


def _dilated(operator: Operator, after: Callable[..., Operator | None], file: File) -> tuple[Operator, ...]:
    convolution = after(operator, "CONV_2D", "DEPTHWISE_CONV_2D")
    back = None if convolution is None else after(convolution, "BATCH_TO_SPACE_ND")
    if convolution is None or back is None:
        return (operator,)
    bias = after(back, "ADD")
    learnt = bias is not None and bias.inputs[1] in file.weights and len(file.weights[bias.inputs[1]].shape) == 1
    return (operator, convolution, back, bias) if bias is not None and learnt else (operator, convolution, back)


def heaviest(together: Sequence[Operator]) -> Operator:
    """The operator by which a layer is called: the convolution, where there is one."""
    return next((operator for operator in together if operator.type in BIASED), together[-1])


def paths(file: File) -> list[str]:
    """The path of every operator, in their order: the name of what it makes, each given once."""
    wanted = [_path(operator, number, file) for number, operator in enumerate(file.operators)]
    asked, given = set(wanted), dict[str, None]()
    for path in wanted:
        name, times = path, 1
        while name in given or (times > 1 and name in asked):
            times += 1
            name = f"{path}_{times}"
        given[name] = None
    return list(given)


def _path(operator: Operator, number: int, file: File) -> str:
    joined = file.tensors[operator.outputs[0]].name if operator.outputs else ""
    parts = [part for part in (_levels(each) for each in joined.split(JOINED)) if part]
    return "/".join(_chosen(parts, operator) or [f"{operator.type.lower()}_{number}"])


def _levels(name: str) -> list[str]:
    return [level for level in OUTPUT.sub("", name).replace(":", "_").split("/") if level]


def _chosen(parts: Sequence[list[str]], operator: Operator) -> list[str]:
    """Of several names the weighted sum's own, which a converter puts behind those of what follows it; else the first.

    So a convolution keeps its layer's name where its activation or a normalisation was made part of it.
    """
    scoped = [part for part in parts if len(part) > 1] or list(parts)
    own = (part for part in scoped if operator.type in BIASED and MULTIPLIES.search(part[-1]))
    return next(own, scoped[0] if scoped else [])
