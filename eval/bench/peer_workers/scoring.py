"""A reranker of transformers as one torch module, from token ids to scores, for the engines that run or convert it."""

import json
from pathlib import Path

import torch
import transformers


class Scoring(torch.nn.Module):
    """(sequences, tokens) of ids and of the attention mask -> one score for each sequence.

    Of a causal language model, the logits of the last token alone are computed. `traced` gives it its mask in four
    dimensions: transformers makes one by `vmap` otherwise, which no converter follows.
    """

    def __init__(self, checkpoint, options, attention="sdpa", traced=False):
        super().__init__()
        runs = options["runs"]
        self.causal, self.traced, self.answers = bool(options.get("prompt")), traced, options.get("tokens", [0])
        self.head = self.cap = None
        if "head" in runs:
            self.model, self.head, self.cap = body_and_head(Path(checkpoint), runs, attention)
        else:
            kind = getattr(transformers, runs["class"])
            self.model = kind.from_pretrained(checkpoint, attn_implementation=attention)
        self.model.eval()

    def forward(self, input_ids, attention_mask):
        """Return scores, shape (sequences,)."""
        if not self.causal:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits[:, 0]
        if self.traced:
            attention_mask = causal_mask(attention_mask, next(self.model.parameters()).dtype)
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "use_cache": False}
        if self.head is not None:
            scores = self.head(self.model(**inputs).last_hidden_state[:, -1])[:, 0]
            return scores if self.cap is None else torch.tanh(scores / self.cap) * self.cap
        rows = self.model(**inputs, logits_to_keep=1).logits[:, -1, self.answers]
        return rows[:, 0] - rows[:, 1] if len(self.answers) > 1 else rows[:, 0]


def body_and_head(folder, runs, attention):
    """Return a model that transformers names otherwise, the row that the released code scores with, and the cap."""
    from safetensors.torch import load_file

    config = {**json.loads((folder / "config.json").read_text(encoding="utf-8")), **runs["config"]}
    kind = getattr(transformers, runs["class"])
    kind._supports_sdpa = True  # transformers 5 refuses it for the soft-capping, which is left out here
    model = kind._from_config(kind.config_class(**config), attn_implementation=attention)
    saved = load_file(folder / "model.safetensors")
    model.load_state_dict({key[len("model.") :]: value for key, value in saved.items() if key.startswith("model.")})
    head = torch.nn.Linear(config["hidden_size"], 1, bias=False)
    head.load_state_dict({"weight": saved[runs["head"]]})
    return model.float(), head, config.get("final_logit_softcapping")


def causal_mask(mask, dtype):
    """Return 0 where a token may look, the lowest number elsewhere; (sequences, 1, tokens, tokens)."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    # a padded row looks at itself, so that its softmax is of something
    seen = (positions[None, :] <= positions[:, None])[None] & (mask[:, None, :] > 0) | (
        positions[None, :] == positions[:, None]
    )
    return torch.where(seen, 0.0, torch.finfo(dtype).min).to(dtype)[:, None]
