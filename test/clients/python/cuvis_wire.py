"""The pipeline service's wire, built at run time from its table of names and numbers: no .proto, no generated code.

    wire = CuvisWire.load()
    rpc = wire.stubs(channel)                      # rpc.CreateSession(wire.CreateSessionRequest(), timeout=60)
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from wire import Wire

TABLE = Path(__file__).resolve().parents[3] / "packages" / "wire" / "testdata" / "cuvis-wire.json"
PACKAGE = "cuvis_ai.v1"
SERVICE = "CuvisAIService"
DTYPES = {
    "float32": "D_TYPE_FLOAT32",
    "float64": "D_TYPE_FLOAT64",
    "int32": "D_TYPE_INT32",
    "int64": "D_TYPE_INT64",
    "uint8": "D_TYPE_UINT8",
    "uint16": "D_TYPE_UINT16",
    "bool": "D_TYPE_BOOL",
}


def _field(text):
    """ "7 map map<string,Tensor> extra_inputs" → ("extra_inputs", [7, "map<string,Tensor>", "map"])."""
    number, label, kind, name, *more = text.split()
    group = [word.removeprefix("oneof=") for word in more if word.startswith("oneof=")]
    return name, [int(number), kind, label, *group]


class CuvisWire(Wire):
    """Message classes and enums as attributes, stubs for a channel."""

    @classmethod
    def load(cls):
        table = json.loads(TABLE.read_text(encoding="utf-8"))
        own = {name: fields for name, fields in table["messages"].items() if not name.startswith("HealthCheck")}
        return cls(
            {
                "generation": "cuvis",
                "package": PACKAGE,
                "messages": {name: dict(map(_field, fields)) for name, fields in own.items()},
                "enums": {name: values for name, values in table["enums"].items() if "." not in name},
                "services": table["services"],
                "aliased": [],
            }
        )

    def stubs(self, channel):
        """The RPCs as callables on `channel`, each taking (request, timeout=seconds); Train gives a stream."""
        stubs = {}
        for name, (request, response, streams, _) in self.table["services"][SERVICE].items():
            open_call = channel.unary_stream if streams else channel.unary_unary
            stubs[name] = open_call(
                f"/{PACKAGE}.{SERVICE}/{name}",
                request_serializer=getattr(self, request).SerializeToString,
                response_deserializer=getattr(self, response).FromString,
            )
        return SimpleNamespace(**stubs)

    def tensor(self, array):
        """A numpy array as a Tensor message."""
        array = np.ascontiguousarray(array)
        dtype = getattr(self.DType, DTYPES[array.dtype.name])
        return self.Tensor(shape=array.shape, dtype=dtype, raw_data=array.tobytes())

    def array(self, tensor):
        """A Tensor message as a numpy array."""
        names = {getattr(self.DType, wire): name for name, wire in DTYPES.items()}
        return np.frombuffer(tensor.raw_data, dtype=names[tensor.dtype]).reshape(tuple(tensor.shape))
