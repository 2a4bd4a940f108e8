"""The cuOpt wire, built at run time from the tables of names and numbers in `tables/`: no .proto, no generated code.

    wire = Wire.load("26.04")
    request = wire.StatusRequest(job_id="...")
    wire.JobStatus.COMPLETED                       # enums are plain namespaces of ints
    rpc = wire.stubs(channel)                      # rpc.CheckStatus(request, timeout=60)
"""

import json
from pathlib import Path
from types import SimpleNamespace

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TABLES = Path(__file__).parent / "tables"
SERVICE = "CuOptRemoteService"

FieldProto = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    "double": FieldProto.TYPE_DOUBLE,
    "float": FieldProto.TYPE_FLOAT,
    "int32": FieldProto.TYPE_INT32,
    "int64": FieldProto.TYPE_INT64,
    "uint32": FieldProto.TYPE_UINT32,
    "uint64": FieldProto.TYPE_UINT64,
    "bool": FieldProto.TYPE_BOOL,
    "string": FieldProto.TYPE_STRING,
    "bytes": FieldProto.TYPE_BYTES,
}


class Wire:
    """One generation of the wire: message classes and enums as attributes, stubs for a channel."""

    def __init__(self, table):
        self.table = table
        self.generation = table["generation"]
        self._package = table["package"]
        self._pool = descriptor_pool.DescriptorPool()
        self._pool.Add(_file(table))
        for name in table["messages"]:
            setattr(self, name, _message_class(self._pool.FindMessageTypeByName(f"{self._package}.{name}")))
        for name, values in table["enums"].items():
            if "." not in name:
                setattr(self, name, SimpleNamespace(**values))

    @classmethod
    def load(cls, name):
        """The wire of one table: "26.04" (G1, what a released 26.04 client speaks) or "next" (after 26.06)."""
        return cls(json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8")))

    def stubs(self, channel):
        """The RPCs of the service as callables on `channel`, each taking (request, timeout=seconds)."""
        stubs = {}
        for name, (request, response, mode) in self.table["services"][SERVICE].items():
            open_call = channel.unary_stream if mode == "stream" else channel.unary_unary
            stubs[name] = open_call(
                f"/{self._package}.{SERVICE}/{name}",
                request_serializer=getattr(self, request).SerializeToString,
                response_deserializer=getattr(self, response).FromString,
            )
        return SimpleNamespace(**stubs)

    def field_type(self, message, field):
        """The table's type of a field: a scalar's name, an enum's or a message's."""
        return self.table["messages"][message][field][1]

    def numbers_of(self, enum):
        """name → number of one enum."""
        return self.table["enums"][enum]


def _message_class(descriptor):
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory().GetPrototype(descriptor)  # protobuf before 4.22


def _file(table):
    package = table["package"]
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.{table['generation']}", package=package, syntax="proto3")
    for name, fields in table["messages"].items():
        _add_message(file.message_type.add(name=name), fields, table)
    for name, values in table["enums"].items():
        owner, _, inner = name.rpartition(".")
        if owner:
            holder = next(message for message in file.message_type if message.name == owner)
            enum = holder.enum_type.add(name=inner)
        else:
            enum = file.enum_type.add(name=name)
        enum.options.allow_alias = name in table["aliased"]
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    return file


def _add_message(message, fields, table):
    groups = []
    for _, _, _, *oneof in fields.values():
        if oneof and oneof[0] not in groups:
            groups.append(oneof[0])
    for group in groups:
        message.oneof_decl.add(name=group)
    for name, (number, kind, label, *oneof) in fields.items():
        field = message.field.add(name=name, number=number)
        if label == "map":
            _set_map_type(field, message, kind, table)
            continue
        field.label = FieldProto.LABEL_REPEATED if label == "repeated" else FieldProto.LABEL_OPTIONAL
        _set_type(field, kind, table)
        if oneof:
            field.oneof_index = groups.index(oneof[0])
        elif label == "optional":
            # Presence of a proto3 scalar is a one-member oneof that stands after the real ones.
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{name}")


def _set_type(field, kind, table):
    if kind in SCALARS:
        field.type = SCALARS[kind]
        return
    field.type = FieldProto.TYPE_ENUM if kind in table["enums"] else FieldProto.TYPE_MESSAGE
    field.type_name = f".{table['package']}.{kind}"


def _set_map_type(field, message, kind, table):
    key, value = kind.removeprefix("map<").removesuffix(">").split(",")
    entry = message.nested_type.add(name="".join(part.title() for part in field.name.split("_")) + "Entry")
    entry.options.map_entry = True
    for number, (name, part) in enumerate((("key", key), ("value", value)), start=1):
        member = entry.field.add(name=name, number=number, label=FieldProto.LABEL_OPTIONAL)
        _set_type(member, part, table)
    field.label = FieldProto.LABEL_REPEATED
    field.type = FieldProto.TYPE_MESSAGE
    field.type_name = f".{table['package']}.{message.name}.{entry.name}"
