"""Other operations for the same function: what each rule finds in a graph, and what it puts there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import fx, nn

from etude.core.text import Text
from etude.train.execution.conv_pool import conv_pool
from etude.train.execution.dropout import dropout
from etude.train.execution.layers import conv_contiguous, linear_float32, max_pool_channels_last
from etude.train.execution.patterns import is_fresh, is_in_place, is_pool, is_relu, layer, only_user, pool_sizes

_FEW = 16  # channels that fill the widest registers of today's processors

SMALL_MATRIX = 1 << 16
"""Entries of a matrix below which rounding it to bf16 takes longer than the product saves."""


def relu_after_pool(graph: fx.GraphModule) -> None:
    """A ReLU before max-pooling goes after it: both orders give the same, on a quarter of the numbers."""
    for pool in list(graph.graph.nodes):
        relu: Any = pool.args[0] if pool.args else None
        if pool_sizes(graph, pool) is None or not is_relu(graph, relu) or only_user(relu) is None:
            continue
        source = relu.args[0]
        # between the two something else could be changed in place, and a ReLU in place changes what others read
        if relu.next is not pool or only_user(source) is None:
            continue
        if is_in_place(graph, relu) and not is_fresh(graph, source):
            continue
        pool.replace_input_with(relu, source)
        pool.replace_all_uses_with(relu)
        relu.replace_input_with(source, pool)
        pool.append(relu)  # the node moves behind


def conv_then_pool(graph: fx.GraphModule) -> None:
    """A convolution with few channels and the pooling (and ReLU) after it become `conv_pool`."""
    for node in list(graph.graph.nodes):
        conv, pool = _plain_conv(graph, node), only_user(node)
        if conv is None or conv.stride != (1, 1) or conv.dilation != (1, 1) or conv.groups != 1:
            continue
        if conv.out_channels >= _FEW or conv.in_channels > 4 or pool is None or not is_pool(graph, pool):
            continue
        relu = only_user(pool)
        last = relu if relu is not None and is_relu(graph, relu) else pool
        # where the convolution stood, because its input may be changed in place behind it
        put(
            graph,
            node,
            conv_pool,
            (node.args[0], *_parameters(graph, node, conv), conv.padding, last is relu),
            last,
        )


def conv_with_few_inputs(graph: fx.GraphModule) -> None:
    """A convolution with few input channels, whose gradient is wanted, is computed with channels outermost."""
    for node in list(graph.graph.nodes):
        conv = _plain_conv(graph, node)
        if conv is None or conv.in_channels >= _FEW or conv.groups != 1 or _is_input(node.args[0]):
            continue
        how = (conv.stride, conv.padding, conv.dilation, conv.groups)
        pool = only_user(node)
        found = put(graph, node, conv_contiguous, (node.args[0], *_parameters(graph, node, conv), *how))
        sizes = pool_sizes(graph, pool)
        if pool is not None and sizes is not None and conv.out_channels >= 8:
            put(graph, pool, max_pool_channels_last, (found, *sizes))


def dropout_by_bytes(graph: fx.GraphModule) -> None:
    """Dropout in training mode draws its chance by the byte; elsewhere it does nothing and is left out."""
    for node in list(graph.graph.nodes):
        found = layer(graph, node)
        if type(found) is not nn.Dropout or not 0 <= found.p < 1 or found.inplace:
            continue
        if found.training and found.p > 0:
            put(graph, node, dropout, (node.args[0], found.p))
        else:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)


def small_linear_in_float32(graph: fx.GraphModule) -> None:
    """A small fully connected layer is computed in float32 among bf16 ones."""
    for node in list(graph.graph.nodes):
        found = layer(graph, node)
        if type(found) is nn.Linear and found.weight.numel() < SMALL_MATRIX:
            put(graph, node, linear_float32, (node.args[0], *_parameters(graph, node, found)))


RULES: dict[str, Callable[[fx.GraphModule], None]] = {
    "relu_after_pool": relu_after_pool,
    "conv_then_pool": conv_then_pool,
    "conv_with_few_inputs": conv_with_few_inputs,
    "dropout_by_bytes": dropout_by_bytes,
    "small_linear_in_float32": small_linear_in_float32,
}
"""By name, in the order in which they are applied."""

WORDS = {
    "relu_after_pool": Text(en="ReLU after max-pooling", zh="ReLU 移到最大池化之后"),
    "conv_then_pool": Text(
        en="convolutions of few channels together with their pooling", zh="通道少的卷积与其池化合并"
    ),
    "conv_with_few_inputs": Text(
        en="convolutions of few input channels with channels outermost", zh="输入通道少的卷积逐通道存放"
    ),
    "dropout_by_bytes": Text(en="dropout from random bytes", zh="dropout 使用随机字节"),
    "small_linear_in_float32": Text(en="small linear layers in float32", zh="小的全连接层用 float32"),
}
"""What each does, for people."""

FOR_BF16 = frozenset({"conv_with_few_inputs", "small_linear_in_float32"})
"""Those that help in bf16 only."""


def put(
    graph: fx.GraphModule,
    node: fx.Node,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    last: fx.Node | None = None,
) -> fx.Node:
    """A call of ``function`` in the place of ``node``, or of the chain from ``node`` to ``last``; the new node."""
    last = last or node
    with graph.graph.inserting_before(node):
        made = graph.graph.call_function(function, arguments)
    last.replace_all_uses_with(made)
    while last is not node:
        before: Any = last.args[0]
        graph.graph.erase_node(last)
        last = before
    graph.graph.erase_node(node)
    return made


def _plain_conv(graph: fx.GraphModule, node: fx.Node) -> nn.Conv2d | None:
    found = layer(graph, node)
    if type(found) is not nn.Conv2d or found.padding_mode != "zeros" or isinstance(found.padding, str):
        return None
    return found


def _parameters(graph: fx.GraphModule, node: fx.Node, found: nn.Conv2d | nn.Linear) -> tuple[Any, Any]:
    """Weight and bias of a layer as nodes of the graph (None for a bias that is not there)."""
    with graph.graph.inserting_before(node):
        weight = graph.graph.get_attr(f"{node.target}.weight")
        bias = None if found.bias is None else graph.graph.get_attr(f"{node.target}.bias")
    return weight, bias


def _is_input(node: Any) -> bool:
    return isinstance(node, fx.Node) and node.op == "placeholder"
