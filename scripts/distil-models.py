#!/usr/bin/env python3
"""Distils the public model list of models.dev into data/models.json: what each model cannot do, and its limits.

    scripts/distil-models.py API_JSON SNAPSHOT_DATE > data/models.json

API_JSON is a file of the shape of https://models.dev/api.json (repository anomalyco/models.dev, MIT licence);
SNAPSHOT_DATE is the day on which it was taken, as 2026-07-02. Needs Python 3 and nothing else.

The rule for everything here: what is not known for certain is left out, because a wrong "cannot" keeps a deployment
from calls that it would have served, while a missing one costs a failed attempt at worst.
"""

import json
import re
import sys


# They pass on to others, and leave out themselves what a model does not take.
GATEWAYS = {"openrouter", "vercel"}


# They offer Claude in Anthropic's dialect or Converse, which have words for the beginning of an answer.
CLAUDES = {"anthropic", "amazon-bedrock", "google-vertex-anthropic"}


def lacks(vendor, model):
    """The capabilities, in the words of the config's `lacks`, that the model is known not to have."""
    takes, gives = model["modalities"]["input"], model["modalities"]["output"]
    found = []
    if model.get("tool_call") is False:
        found.append("tools")
    if "image" not in takes:
        found.append("images")
        # models that see images read documents at most vendors, whether the list says "pdf" or not
        if "pdf" not in takes:
            found.append("documents")
    if "audio" not in takes and "audio" not in gives:
        found.append("audio")
    if model.get("structured_output") is False:
        found.append("json_schema")
    if vendor not in GATEWAYS:
        if model.get("reasoning") is False:
            found.append("reasoning")
        if model.get("temperature") is False and not thinks_on_demand(model):
            found.append("temperature")
    if vendor in CLAUDES and is_newer_claude(model["id"]):
        found.append("prefill")
    return found


def is_newer_claude(name):
    """Claude 4.6 and all later ones refuse a beginning of their answer with 400 (Anthropic's migration guide)."""
    version = re.search(r"claude-[a-z]+-(\d+)(?:-(\d{1,2})(?!\d))?", name)
    return version is not None and (int(version[1]), int(version[2] or 0)) >= (4, 6)


def thinks_on_demand(model):
    """Whether thinking can be off: then sampling is free, although the list says that temperature is not taken."""
    options = model.get("reasoning_options") or []
    return any("none" in option.get("values", []) for option in options)


def distilled(vendor, model):
    limits = {name: tokens for name, tokens in sorted(model.get("limit", {}).items()) if tokens}
    return {**limits, "lacks": lacks(vendor, model)}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        vendors = json.load(file)
    print("{")
    print(' "source": "https://models.dev/api.json, repository anomalyco/models.dev",')
    print(' "licence": "MIT",')
    print(f' "snapshot": {json.dumps(sys.argv[2])},')
    print(' "vendors": {')
    for place, name in enumerate(sorted(vendors)):
        models = vendors[name]["models"]
        answering = [key for key in sorted(models) if "text" in models[key]["modalities"]["output"]]
        print(f"  {json.dumps(name)}: {{")
        for index, key in enumerate(answering):
            line = json.dumps(distilled(name, models[key]), separators=(",", ":"))
            print(f"   {json.dumps(key)}:{line}{',' if index + 1 < len(answering) else ''}")
        print("  }" + ("," if place + 1 < len(vendors) else ""))
    print(" }")
    print("}")


if __name__ == "__main__":
    main()
