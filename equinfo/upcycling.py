"""Sparse upcycling: a dense LM's MLPs, copied, become experts (Komatsuzaki et al. 2023)."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from equinfo.artifacts import Artifact, load_artifact
from equinfo.errors import EquinfoError, naming_files, needing
from equinfo.files import atomic_folder, check_empty, target
from equinfo.lm.config import MLP, DecoderConfig, TrainConfig
from equinfo.tokenizers.registry import KEPT


@naming_files()
def upcycle(
    lm: Path | str,
    out: Path | str,
    *,
    experts: int = 8,
    experts_per_token: int = 2,
    expert_capacity: float = 2.0,
    seed: int = 0,
    overwrite: bool = False,
) -> DecoderConfig:
    """Write, in folder `out`, the LM in folder `lm` with experts in every other block.

    Each expert is a copy of the block's MLP, and the weights by which a position takes some of them
    sum to 1: all that the LM predicts stays what it was, to float32's rounding, until it is trained
    on (train_lm(start=out)). seed: of the routers' first weights. The optimiser's state, where the
    training kept it, goes along, copied as the weights are. Returns the new LM's configuration.
    Raises EquinfoError for an LM that has experts already, and experts that do not divide its
    choices.
    """
    with needing("lm", "a language model"):
        from equinfo.lm.decoder import Decoder
        from equinfo.lm.train import (
            OPTIMIZER,
            kept_optimizer,
            load_lm,
            load_train_config,
            weights_hash,
        )
    out = target(out)
    check_empty(out, overwrite)
    trained = load_train_config(lm)
    if not isinstance(trained, TrainConfig):
        raise EquinfoError(f"{lm} is what transformers saved: name the training that it came from")
    if trained.model.experts > 1:
        raise EquinfoError(f"the LM in {lm} has {trained.model.experts} experts already")
    if experts < 2:
        raise EquinfoError(f"experts is {experts}: it must be 2 or more")
    model = replace(
        trained.model,
        experts=experts,
        experts_per_token=experts_per_token,
        expert_capacity=expert_capacity,
    )
    config = replace(trained, model=model)
    load_lm(lm)  # or an EquinfoError that says what is wrong with it
    kept = load_artifact(Path(lm) / "weights")
    weights = _copied(kept.tensors, model)
    names = [f"blocks.{number}.experts.router.weight" for number in model.routed_blocks]
    drawn = Decoder(model).initialise(seed).state_dict()
    weights |= {name: drawn[name].numpy() for name in names}
    with atomic_folder(out, overwrite) as beside:
        if (Path(lm) / KEPT).is_dir():
            shutil.copytree(Path(lm) / KEPT, beside / KEPT)
        if (Path(lm) / OPTIMIZER).is_dir():
            moments = _copied(kept_optimizer(lm), model)
            told = {"step": kept.config["result"]["steps"]}
            Artifact(OPTIMIZER, told, moments).save(beside / OPTIMIZER)
        # no training from nothing has these weights
        identity = {"config": config.to_dict(), "initial": weights_hash(weights)}
        Artifact("lm", {**kept.config, **identity}, weights).save(beside / "weights")
    return model


def _copied(tensors: Mapping[str, np.ndarray], model: DecoderConfig) -> dict[str, np.ndarray]:
    """What belongs to an MLP of a routed block, once for each expert; all else as it is.

    tensors: weights by their names, or moments, whose names go on with that of the moment.
    """
    mlps = {
        f"blocks.{number}.{name}.weight": f"blocks.{number}.experts.{name}"
        for number in model.routed_blocks
        for name in MLP
    }
    found = {}
    for name, tensor in tensors.items():
        weight, dot, moment = name.partition(".weight")
        mlp = mlps.get(weight + dot)
        each = tensor.ndim >= 2  # and not a count of steps
        copies = np.repeat(tensor[None], model.experts, 0) if mlp and each else tensor
        found[(mlp or weight + dot) + moment] = copies
    return found
