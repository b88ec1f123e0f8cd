"""OpenVINO: the torch module converted, sequences of about one length, one request at a time or one in each stream.

int8 is nncf's quantisation of weights and activations, calibrated on some of the pairs.
"""

from common import Peer, Texts
from scoring import Scoring

PRECISION = {"float32": "f32", "bfloat16": "bf16"}
CALIBRATED = 8  # pairs that the ranges of int8 are taken from


class OpenVino(Peer):
    """The grid has `batch_size` and `streams`, which share the threads."""

    packages = ("openvino", "nncf", "torch", "transformers")

    def __init__(self, checkpoint, dtype, options, pairs):
        import openvino
        import torch

        super().__init__()
        self.texts, self.threads, self.dtype = Texts(checkpoint, options), options["threads"], dtype
        self.core, self.compiled = openvino.Core(), {}
        example = {"input_ids": torch.full((2, 8), 5), "attention_mask": torch.ones(2, 8, dtype=torch.long)}
        with torch.no_grad():
            module = Scoring(checkpoint, options, traced=True).float()
            self.model = openvino.convert_model(module, example_input=example)
        if dtype == "int8":
            self.model = self._quantised(pairs)

    def _quantised(self, pairs):
        import nncf

        sample = pairs[:: max(1, len(pairs) // CALIBRATED)]
        items = [{"input_ids": ids, "attention_mask": mask} for _, ids, mask in self.texts.batches(sample, 1)]
        return nncf.quantize(
            self.model, nncf.Dataset(items), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(items)
        )

    def prepare(self, point):
        """See `Peer.prepare`."""
        super().prepare(point)
        if point["streams"] not in self.compiled:
            properties = {"INFERENCE_NUM_THREADS": self.threads, "NUM_STREAMS": point["streams"]}
            # between the products of int8, the default of the device
            if self.dtype in PRECISION:
                properties["INFERENCE_PRECISION_HINT"] = PRECISION[self.dtype]
            self.compiled[point["streams"]] = self.core.compile_model(self.model, "CPU", properties)

    def score(self, pairs):
        """See `Peer.score`."""
        import openvino

        values = [0.0] * len(pairs)

        def keep(request, indices):
            for index, value in zip(indices, request.get_output_tensor(0).data.ravel().tolist()):
                values[index] = value

        queue = openvino.AsyncInferQueue(self.compiled[self.point["streams"]], self.point["streams"])
        queue.set_callback(keep)
        for indices, ids, mask in self.texts.batches(pairs, self.point["batch_size"]):
            self.saw(mask)
            queue.start_async({"input_ids": ids, "attention_mask": mask}, indices)
        queue.wait_all()
        return values


def load(checkpoint, dtype, options, pairs):
    """Load the peer with its model."""
    return OpenVino(checkpoint, dtype, options, pairs)
