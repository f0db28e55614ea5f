#!/usr/bin/env bash
# Score the shipped weights on the three test sets, beside the other methods' images where there
# are any, and keep the summaries under results/. The reports with pictures stay outside the tree.
#   scripts/score_shipped.sh [SHARED] [REPORTS]
set -euo pipefail
cd "$(dirname "$0")/.."
shared=${1:-../shared}
reports=${2:-/tmp/mma-unet-reports}
models=()
for file in src/mma_unet/weights/*.safetensors; do models+=(--model "$(basename "$file" .safetensors)"); done
for set in roadscene msrs tno; do
  peers=()
  for folder in "$shared/peers/${set}_test"/*/; do
    [ -d "$folder" ] && peers+=(--results "$(basename "$folder")=$folder")
  done
  data="$shared/data/$set/test"
  .venv/bin/mma-unet compare "$data/ir" "$data/vi" "${models[@]}" "${peers[@]}" \
    --title "$set test" --out "$reports/$set"
  cp "$reports/$set/summary.csv" "results/${set}_test.csv"
  grep -E '^(method|small-metric),' "$reports/$set/scores.csv" > "results/${set}_small-metric_scores.csv"
done
