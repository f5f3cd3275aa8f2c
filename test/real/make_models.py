"""Make the tiny models the real services are run with.

Nothing is downloaded: a model is one ONNX table that names, for each token, the token that
follows it, and a tokenizer that knows every byte and a few whole words. The template of the
prompt ends in the token at which the model's script begins, so each model says the same at
every call, whatever it was asked.

    python make_models.py DIRECTORY [--slow-token-ms 200] [--slow-load-seconds 4]

Writes a model cache as the service keeps it, and beside it `models.json`, the list of what
was made.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from onnx_graphs import chat_graph, measured_load_steps, measured_token_steps, save

END = "<|end|>"
PAD = "<|pad|>"
GO = "<|go|>"
AFTER_TOOL = "<|after_tool|>"
PUBLISHER = "Example"
HIDDEN_SIZE = 16


@dataclass(frozen=True)
class Model:
    """What one model says, and how it behaves while it does."""

    role: str
    id: str
    alias: str
    # Words in order. A word may stand only once: each token has exactly one successor.
    script: list[str]
    # What it says when the last message is a tool's result; the script, where empty.
    after_tool: list[str] = field(default_factory=list)
    _: KW_ONLY
    context_length: int = 4096
    # Back to the first word of the script instead of ending.
    forever: bool = False
    fails_after_script: bool = False
    broken_file: bool = False
    embeds: bool = False
    slow_tokens: bool = False
    slow_load: bool = False
    # The user's own model: in no catalog, only a folder (or, from 2.1, registered).
    own: bool = False
    # In the catalog, but not downloaded.
    missing: bool = False
    # Further properties of the model's catalog entry.
    properties: dict[str, str | int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.id.rsplit(":", 1)[0]

    @property
    def version(self) -> int:
        return int(self.id.rsplit(":", 1)[1])

    @property
    def directory(self) -> str:
        return f"{PUBLISHER}/{self.name}-{self.version}/v{self.version}"


SENTENCE = ["Hello", " from", " a", " tiny", " model", ",", " which", " says", " this", "."]
SEA = [
    "The", " sea", " rises", ",", " a", " gull", " cries", ";", " waves", " fall", " back",
    " over", " grey", " sand", ".", " Then", " wind", " turns", " and", " it", " begins",
    " again", ":", "\n",
]  # fmt: skip
THOUGHT = [
    "<think>", "\n", "Two", " and", " two", " make", " four", ".", "\n\n", "</think>",
    "It", " is", " 4", "!",
]  # fmt: skip
TOOL_CALL = [
    "<tool_call>", '[{"name":', ' "get_weather",', ' "parameters":', ' {"city":', ' "Zürich"}}]',
    "</tool_call>",
]  # fmt: skip

WEATHER = ["The", " weather", " is", " fine", "."]

THINKS: dict[str, str | int] = {
    "supports_reasoning": 1, "reasoning_start": "<think>", "reasoning_end": "</think>",
}  # fmt: skip
CALLS_TOOLS: dict[str, str | int] = {
    "supports_tool_calling": 1, "tool_call_start": "<tool_call>", "tool_call_end": "</tool_call>",
}  # fmt: skip

# Ids as the catalog writes them, `base-generic-cpu:version`, but for `plainId`.
MODELS = [
    Model("ends", "tiny-talk-generic-cpu:1", "tiny-talk", SENTENCE),
    Model("forever", "Endless-Talk-instruct-generic-cpu:4", "endless-talk", SEA, forever=True),
    Model("smallContext", "small-context-generic-cpu:1", "small-context", SEA,
          context_length=512, forever=True),
    Model("failsMidway", "fails-midway-generic-cpu:1", "fails-midway", SEA,
          fails_after_script=True, own=True),
    Model("cannotLoad", "broken-file-generic-cpu:1", "broken-file", SENTENCE, broken_file=True),
    Model("embeds", "tiny-embed-0.6b-generic-cpu:1", "tiny-embed-0.6b", SENTENCE, embeds=True),
    Model("firstVersion", "two-versions-generic-cpu:1", "two-versions", ["First", " version", "."]),
    Model("secondVersion", "two-versions-generic-cpu:2", "two-versions",
          ["Second", " version", "!"]),
    Model("slow", "slow-talk-generic-cpu:1", "slow-talk", SEA, forever=True, slow_tokens=True,
          own=True),
    Model("slowLoad", "slow-load-generic-cpu:3", "slow-load", SENTENCE, slow_load=True),
    Model("thinks", "thinks-first-generic-cpu:1", "thinks-first", THOUGHT, properties=THINKS),
    Model("callsTool", "calls-tool-generic-cpu:1", "calls-tool", TOOL_CALL, WEATHER,
          properties=CALLS_TOOLS),
    Model("plainId", "My_Own.Talker:7", "My_Own.Talker", SENTENCE, own=True),
    Model("notCached", "not-here-generic-cpu:2", "not-here", SENTENCE, missing=True),
]  # fmt: skip


def byte_characters() -> dict[int, str]:
    """The printable character that stands for each byte in byte-level BPE."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    characters = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in characters)
    return characters | {byte: chr(256 + count) for count, byte in enumerate(others)}


BYTES = byte_characters()


def token_text(word: str) -> str:
    return "".join(BYTES[byte] for byte in word.encode())


def vocabulary_of(model: Model) -> dict[str, int]:
    tokens = [BYTES[byte] for byte in range(256)] + [END, PAD, GO, AFTER_TOOL]
    words = model.script + model.after_tool
    tokens += [text for text in map(token_text, words) if text not in tokens]
    if len(set(words)) != len(words):
        raise ValueError(f"{model.role}: a word stands twice in the script")
    return {token: number for number, token in enumerate(tokens)}


