"""sentence-transformers' CrossEncoder; the grid has `batch_size` and, on CUDA, `attention`."""

from common import Peer


class SentenceTransformers(Peer):
    """Load again for another `attention`."""

    packages = ("sentence-transformers", "torch", "transformers")

    def __init__(self, checkpoint, dtype, options):
        super().__init__()
        self.checkpoint, self.dtype, self.options = checkpoint, dtype, options
        self._load(None)

    def _load(self, attention):
        from sentence_transformers import CrossEncoder

        self.attention = attention
        more = {} if attention is None else {"model_kwargs": {"attn_implementation": attention}}
        length, device = self.options["max_length"], self.options["device"]
        self.scorer = CrossEncoder(self.checkpoint, max_length=length, device=device, **more)
        # the classifier itself: releases differ in what they wrap around it
        parts = self.scorer.model.modules()
        module = next(part for part in parts if type(part).__name__.endswith("ForSequenceClassification"))
        if self.dtype == "bfloat16":
            module.bfloat16()
        self.watch(module)

    def prepare(self, point):
        """See `Peer.prepare`."""
        super().prepare(point)
        if point.get("attention") != self.attention:
            self._load(point.get("attention"))

    def score(self, pairs):
        """See `Peer.score`."""
        import torch

        batch = {"batch_size": self.point["batch_size"]} if self.point else {}
        arguments = {"show_progress_bar": False, "convert_to_tensor": True, **batch}
        try:
            scores = self.scorer.predict(pairs, activation_fn=torch.nn.Identity(), **arguments)
        except (TypeError, ValueError):  # releases before 4 call it otherwise
            scores = self.scorer.predict(pairs, activation_fct=torch.nn.Identity(), **arguments)
        return scores.float().tolist()


def load(checkpoint, dtype, options, pairs):
    """Load the peer with its model."""
    return SentenceTransformers(checkpoint, dtype, options)
