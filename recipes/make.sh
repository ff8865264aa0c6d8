#!/usr/bin/env bash
# Makes the models that come with minnow, from nothing:
#   recipes/make.sh DATA WORK
# DATA is the folder of texts and labelled sets (recipes/README.md says which), WORK gets everything that is made. A run that was
# interrupted goes on where it was. The same CPU class gives the same files.
set -euo pipefail
recipes="$(cd "$(dirname "$0")" && pwd)"
minnow="${MINNOW:-$recipes/../build/release/minnow}"
data="$(cd "$1" && pwd)"
mkdir -p "$2"
cd "$2"

[ -f data/report.json ] || python3 "$recipes/../tools/triage_data.py" "$data" data
if [ ! -d data/tokenizer ]; then
  "$minnow" tokenizer train data/corpus -o data/tokenizer --vocab-size 4096 --pre-tokenizer minnow \
    --special '<|endoftext|>' --special '<|user|>' --special '<|assistant|>' --added data/tokens.txt
  cp -r data/tokenizer data/tokenizer-triage
  cp "$recipes/chat-template.jinja" data/tokenizer-triage/chat_template.jinja
fi

# train COMMAND NAME: from the newest checkpoint when there is one
train() {
  [ -f "$2-f32.gguf" ] && return
  local resume=
  [ -n "$(ls "$2.run/checkpoints" 2>/dev/null)" ] && resume=--resume
  "$minnow" "$1" --config "$recipes/$2.json" $resume
  [ -f "$2-f32.gguf" ]  # a run that was interrupted has left a checkpoint, and nothing to go on with
}
train pretrain minnow-tiny
train tune minnow-triage

# Rows of all matrices are whole blocks of 256.
quantize() {
  "$minnow" quantize "$1-f32.gguf" "$1.gguf" Q6_K --metadata "general.name=$1" --metadata "general.description=$2" "${@:3}"
}
quantize minnow-tiny "A small base model that continues English texts" --metadata general.license=mit
cp data/tests.json minnow-triage.tests.json  # what was kept out of all of this
quantize minnow-triage "Reads a short message and answers with its intent, sentiment and personal data as JSON" \
  --metadata general.license=cc-by-4.0 --metadata minnow.response_schema=@data/schema.json
