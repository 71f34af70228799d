"""Arguments of transformers' from_pretrained and of devices: what the library takes, what means nothing here, what is refused."""
from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

_WARNED: set[str] = set()

# What the library takes; other keys are values of the model's config.json, as they are in transformers.
_TAKEN = frozenset(("load_in_8bit", "quantization_config", "revision", "cache_dir", "token", "local_files_only", "dtype"))
# Where and how PyTorch keeps and computes a model, which changes no number here.
_PASSED_OVER = frozenset((
    "attn_implementation", "low_cpu_mem_usage", "offload_buffers", "offload_folder", "offload_state_dict", "output_loading_info",
    "resume_download", "trust_remote_code", "use_cache", "use_fast", "use_flash_attention_2", "use_safetensors", "weights_only", "_fast_init"))
# What would change what is loaded, and is not there.
_REFUSED = frozenset((
    "adapter_kwargs", "code_revision", "config", "experts_implementation", "force_download", "from_flax", "from_tf", "generation_config",
    "gguf_file", "ignore_mismatched_sizes", "key_mapping", "load_in_4bit", "max_memory", "mirror", "proxies", "state_dict", "subfolder",
    "tp_plan", "tp_size", "variant"))
_RENAMED = {"torch_dtype": "dtype", "use_auth_token": "token"}
# What load_model takes by itself as well.
MODEL_ARGUMENTS = _TAKEN | _PASSED_OVER | _REFUSED | _RENAMED.keys() | {"device_map"}


def warn_once(message: str, stacklevel: int = 4) -> None:
    """A warning of which once is enough for a program."""
    if message not in _WARNED:
        _WARNED.add(message)
        warnings.warn(message, stacklevel=stacklevel)


def check_device(device: Any, name: str = "device") -> None:
    """There is one device: other names of PyTorch's are accepted with one warning, everything else is an error."""
    if device is None:
        return
    if isinstance(device, Mapping):  # of a device_map
        for one in device.values():
            check_device(one, name)
        return
    kind = "cuda" if isinstance(device, int) else str(device).partition(":")[0]
    if kind in ("cpu", "auto", "balanced", "balanced_low_0", "sequential"):
        return
    if kind not in ("cuda", "mps", "xpu"):
        raise ValueError(f"{name}: {device!r} is no device: expected \"cpu\" (\"cuda\" and \"mps\" are accepted and mean it)")
    warn_once(f"{name} {device!r}: cinseq computes on the CPU", 5)


def _dtype(value: Any) -> Any:
    """The name of torch.float16, numpy.float16 or "float16"."""
    if value is None or isinstance(value, str):
        return value
    return getattr(value, "__name__", None) or str(value).rpartition(".")[2]


def _quantization(where: str, value: Any) -> dict[str, Any]:
    values = value if isinstance(value, Mapping) else value.to_dict() if hasattr(value, "to_dict") else None
    if values is None:
        raise TypeError(f"{where}: quantization_config: expected a BitsAndBytesConfig or a dict, not {type(value).__name__}")
    refuse_4bit(values)
    return {name: one for name, one in values.items() if not name.startswith("_")}


def refuse_4bit(values: Mapping[str, Any]) -> None:
    if values.get("load_in_4bit"):
        raise ValueError("load_in_4bit: cinseq quantises to 8 bits alone; a .gguf file may have fewer")


def _check_name(where: str, name: str) -> None:
    """An option that is not there, or a mistyped one, is not taken for a value of config.json."""
    if name in _REFUSED:
        raise TypeError(f"{where}: {name} is not supported by cinseq")
    import difflib  # here, since importing cinseq is to be quick

    near = difflib.get_close_matches(name, sorted(_TAKEN | _PASSED_OVER | _RENAMED.keys() | {"device_map"}), 1, 0.85)
    if near:
        raise TypeError(f"{where}: there is no {name}: did you mean {near[0]}?")


def model_arguments(given: Mapping[str, Any], where: str = "model_kwargs") -> dict[str, Any]:
    """The library's model_kwargs for from_pretrained's arguments. TypeError: one that is not supported, by name."""
    kept: dict[str, Any] = {}
    for spelled, value in given.items():
        name = _RENAMED.get(spelled, spelled)
        if not isinstance(name, str):
            raise TypeError(f"{where}: expected names, not {name!r}")
        if name == "device_map":
            check_device(value, name)
        elif name == "load_in_4bit" and not value:
            continue
        elif name == "config" and isinstance(getattr(value, "model_kwargs", None), dict):  # cinseq.transformers.AutoConfig's
            kept = value.model_kwargs | kept
        elif name == "dtype":
            kept[name] = _dtype(value)
        elif name == "quantization_config" and value is not None:
            kept[name] = _quantization(where, value)
        elif name in _TAKEN:
            kept[name] = value
        elif name == "load_in_4bit":
            refuse_4bit(given)
        elif name not in _PASSED_OVER:
            _check_name(where, name)
            kept[name] = value
    return {name: value for name, value in kept.items() if value is not None}
