"""Writes a model of a few hundred kilobytes with random weights, for a real engine to serve: its words mean nothing.

    pip install gguf numpy && python tests/sdk/engine/tiny_model.py tiny.gguf
"""

import sys

import gguf
import numpy

WIDTH, FEED, HEADS, CONTEXT = 64, 128, 4, 1024
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"

pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL] + [gguf.TokenType.BYTE] * 256
words = ["\u2581"] + [chr(letter) for letter in range(33, 127)] + ["\u2581" + chr(letter) for letter in range(97, 123)]
pieces += words
kinds += [gguf.TokenType.NORMAL] * len(words)

chance = numpy.random.default_rng(7)


def weights(*shape):
    return chance.normal(0, 0.3, shape).astype(numpy.float32)


writer = gguf.GGUFWriter(sys.argv[1], "llama")
writer.add_name("tiny")
writer.add_context_length(CONTEXT)
writer.add_embedding_length(WIDTH)
writer.add_block_count(1)
writer.add_feed_forward_length(FEED)
writer.add_head_count(HEADS)
writer.add_head_count_kv(HEADS)
writer.add_rope_dimension_count(WIDTH // HEADS)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_vocab_size(len(pieces))
writer.add_tokenizer_model("llama")
writer.add_token_list(pieces)
writer.add_token_scores([-float(place) for place in range(len(pieces))])
writer.add_token_types(kinds)
writer.add_unk_token_id(0)
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_chat_template(TEMPLATE)
writer.add_tensor("token_embd.weight", weights(len(pieces), WIDTH))
writer.add_tensor("output.weight", weights(len(pieces), WIDTH))
writer.add_tensor("output_norm.weight", numpy.ones(WIDTH, numpy.float32))
for name, shape in {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH, WIDTH),
    "attn_v": (WIDTH, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (FEED, WIDTH),
    "ffn_up": (FEED, WIDTH),
    "ffn_down": (WIDTH, FEED),
}.items():
    writer.add_tensor(f"blk.0.{name}.weight", weights(*shape))
for name in ("attn_norm", "ffn_norm"):
    writer.add_tensor(f"blk.0.{name}.weight", numpy.ones(WIDTH, numpy.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
