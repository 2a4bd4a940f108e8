# Reads written.pt with torch and compares it with the sample that it was made of; run from this folder.
import torch

file = torch.load("written.pt", weights_only=True)
state, metadata = file["state_dict"], file["metadata"]
assert list(state) == ["all", "stateless", "x-1"] and len(state["stateless"]) == 0
for name, tensor in state["all"].items():
    assert str(tensor.dtype) == f"torch.{name}" and tuple(tensor.shape) == (2, 3) and tensor.is_contiguous(), name
    if name in ("float16", "bfloat16"):
        assert tensor.view(torch.int16).flatten().tolist() == [0, 77, 0, 77, 77, 0], name
    else:
        one = True if name == "bool" else 77
        assert tensor.flatten().tolist() == [one * v for v in [0, 1, 0, 1, 1, 0]], name
assert state["x-1"]["scalar"].shape == () and state["x-1"]["scalar"].item() == torch.tensor(0.98993802).item()
assert state["x-1"]["empty"].shape == (0, 0)
bits = state["x-1"]["net.fc1.weight"].view(torch.int32).tolist()
assert [b & 0xFFFFFFFF for b in bits] == [0x7FC12345, 0x80000000, 1, 0x7F800000], bits
assert metadata["numbers"][:7] == [0, 255, 256, -1, 2**31, -(2**40), 0.5] and str(metadata["numbers"][7]) == "-0.0"
assert metadata["name"] == "sample Ü" and metadata["tags"] == ["a", "b"] and metadata["map"] == {"k": 1}
assert metadata["none"] is None and metadata["yes"] is True and metadata["no"] is False
print("written.pt holds")
