"""transformers alone: SDPA attention, pairs sorted by length, the last token's logits."""

import torch
from common import Peer, Texts
from scoring import Scoring


class Transformers(Peer):
    """The grid has `batch_size`."""

    def __init__(self, checkpoint, dtype, options):
        super().__init__()
        self.texts, self.device = Texts(checkpoint, options), options["device"]
        self.module = Scoring(checkpoint, options).to(self.device, getattr(torch, dtype))

    @torch.inference_mode()
    def score(self, pairs):
        """See `Peer.score`."""
        values = [0.0] * len(pairs)
        for indices, ids, mask in self.texts.batches(pairs, self.point["batch_size"]):
            self.saw(mask)
            scores = self.module(torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device))
            for index, value in zip(indices, scores.float().tolist()):
                values[index] = value
        return values


def load(checkpoint, dtype, options, pairs):
    """Load the peer with its model."""
    return Transformers(checkpoint, dtype, options)
