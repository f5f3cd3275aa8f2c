"""The ONNX graphs of the tiny models, and how slow this machine makes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper
from onnx import save as save_model
from onnxruntime import InferenceSession, SessionOptions

# Old enough for every ONNX Runtime that the service lines bring.
OPSET = 17
IR_VERSION = 8
TOKEN_MATRIX = 256
LOAD_MATRIX = 1024
MEASURED_STEPS = 100
MEASURED_LOAD_STEPS = 6


def chat_graph(
    successors: list[int],
    vocabulary: int,
    *,
    second_choice: tuple[int, int] | None = None,
    token_steps: int = 0,
    load_steps: int = 0,
    hidden_size: int = 0,
) -> ModelProto:
    """A table lookup: the logits of a token are high at its successor.

    With fewer successors than tokens, the lookup fails for the tokens beyond.
    """
    table = np.zeros((len(successors), vocabulary), dtype=np.float32)
    # 50 above all others: the same text at any temperature a server accepts.
    table[np.arange(len(successors)), successors] = 50.0
    if second_choice:
        # Taken where the server rules the first choice out.
        table[second_choice] = 25.0
    initializers = [numpy_helper.from_array(table, "successors")]
    nodes = [helper.make_node("Gather", ["successors", "input_ids"], ["plain_logits"], axis=0)]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", "s", vocabulary])]
    delays: list[str] = []
    if token_steps:
        more, values = slow_token_nodes(token_steps)
        nodes += more
        initializers += values
        delays.append("token_delay")
    if load_steps:
        more, values = slow_load_nodes(load_steps)
        nodes += more
        initializers += values
        delays.append("load_delay")
    last = "plain_logits"
    for number, delay in enumerate(delays):
        nodes.append(helper.make_node("Add", [last, delay], [f"logits_{number}"]))
        last = f"logits_{number}"
    nodes.append(helper.make_node("Identity", [last], ["logits"]))
    if hidden_size:
        meaning = np.random.default_rng(7).standard_normal((vocabulary, hidden_size))
        initializers.append(numpy_helper.from_array(meaning.astype(np.float32), "meaning"))
        nodes.append(helper.make_node("Gather", ["meaning", "input_ids"], ["hidden_states"]))
        outputs.append(
            helper.make_tensor_value_info(
                "hidden_states", TensorProto.FLOAT, ["b", "s", hidden_size]
            )
        )
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "s"])]
    graph = helper.make_graph(nodes, "script", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    return model


def slow_token_nodes(steps: int) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes that multiply matrices at every token and come to zero.

    They begin at the input, or the runtime would compute them once when it loads the model.
    """
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["matrix_in", "step_matrix"], ["matrix_out"]),
            helper.make_node("Identity", ["go_on_in"], ["go_on_out"]),
        ],
        "step",
        [
            helper.make_tensor_value_info("step_number", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info(
                "matrix_in", TensorProto.FLOAT, [TOKEN_MATRIX, TOKEN_MATRIX]
            ),
        ],
        [
            helper.make_tensor_value_info("go_on_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info(
                "matrix_out", TensorProto.FLOAT, [TOKEN_MATRIX, TOKEN_MATRIX]
            ),
        ],
    )
    matrix = np.full((TOKEN_MATRIX, TOKEN_MATRIX), 1.0 / TOKEN_MATRIX, dtype=np.float32)
    values = [
        numpy_helper.from_array(matrix, "step_matrix"),
        numpy_helper.from_array(np.array(steps, dtype=np.int64), "token_steps"),
        numpy_helper.from_array(np.array(True), "always"),
        numpy_helper.from_array(np.array(0.0, dtype=np.float32), "nothing"),
    ]
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["ids_as_float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMin", ["ids_as_float"], ["one_id"], keepdims=0),
        helper.make_node("Add", ["step_matrix", "one_id"], ["first_matrix"]),
        helper.make_node(
            "Loop", ["token_steps", "always", "first_matrix"], ["last_matrix"], body=body
        ),
        helper.make_node("ReduceMin", ["last_matrix"], ["loop_result"], keepdims=0),
        helper.make_node("Mul", ["loop_result", "nothing"], ["token_delay"]),
    ]
    return nodes, values


def slow_load_nodes(steps: int) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes of constants only: the runtime computes them when it loads the model."""
    values = [
        numpy_helper.from_array(np.array([LOAD_MATRIX, LOAD_MATRIX], dtype=np.int64), "load_shape"),
        numpy_helper.from_array(np.array(1.0 / LOAD_MATRIX, dtype=np.float32), "load_value"),
        numpy_helper.from_array(np.array(0.0, dtype=np.float32), "load_nothing"),
    ]
    nodes = [helper.make_node("Expand", ["load_value", "load_shape"], ["load_0"])]
    for number in range(steps):
        nodes.append(
            helper.make_node("MatMul", [f"load_{number}", "load_0"], [f"load_{number + 1}"])
        )
    nodes += [
        helper.make_node("ReduceMin", [f"load_{steps}"], ["load_result"], keepdims=0),
        helper.make_node("Mul", ["load_result", "load_nothing"], ["load_delay"]),
    ]
    return nodes, values


def measured_token_steps(milliseconds: float) -> int:
    """How many steps of the loop take this long here."""
    session = loaded(chat_graph([0], 1, token_steps=MEASURED_STEPS))
    ids = np.zeros((1, 1), dtype=np.int64)

    def run() -> None:
        session.run(["logits"], {"input_ids": ids})

    return steps_for(milliseconds / 1000, fastest(run, repeats=5) / MEASURED_STEPS)


def measured_load_steps(seconds: float) -> int:
    """How many constant multiplications take this long here."""
    few, more = (chat_graph([0], 1, load_steps=steps) for steps in (2, 2 + MEASURED_LOAD_STEPS))
    difference = fastest(lambda: loaded(more), repeats=2) - fastest(lambda: loaded(few), repeats=2)
    return steps_for(seconds, difference / MEASURED_LOAD_STEPS)


def loaded(model: ModelProto) -> InferenceSession:
    options = SessionOptions()
    # As make_models.py has the services do it.
    options.intra_op_num_threads = 1
    return InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def steps_for(seconds: float, seconds_a_step: float) -> int:
    return max(1, round(seconds / seconds_a_step))


def fastest(action: Callable[[], object], repeats: int) -> float:
    """Processor time, so that busy neighbours at this moment do not count."""
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        action()
        times.append(time.thread_time() - start)
    return min(times)


def save(model: ModelProto, path: Path) -> None:
    checker.check_model(model)
    save_model(model, str(path))
