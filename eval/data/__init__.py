"""Datasets: queries, qrels, and a corpus that stays on disk."""

from .dataset import Dataset, DatasetInfo, Policy
from .load import list_datasets, load_dataset, load_policy
from .qrels import read_qrels

__all__ = ["Dataset", "DatasetInfo", "Policy", "list_datasets", "load_dataset", "load_policy", "read_qrels"]
