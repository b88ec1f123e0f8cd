"""What peers share: counting of tokens, and pairs as token ids in batches of about one length."""

import numpy as np


class Peer:
    """An engine that scores pairs; `point` is the place in its grid, empty for what its vendor ships.

    Attributes:
        packages: whose versions are reported.
        tokens, real: that entered the model since they were set to 0, with padding and without.
    """

    packages = ("torch", "transformers")

    def __init__(self):
        self.point, self.tokens, self.real = {}, 0, 0

    def prepare(self, point):
        """Go to another place of the grid; not timed."""
        self.point = point

    def score(self, pairs):
        """Return one score for each (query, passage)."""
        raise NotImplementedError

    def saw(self, mask):
        """Count a batch by its attention mask."""
        self.tokens += int(np.prod(tuple(mask.shape)))
        self.real += int(mask.sum())

    def watch(self, module):
        """Count what enters a torch module."""

        def count(_module, _args, kwargs):
            if kwargs.get("attention_mask") is not None:
                self.saw(kwargs["attention_mask"])

        module.register_forward_pre_hook(count, with_kwargs=True)


class Texts:
    """Pairs as token ids. A causal language model gets a prompt, padded on the left."""

    def __init__(self, checkpoint, options):
        import transformers

        self.prompt, self.longest = options.get("prompt"), options["max_length"]
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)

    def ids(self, pairs):
        """Return token ids of each pair."""
        texts = pairs
        if self.prompt:
            texts = [self.prompt.replace("{query}", pair[0]).replace("{passage}", pair[1]) for pair in pairs]
        return self.tokenizer(texts, truncation=True, max_length=self.longest)["input_ids"]

    def batches(self, pairs, size):
        """Yield (indices into `pairs`, ids, mask) of `size` sequences, longest first; arrays (sequences, tokens)."""
        ids = self.ids(pairs)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]), reverse=True)
        for start in range(0, len(order), size):
            indices = order[start : start + size]
            shape = (len(indices), len(ids[indices[0]]))
            batch, mask = np.full(shape, self.tokenizer.pad_token_id, np.int64), np.zeros(shape, np.int64)
            for row, index in enumerate(indices):
                n = len(ids[index])
                filled = slice(shape[1] - n, None) if self.prompt else slice(n)
                batch[row, filled], mask[row, filled] = ids[index], 1
            yield indices, batch, mask
