"""Which class an architecture is, and a model from a folder."""

import json
import pathlib

import encoders
import gemma
import layer_norm_decoders
import lfm2
import llama_like
import mixture
from safetensors_file import read_safetensors

DECODERS = {
    "LlamaForCausalLM": llama_like.Llama,
    "MistralForCausalLM": llama_like.Mistral,
    "MinistralForCausalLM": llama_like.Ministral,
    "Ministral3ForCausalLM": llama_like.Ministral3,
    "SmolLM3ForCausalLM": llama_like.SmolLm3,
    "Qwen2ForCausalLM": llama_like.Qwen2,
    "Qwen3ForCausalLM": llama_like.Qwen3,
    "Phi3ForCausalLM": llama_like.Phi3,
    "GraniteForCausalLM": llama_like.Granite,
    "Olmo2ForCausalLM": llama_like.Olmo2,
    "Olmo3ForCausalLM": llama_like.Olmo3,
    "BitNetForCausalLM": llama_like.BitNet,
    "GemmaForCausalLM": gemma.Gemma,
    "Gemma2ForCausalLM": gemma.Gemma2,
    "Gemma3ForCausalLM": gemma.Gemma3,
    "MixtralForCausalLM": mixture.Mixtral,
    "Qwen3MoeForCausalLM": mixture.Qwen3Moe,
    "GraniteMoeForCausalLM": mixture.GraniteMoe,
    "GPT2LMHeadModel": layer_norm_decoders.Gpt2,
    "GPTNeoXForCausalLM": layer_norm_decoders.GptNeoX,
    "PhiForCausalLM": layer_norm_decoders.Phi,
    "StableLmForCausalLM": layer_norm_decoders.StableLm,
    "Lfm2ForCausalLM": lfm2.Lfm2,
}
ENCODERS = {
    "BertModel": encoders.Bert,
    "BertForSequenceClassification": encoders.Bert,
    "RobertaModel": encoders.Roberta,
    "RobertaForSequenceClassification": encoders.Roberta,
    "XLMRobertaModel": encoders.Roberta,
    "XLMRobertaForSequenceClassification": encoders.Roberta,
    "NomicBertModel": encoders.NomicBert,
    "ModernBertModel": encoders.ModernBert,
    "ModernBertForSequenceClassification": encoders.ModernBert,
}


def build(config, tensors):
    """A model: decoders have logits(ids, n_ctx), encoders hidden_states(ids) and perhaps scores(ids)."""
    name = config["architectures"][0]
    if name == "Mistral3ForConditionalGeneration":  # its text part alone
        tensors = {n.removeprefix("language_model."): t for n, t in tensors.items() if n.startswith("language_model.")}
        return llama_like.Ministral3(config["text_config"], tensors)
    return (DECODERS.get(name) or ENCODERS[name])(config, tensors)


def is_encoder(config):
    return config["architectures"][0] in ENCODERS


def load(folder):
    folder = pathlib.Path(folder)
    return build(json.loads((folder / "config.json").read_text()), read_safetensors(folder / "model.safetensors"))
