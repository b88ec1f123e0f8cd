"""FlagEmbedding's reranker classes; the grid has `batch_size`."""

from common import Peer


class FlagEmbedding(Peer):
    """The class, and the options of a call, are in configs/bench.yaml."""

    packages = ("FlagEmbedding", "torch", "transformers")

    def __init__(self, checkpoint, dtype, options):
        import FlagEmbedding as released  # pyright: ignore[reportMissingImports]

        super().__init__()
        runs, self.longest = options["runs"], options["max_length"]
        self.call = {key: options[key] for key in runs.get("options", ())}
        precision = {"use_bf16": dtype == "bfloat16"} if runs["bf16"] == "option" else {}
        self.scorer = getattr(released, runs["class"])(
            checkpoint, devices=options["device"], use_fp16=False, **precision
        )
        if runs["bf16"] == "cast" and dtype == "bfloat16":
            self.scorer.model.bfloat16()
        self.watch(self.scorer.model)

    def score(self, pairs):
        """See `Peer.score`."""
        texts = [list(pair) for pair in pairs]
        return self.scorer.compute_score(texts, max_length=self.longest, **self.call, **self.point)


def load(checkpoint, dtype, options, pairs):
    """Load the peer with its model."""
    return FlagEmbedding(checkpoint, dtype, options)
