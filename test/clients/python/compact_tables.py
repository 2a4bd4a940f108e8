"""Writes the compact copies of the wire tables that `wire.py` reads.

    python3 compact_tables.py cuopt-wire.json tables/26.04.json
    python3 compact_tables.py cuopt-wire-next.json tables/next.json

A field becomes `name: [number, type, label]`, with the oneof group as a fourth entry where it has one; a map field's
type reads `map<key,value>`. An RPC becomes `name: [request, response, "unary" or "stream"]`.
"""

import json
import sys


def compact_field(field):
    """One field of the long table as a short list."""
    kind = field["type"]
    if field["label"] == "map":
        kind = f"map<{field['mapKey']},{field['mapValue']}>"
    short = [field["number"], kind, field["label"]]
    if "oneof" in field:
        short.append(field["oneof"])
    return short


def compact(table):
    """The facts of the long table that a client needs: numbers, types, labels and paths."""
    return {
        "generation": table["meta"]["generation"],
        "package": table["package"],
        "services": {
            service: {
                name: [rpc["request"], rpc["response"], "stream" if rpc["serverStreaming"] else "unary"]
                for name, rpc in rpcs.items()
            }
            for service, rpcs in table["services"].items()
        },
        "messages": {
            name: {field["name"]: compact_field(field) for field in message["fields"]}
            for name, message in table["messages"].items()
        },
        "enums": table["enums"],
        "aliased": sorted(name for name, options in table.get("enumOptions", {}).items() if options.get("allowAlias")),
    }


def dump(table):
    """JSON with one message, enum or RPC per line, so that a change of the wire reads as a change of a line."""
    lines = ["{"]
    for key, value in table.items():
        if key in ("messages", "enums"):
            lines.append(f" {json.dumps(key)}: {{")
            lines.append(",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items()))
            lines.append(" },")
        elif key == "services":
            lines.append(f" {json.dumps(key)}: {{")
            for service, rpcs in value.items():
                lines.append(f"  {json.dumps(service)}: {{")
                lines.append(",\n".join(f"   {json.dumps(name)}: {json.dumps(rpc)}" for name, rpc in rpcs.items()))
                lines.append("  }")
            lines.append(" },")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)},")
    lines[-1] = lines[-1].rstrip(",")
    lines.append("}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    source, target = sys.argv[1:3]
    with open(source, encoding="utf-8") as file:
        short = compact(json.load(file))
    with open(target, "w", encoding="utf-8") as file:
        file.write(dump(short))
