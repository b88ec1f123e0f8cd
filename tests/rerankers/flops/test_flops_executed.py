"""For one pair alone, this project's decoder runs what `useful` counts, and the masked half of its attention."""

from __future__ import annotations

import pytest
from decoder_goldens import MODELS, groups, model, pairs
from rerankbench.rerankers.flops import reference, stretches, useful
from rerankbench.rerankers.options import TextOptions
from rerankbench.rerankers.settings import Setting

SETTINGS = {
    "gemma-s1": [Setting()],
    "minicpm-layerwise-s1": [Setting(3), Setting()],
    "gemma2-lightweight-s1": [Setting(5), Setting(), Setting(8, 2, (2, 5)), Setting(5, 3, (4,)), Setting(2, 8, (1,))],
}


@pytest.mark.parametrize("name", MODELS)
def test_executed_is_useful_plus_masked_products(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = model(name)
    monkeypatch.setattr(reranker, "share_prefix", False)  # sharing also skips masked products of the prefix
    shape = reranker.shape
    for setting in SETTINGS[name]:
        for pair in pairs()[:4]:
            scored = reranker.score(groups([pair]), [setting], TextOptions(max_length=96))
            lengths = (scored.query_tokens, scored.passage_tokens, scored.prompt_tokens)
            runs = [(layers, int(tokens[0])) for layers, tokens in stretches(shape, setting, *lengths)]
            runs[-1] = (runs[-1][0] - 1, runs[-1][1])  # the last layer asks for one position: nothing is masked there
            masked = sum(layers * shape.layer.attention * (s * (s - 1) // 2) for layers, s in runs)
            needed = int(useful(shape, setting, *lengths)[0])
            assert scored.executed.flops == needed + masked, (setting.name, lengths)
            assert scored.executed.flops < reference(shape, setting, *lengths)[0]