def successors_of(model: Model, vocabulary: dict[str, int]) -> list[int]:
    successors = [vocabulary[END]] * len(vocabulary)
    words = [vocabulary[token_text(word)] for word in model.script]
    if model.fails_after_script:
        # One token more than the table has rows: it is written, and the next step fails.
        vocabulary[token_text(" ...")] = len(vocabulary)
        words.append(len(vocabulary) - 1)
    successors[vocabulary[AFTER_TOOL]] = words[0]
    answer = [vocabulary[token_text(word)] for word in model.after_tool]
    for start, script in ((GO, words), (AFTER_TOOL, answer)):
        for word, following in zip([vocabulary[start], *script], script, strict=False):
            successors[word] = following
    if model.forever:
        successors[words[-1]] = words[0]
    if answer:
        # Given tools, 2.2 makes the model write "MESSAGE\n" before any other text.
        successors[vocabulary[token_text("\n")]] = answer[0]
    return successors


def tokenizer(model: Model, vocabulary: dict[str, int]) -> dict[str, object]:
    markers = [text for text in model.properties.values() if isinstance(text, str)]
    added = [
        # Markers too: a service that forces a tool call looks for special tokens.
        {"id": vocabulary[text], "content": text, "special": True, "single_word": False,
         "lstrip": False, "rstrip": False, "normalized": False}
        for text in (END, PAD, GO, AFTER_TOOL, *markers)
    ]  # fmt: skip
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                  "use_regex": True}  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "", "end_of_word_suffix": "",
                  "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary, "merges": []},
    }  # fmt: skip


# Roles and texts cost one token a byte, so a test can count a prompt's tokens.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}:{{ message['content'] }}\n"
    "{% endfor %}"
    "{% if messages[-1]['role'] == 'tool' %}" + AFTER_TOOL
    + "{% else %}" + GO + "{% endif %}"
)


def tokenizer_config() -> dict[str, object]:
    return {
        "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "bos_token": GO,
        "eos_token": END, "unk_token": END, "pad_token": PAD, "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }  # fmt: skip


def marker_tokens(model: Model, vocabulary: dict[str, int]) -> dict[str, int]:
    """Begin and end of a tool call and of reasoning, as genai_config.json names them.

    Not written there: 2.x reads them from nowhere else, 1.x refuses a file that has them.
    """
    keys = {
        "bot_token_id": "tool_call_start", "eot_token_id": "tool_call_end",
        "bor_token_id": "reasoning_start", "eor_token_id": "reasoning_end",
    }  # fmt: skip
    return {
        key: vocabulary[str(model.properties[name])]
        for key, name in keys.items()
        if name in model.properties
    }


def genai_config(model: Model, vocabulary: dict[str, int]) -> dict[str, object]:
    return {
        "model": {
            "type": "decoder", "vocab_size": len(vocabulary),
            "context_length": model.context_length, "bos_token_id": vocabulary[GO],
            "eos_token_id": vocabulary[END], "pad_token_id": vocabulary[PAD],
            "decoder": {
                "filename": "model.onnx", "num_hidden_layers": 1, "num_attention_heads": 1,
                "num_key_value_heads": 1, "head_size": 1, "hidden_size": HIDDEN_SIZE,
                "inputs": {"input_ids": "input_ids"}, "outputs": {"logits": "logits"},
                # One thread: as many tokens a second beside busy neighbours as alone.
                "session_options": {"provider_options": [], "intra_op_num_threads": 1},
            },
        },
        "search": {"max_length": model.context_length, "do_sample": False, "num_beams": 1},
    }  # fmt: skip


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")


def make_model(model: Model, cache: Path, token_steps: int, load_steps: int) -> None:
    directory = cache / model.directory
    directory.mkdir(parents=True)
    vocabulary = vocabulary_of(model)
    successors = successors_of(model, vocabulary)
    save(
        chat_graph(
            successors,
            len(vocabulary),
            second_choice=(vocabulary[AFTER_TOOL], vocabulary["M"]),
            token_steps=token_steps if model.slow_tokens else 0,
            load_steps=load_steps if model.slow_load else 0,
            hidden_size=HIDDEN_SIZE if model.embeds else 0,
        ),
        directory / "model.onnx",
    )
    if model.broken_file:
        (directory / "model.onnx").write_bytes(b"this is not an ONNX model")
    write_json(directory / "genai_config.json", genai_config(model, vocabulary))
    write_json(directory / "tokenizer.json", tokenizer(model, vocabulary))
    write_json(directory / "tokenizer_config.json", tokenizer_config())
    # The service's own file: it makes a directory count as a downloaded model.
    write_json(
        directory / "inference_model.json",
        {"Name": model.id, "PromptTemplate": {"prompt": "user:{Content}\n" + GO}},
    )


def listed(model: Model) -> dict[str, object]:
    return {
        "role": model.role, "own": model.own, "missing": model.missing, "id": model.id,
        "name": model.name, "version": model.version,
        "alias": model.alias, "directory": model.directory, "publisher": PUBLISHER,
        "task": "embeddings" if model.embeds else "chat-completion",
        "contextLength": model.context_length, "properties": model.properties,
        "markerTokens": marker_tokens(model, vocabulary_of(model)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Make tiny models for Foundry Local.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--slow-token-ms", type=float, default=200.0)
    parser.add_argument("--slow-load-seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    target: Path = arguments.directory
    token_steps = measured_token_steps(arguments.slow_token_ms)
    load_steps = measured_load_steps(arguments.slow_load_seconds)
    for model in MODELS:
        if model.missing:
            continue
        make_model(model, target / "cache", token_steps, load_steps)
    write_json(target / "models.json", [listed(model) for model in MODELS])


if __name__ == "__main__":
    main()
