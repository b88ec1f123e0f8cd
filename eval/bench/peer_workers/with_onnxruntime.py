"""ONNX Runtime: the torch module exported, sequences of about one length, one session in one or several threads.

int8 is its dynamic quantisation: weights int8 by channel, activations uint8 (U8U8 was a third as fast where this was
written). `fused` is its own optimiser for transformers, where it has the architecture.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import Peer, Texts
from scoring import Scoring


class OnnxRuntime(Peer):
    """The grid has `batch_size`, `streams`, which share the threads, and `fused`."""

    packages = ("onnxruntime", "onnx", "torch", "transformers")

    def __init__(self, checkpoint, dtype, options, pairs):
        super().__init__()
        self.texts, self.threads, self.dtype = Texts(checkpoint, options), options["threads"], dtype
        self.folder, self.fusion = Path(options["folder"]), options["runs"].get("fusion")
        self.files, self.sessions = {}, {}
        self.folder.mkdir()
        self._export(checkpoint, options)

    def _export(self, checkpoint, options):
        import torch

        example = torch.full((2, 8), 5), torch.ones(2, 8, dtype=torch.long)
        names, axes = ["input_ids", "attention_mask"], {0: "sequences", 1: "tokens"}
        # its optimiser finds attention that is written out
        module = Scoring(checkpoint, options, attention="eager" if self.fusion else "sdpa", traced=True).float()
        with torch.no_grad():
            torch.onnx.export(
                module,
                example,
                str(self.folder / "plain.onnx"),
                input_names=names,
                output_names=["scores"],
                dynamic_axes=dict.fromkeys(names, axes),
                opset_version=17,
                dynamo=False,
            )

    def _file(self, fused):
        from onnxruntime.quantization import QuantType, quantize_dynamic

        file = self.folder / "plain.onnx"
        if fused:
            from onnxruntime.transformers import optimizer

            file, plain = self.folder / "fused.onnx", file
            optimizer.optimize_model(str(plain), **self.fusion).save_model_to_file(str(file))
        if self.dtype == "int8":
            file, whole = file.with_suffix(".int8.onnx"), file
            quantize_dynamic(
                whole,
                file,
                per_channel=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm", "Attention"],
                extra_options={"DefaultTensorType": 1},  # float32, where fused operators state no type
            )
        return file

    def prepare(self, point):
        """See `Peer.prepare`."""
        import onnxruntime

        super().prepare(point)
        key = point["streams"], point.get("fused", False)
        if key not in self.sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = max(1, self.threads // point["streams"])
            if key[1] not in self.files:
                self.files[key[1]] = str(self._file(key[1]))
            providers = ["CPUExecutionProvider"]
            self.sessions[key] = onnxruntime.InferenceSession(self.files[key[1]], options, providers=providers)

    def score(self, pairs):
        """See `Peer.score`."""
        values, session = [0.0] * len(pairs), self.sessions[self.point["streams"], self.point.get("fused", False)]

        def run(batch):
            indices, ids, mask = batch
            self.saw(mask)
            (scores,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
            for index, value in zip(indices, scores.ravel().tolist()):
                values[index] = value

        with ThreadPoolExecutor(self.point["streams"]) as pool:
            list(pool.map(run, self.texts.batches(pairs, self.point["batch_size"])))
        return values


def load(checkpoint, dtype, options, pairs):
    """Load the peer with its model."""
    return OnnxRuntime(checkpoint, dtype, options, pairs)
