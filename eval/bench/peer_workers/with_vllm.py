"""vLLM's pooling runner on CUDA: token ids in, raw logits of the classifier out, queries cached as prefixes.

Written after https://docs.vllm.ai/en/latest/models/pooling_models/scoring/ (runner, hf_overrides of
bge-reranker-v2-gemma); not run where it was written, which had no GPU.
"""

from common import Peer, Texts


class Vllm(Peer):
    """It batches by itself; the grid has `max_num_batched_tokens`."""

    packages = ("vllm", "torch", "transformers")

    def __init__(self, checkpoint, dtype, options):
        super().__init__()
        self.texts, self.options, self.engine = Texts(checkpoint, options), {"model": checkpoint, "dtype": dtype}, None
        self.options |= {"runner": "pooling", "max_model_len": options["max_length"]}
        self.options |= {"hf_overrides": options["runs"].get("overrides", {})}

    def prepare(self, point):
        """See `Peer.prepare`."""
        from vllm import LLM  # pyright: ignore[reportMissingImports]

        super().prepare(point)
        self.engine = None  # its memory first
        self.engine = LLM(**self.options, **point)

    def score(self, pairs):
        """See `Peer.score`."""
        from vllm import PoolingParams  # pyright: ignore[reportMissingImports]

        assert self.engine is not None
        ids = self.texts.ids(pairs)
        self.tokens = self.real = sum(map(len, ids))
        raw = PoolingParams(use_activation=False)
        prompts = [{"prompt_token_ids": row} for row in ids]
        outputs = self.engine.encode(prompts, pooling_params=raw, pooling_task="classify", use_tqdm=False)
        return [float(output.outputs.data.flatten()[0]) for output in outputs]


def load(checkpoint, dtype, options, pairs):
    """Load the peer, without its model: every point of the grid loads one."""
    return Vllm(checkpoint, dtype, options)
