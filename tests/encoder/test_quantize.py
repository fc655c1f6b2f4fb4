import bitsandbytes as bnb
import torch
from transformers import BertConfig, BertModel

from lowres_stilts.encoder.quantize import ROWS_AT_ONCE, quantize_word_embeddings


def test_embeddings_quantized_in_pieces_equal_bitsandbytes_in_one():
    config = BertConfig(
        vocab_size=ROWS_AT_ONCE + 3,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    model = BertModel(config).to(torch.bfloat16)
    dense = model.get_input_embeddings().weight.data.clone()
    quantize_word_embeddings(model, torch.device("cpu"))
    expected = bnb.nn.Int8Params(dense, requires_grad=False, has_fp16_weights=False).to("cpu")
    weight = model.get_input_embeddings().weight
    assert torch.equal(weight.data, expected.data)
    assert torch.equal(weight.SCB, expected.SCB)
