#!/usr/bin/env bash
# demo-speech.sh OUT SECONDS: speaks telephone conversations into a raw file, S16_LE at 8 kHz in
# two channels (left the caller, right the agent), over and over until it is SECONDS long. After
# each conversation five seconds are silent, so that a voice-triggered line sees the call end.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

out=$1 seconds=$2
bytes_per_second=32000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# pause SECONDS: digital silence, appended to the conversation.
pause() {
    sox -q -n -t raw -r 8000 -b 16 -e signed-integer -c 2 - trim 0 "$1" >>"$work/call.raw"
}

# speak VOICE PITCH CHANNELS TEXT: a sentence on one leg, the other leg silent.
speak() {
    espeak-ng -v "$1" -p "$2" -s 165 -a 150 -w "$work/line.wav" -- "$4"
    # shellcheck disable=SC2086 # the two channels are two words
    sox -q "$work/line.wav" -t raw -r 8000 -b 16 -e signed-integer -c 2 - \
        gain -4 rate 8000 gain -n -6 remix $3 >>"$work/call.raw"
    pause 0.35
}

caller() { speak en-us+f3 60 "1 0" "$1"; }
agent() { speak en-gb+m3 40 "0 1" "$1"; }

conversation() {
    : >"$work/call.raw"
    pause 1
    "talk_$1"
    pause 5
    cat "$work/call.raw" >>"$work/all.raw"
}

talk_delivery() {
    agent "Good morning, Harbour Books, how can I help you?"
    caller "Hello. My parcel was due on Monday and it has not come."
    agent "I am sorry. May I have the order number?"
    caller "Four seven one, two two nine."
    agent "It left the depot this morning. You will have it today."
    caller "Wonderful, thank you very much."
}

talk_appointment() {
    agent "City dental practice, good afternoon."
    caller "I would like to move my appointment on Thursday."
    agent "Of course. Is Friday at ten o'clock any good?"
    caller "Friday at ten is perfect."
    agent "Then I have you down for Friday at ten. Goodbye."
    caller "Goodbye."
}

talk_lines() {
    agent "Support desk, you are speaking with Martin."
    caller "Our second telephone line has been dead since last night."
    agent "Let me test it from here. One moment, please."
    pause 1
    agent "I can see the fault. It is the card in slot three."
    caller "Can somebody come and look at it?"
    agent "An engineer will be with you before noon."
}

: >"$work/all.raw"
for name in delivery appointment lines; do
    conversation "$name"
done

wanted=$((seconds * bytes_per_second))
while [ "$(stat -c %s "$work/all.raw")" -lt "$wanted" ]; do
    cat "$work/all.raw" "$work/all.raw" >"$work/twice.raw"
    mv "$work/twice.raw" "$work/all.raw"
done
# Beside its final place first: an interrupted run leaves no half file behind.
head -c "$wanted" "$work/all.raw" >"$out.part"
mv "$out.part" "$out"
