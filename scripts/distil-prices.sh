#!/bin/sh
# Distils two public price lists into data/prices.toml, the price book that ships with the program.
#
#     scripts/distil-prices.sh LITELLM_JSON API_JSON DATE
#
# LITELLM_JSON is a file of the shape of LiteLLM's model_prices_and_context_window.json (repository BerriAI/litellm, MIT
# licence), API_JSON one of the shape of https://models.dev/api.json (repository anomalyco/models.dev, MIT licence). What the
# first has no price for is taken from the second. DATE is the day of the first, as 2026-10-27.
set -eu
[ $# -eq 3 ] || { sed -n '2,9p' "$0" >&2; exit 2; }
cd "$(dirname "$0")/.."
cargo run --quiet -- prices import "$1" "$2" --as-of "$3" > data/prices.toml.part
mv data/prices.toml.part data/prices.toml
