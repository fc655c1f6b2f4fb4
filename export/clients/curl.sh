#!/bin/sh
# Every route with curl. SERVICE is where it listens; KEY an API key where it wants one.
set -eu
SERVICE=${SERVICE:-http://127.0.0.1:8000}

ask() {
    curl --silent --show-error --fail-with-body "$SERVICE$1" \
        --header 'Content-Type: application/json' --header "Authorization: Bearer ${KEY:-none}" --data "$2"
    echo
}

curl --silent --fail-with-body "$SERVICE/health"
echo
ask /embed '{"inputs": ["Habari za asubuhi", "صبح بخیر"]}'
ask /rerank '{"query": "Kituo kiko wapi?", "texts": ["The station is on the left.", "It rained."], "return_text": true}'
[ -z "${CLASSIFIER:-}" ] || ask /predict "{\"model\": \"$CLASSIFIER\", \"inputs\": [[\"Paka amelala.\", \"Mnyama analala.\"]]}"
[ -z "${TAGGER:-}" ] || ask /token-classification "{\"model\": \"$TAGGER\", \"inputs\": \"Amina anaishi Mombasa.\"}"
[ -z "${READER:-}" ] || ask /question-answering "{\"model\": \"$READER\", \"inputs\": {
    \"question\": \"Amina anaishi wapi?\", \"context\": \"Amina anaishi Mombasa.\"}}"
[ -z "${CHOOSER:-}" ] || ask /multiple-choice "{\"model\": \"$CHOOSER\", \"inputs\": {
    \"prompt\": \"Alilala kwenye basi. Nini kilitokea?\", \"choices\": [\"Alipitiliza kituo.\", \"Alinunua tiketi.\"]}}"
