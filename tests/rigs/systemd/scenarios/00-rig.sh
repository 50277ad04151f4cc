# shellcheck shell=bash disable=SC2034,SC2154 # run by guest/scenario.sh
# The rig itself, without Callreel: sound that counts passes the loopback card without a loss, and
# what it says of its place is so; recordings have a disk of their own.
limit=60

drive() {
    arecord -q -D hw:Loopback,1,7 -f S16_LE -r 8000 -c 1 --buffer-time=500000 -d 6 "$out/heard.wav" &
    count 7
    wait_counted 7 3000
    counted 7 >"$out/at.txt"
    wait %1
    findmnt -n -o SOURCE,FSTYPE "$data" >"$out/disk.txt"
    aplay --version >"$out/versions.txt"
    uname -srm >>"$out/versions.txt"
    systemctl --version | head -n 1 >>"$out/versions.txt"
}

judge() {
    whole heard.wav 4000
    [ "$(cat at.txt)" -ge 300 ] && [ "$(cat at.txt)" -lt 600 ]
    grep -q '/dev/vdb *ext4' disk.txt
    cat versions.txt
}
