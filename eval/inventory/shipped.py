"""What comes with the package, as plain values: models, datasets, experiments, published tables, prompts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, get_args

from ...configs import CONFIGS, read
from ...rerankers.custom import plugins
from ...rerankers.options import Task
from ...rerankers.registry import families as known_families
from ...rerankers.registry import family_of, find_spec, load_spec, shape_of
from ...rerankers.spec import ModelSpec, list_models


def models() -> list[dict[str, Any]]:
    """Return models by name, with the settings that they can be run under; then those that other packages register."""
    return [_describe_model(load_spec(name)) for name in list_models()] + [
        _describe_model(find_spec(name)) for name in sorted(plugins())
    ]


def _describe_model(spec: ModelSpec) -> dict[str, Any]:
    keys = ("name", "family", "source", "revision", "max_length", "parameters", "download_bytes")
    about = ("license", "trained_on", "sources", "note")
    return {
        **{key: getattr(spec, key) for key in keys},
        "options": family_of(spec).choose(spec).model_dump(),
        "settings": settings_of(spec),
        **{key: getattr(spec, key) for key in about},
    }


def settings_of(spec: ModelSpec) -> str:
    """Return the settings of a model in words: `full`, `L8 to L40`, `L8 to L42, rN@layers`."""
    shape = shape_of(spec)
    return shape.settings if shape else "full"


def families() -> list[dict[str, Any]]:
    """Return families by name: what each scores by, the model types that it runs, whether prompted, and its models."""
    specs = [load_spec(name) for name in list_models()]
    return [
        {
            "name": name,
            "score": family.score,
            "model_types": list(family.architectures),
            "prompted": family.prompted,
            "options": {
                option: {
                    "type": _describe_type(field.annotation),
                    "default": field.get_default(call_default_factory=True),
                    "description": field.description,
                }
                for option, field in family.options.model_fields.items()
            },
            "models": [spec.name for spec in specs if spec.family == name],
        }
        for name, family in known_families().items()
    ]


def keys() -> list[dict[str, Any]]:
    """Return model types: the keys of their `config.json` that are obeyed, those without effect, and their families."""
    rows: dict[str, dict[str, Any]] = {}
    reader: Any
    for name, family in known_families().items():
        for kind, reader in family.architectures.items():
            if not hasattr(reader, "obeyed"):  # of another package, which reads as it likes
                continue
            row = {"name": kind, "families": [], "obeyed": reader.obeyed, "without_effect": reader.without_effect}
            rows.setdefault(kind, row)["families"].append(name)
    return list(rows.values())


def _describe_type(annotation: Any) -> str:
    """Return the choices of an option, else the name of its type."""
    choices = [part for part in get_args(annotation) if isinstance(part, str)]
    return " or ".join(choices) or getattr(annotation, "__name__", str(annotation)).replace("typing.", "")


def datasets() -> list[dict[str, Any]]:
    """Return datasets by name, with their published sizes."""
    from ..data import list_datasets

    return [{"name": info.name, **asdict(info.policy)} for info in list_datasets()]


def experiments() -> list[dict[str, Any]]:
    """Return experiments by name, with how many datasets and variants they have."""
    from ..experiment.file import list_experiments, load_experiment

    rows = []
    for name in list_experiments():
        experiment = load_experiment(name)
        variants = experiment.variants()
        rows.append(
            {
                "name": name,
                "datasets": list(experiment.datasets),
                "models": [entry.label for entry in variants],
                "variants": sum(map(len, variants.values())),
            }
        )
    return rows


def published() -> list[dict[str, Any]]:
    """Return published tables by name, with their sources."""
    from ..published import list_published, load_published

    tables = map(load_published, list_published())
    return [
        {
            "name": table.name,
            "columns": len(table.columns),
            "rows": len(table.rows),
            "title": table.title,
            "source": table.source.title,
        }
        for table in tables
    ]


def prompts() -> list[dict[str, Any]]:
    """Return prompts by name."""
    raw = read(CONFIGS / "prompts.yaml")
    return [{"name": name, "text": text} for name, text in raw.items()]


def metrics() -> list[dict[str, Any]]:
    """Return measures by name, with the spellings that lead to them, and their names in trec_eval."""
    from ..metrics.measures import MEASURES

    return [
        {
            "name": measure.spellings,
            "also": list(measure.aliases),
            "trec_eval": [name for name in (measure.trec, measure.trec_cut.format("k")) if name],
            "parameters": {p.name: p.default for p in measure.parameters},
        }
        for measure in MEASURES.values()
    ]


def retrievers() -> list[dict[str, Any]]:
    """Return first stages by name: bm25, and the dense ones."""
    from ...configs import names
    from ..first_stage.retriever import BM25, load_retriever

    keys = ("name", "pooling", "passage_max_length", "download_bytes", "source", "revision", "license", "note")
    bm25 = {**dict.fromkeys(keys), "name": BM25, "source": "bm25s, in this process"}
    dense = [load_retriever(name) for name in names("retrievers")]
    return [bm25, *({key: getattr(spec, key) for key in keys} for spec in dense)]


def candidates() -> list[dict[str, Any]]:
    """Return lists of candidates that publishers fixed, by name."""
    from ..first_stage import list_candidates, load_lists

    shipped = [load_lists(name) for name in list_candidates()]
    return [{**lists.model_dump(exclude={"datasets"}), "datasets": list(lists.datasets)} for lists in shipped]


def tasks() -> list[dict[str, Any]]:
    """Return tasks, with the datasets that have them, and the models that have a wording for them."""
    from ..data import list_datasets

    datasets, specs = list_datasets(), [load_spec(name) for name in list_models()]
    return [
        {
            "name": task,
            "datasets": [info.name for info in datasets if info.policy.task == task],
            "models": [spec.name for spec in specs if task in spec.options.get("wording", {})],
        }
        for task in get_args(Task)
    ]
