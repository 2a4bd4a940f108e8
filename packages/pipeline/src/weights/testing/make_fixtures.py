# Writes the fixtures of this folder with torch (2.13 was used) and safetensors; run from this folder.
from collections import OrderedDict

import torch
from safetensors.torch import save_file

dtypes = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
rare = ["uint16", "uint32", "uint64"]


def tensor(name):
    values = [0, 1, 2, 3, 100, 127]
    return torch.tensor(values, dtype=torch.int64).to(getattr(torch, name)).reshape(2, 3)


state = OrderedDict((name, tensor(name)) for name in dtypes + rare)
state["special"] = torch.tensor([float("nan"), float("inf"), -0.0, 1.0e-45], dtype=torch.float32)
metadata = {
    "name": "all dtypes", "tags": ["a", "b"], "pair": (1, -2, 300, 70000, 2**40, -(2**62)), "triple": (1, 2, 3),
    "scale": 0.5, "none": None, "yes": True, "no": False, "text": "Grüße \u6ce2\u9577", "nested": {"k": [1, [2]]}, 7: "seven",
}
torch.save({"state_dict": {"node": state, "node-1": OrderedDict()}, "metadata": metadata}, "dtypes.pt")

base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
views = OrderedDict(
    base=base, transposed=base.t(), part=base[1:3, 1::2], row=base[2], scalar=base[3, 5], expanded=base[:1].expand(3, 6),
    empty=base[:0],
)
torch.save({"state_dict": {"views": views}}, "views.pt")

torch.save(torch.nn.Linear(2, 2), "module.pt")
save_file({"n.a": torch.arange(6, dtype=torch.float32).reshape(2, 3), "n.b": torch.tensor([True, False])}, "plain.safetensors")
