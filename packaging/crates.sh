# shellcheck shell=bash
# Which crates are in the programs. Sourced after lib.sh, never run.
# shellcheck source=packaging/targets.sh
. "${root:?}/packaging/targets.sh"

# crates TRIPLE: a line for each crate of others that is linked into the programs for that machine:
# name, version, licence, folder, parted by '|' and sorted.
crates() {
    local name version licence folder
    declare -A folders
    while IFS='|' read -r name version folder; do
        folders[$name $version]=$folder
    done < <(metadata "$1" | jq -r '.packages[]
        | "\(.name)|\(.version)|\(.manifest_path | rtrimstr("/Cargo.toml"))"')
    (cd "$root" && cargo tree --locked --quiet -p callreel-daemon -e normal,no-proc-macro \
        --target "$1" --prefix none --no-dedupe -f '{p}|{l}') |
        grep -v '(/' | sed 's/^\([^ ]*\) v\([^|]*\)|/\1|\2|/; s/ *(\*)$//' | LC_ALL=C sort -u |
        while IFS='|' read -r name version licence; do
            printf '%s|%s|%s|%s\n' "$name" "$version" "${licence//\// OR }" \
                "${folders[$name $version]}"
        done
}

# metadata TRIPLE: what cargo knows of all crates, for that machine.
metadata() {
    (cd "$root" && cargo metadata --locked --quiet --format-version 1 --filter-platform "$1")
}
