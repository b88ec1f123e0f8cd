"""What a family of rerankers in another package is written with; nothing else of this package is needed for one.

Register the class under the entry-point group `rerankbench.families`; `rerankbench ls families` then lists it.
Importing this module imports no torch.
"""

from __future__ import annotations

from .adapters.base import Reranker
from .adapters.plans import DecoderPlan
from .api import Executed, Group, Prepared, Scored
from .checkpoint.hub import Resolved
from .checkpoint.sentence_transformers import StFolder
from .errors import InputError, ScoreError
from .families.decoder import DecoderFamily, DecoderOptions, FlagOptions, LogitLens
from .families.templated import TemplatedFamily, TemplatedOptions
from .family import Family, FamilyOptions, Tensors
from .flops import LayerCost, Shape
from .models.config import DecoderConfig, decoder_matrices
from .models.output_rows import OutputRows
from .options import LoadOptions, ResolvedText, TextOptions
from .prompting.template import PromptTemplate
from .prompting.text_rules import TextRules
from .settings import Setting
from .spec import ModelSpec
from .tokenization.tokenizer import Tokenizer

__all__ = [
    "DecoderConfig",
    "DecoderFamily",
    "DecoderOptions",
    "DecoderPlan",
    "Executed",
    "Family",
    "FamilyOptions",
    "FlagOptions",
    "Group",
    "InputError",
    "LayerCost",
    "LoadOptions",
    "LogitLens",
    "ModelSpec",
    "OutputRows",
    "Prepared",
    "PromptTemplate",
    "Reranker",
    "Resolved",
    "ResolvedText",
    "ScoreError",
    "Scored",
    "Setting",
    "Shape",
    "StFolder",
    "TemplatedFamily",
    "TemplatedOptions",
    "Tensors",
    "TextOptions",
    "TextRules",
    "Tokenizer",
    "decoder_matrices",
]
