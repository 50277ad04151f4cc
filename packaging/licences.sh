#!/usr/bin/env bash
# licences.sh TRIPLE: prints the licences of everything that is linked into the programs for that
# machine: which crate is under what, then every text once, with the crates that carry it. Sources of
# C code that crates bring along (LAME, FDK AAC, Opus) are looked into as well.
set -euo pipefail
# shellcheck source=packaging/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=packaging/crates.sh
. "$root/packaging/crates.sh"

# texts FOLDER: the files of a crate that hold licences or notices.
texts() {
    find "$1" -maxdepth 4 -type f -size -200k -regextype posix-extended \
        -iregex '.*/(licen[cs]e|copying|notice|copyright|unlicense)([-._][^/]*)?' \
        ! -name '*.rs' ! -name '*.c' ! -name '*.h' ! -path '*/target/*' | LC_ALL=C sort
}

main() {
    local name version licence folder file sum scratch
    [ $# -eq 1 ] || die "usage: packaging/licences.sh TRIPLE"
    choose_rust || die "no Rust $(rust_wanted) or newer; run 'make setup'"
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$scratch'" EXIT
    mkdir "$scratch/texts"
    crates "$1" >"$scratch/crates"
    printf 'Callreel %s is under the Apache License 2.0 (file LICENSE). Linked into its programs, and\n' \
        "$(version)"
    printf 'under the licences that are named here and printed below:\n\n'
    while IFS='|' read -r name version licence folder; do
        printf '  %s %s: %s\n' "$name" "$version" "$licence"
        while read -r file; do
            sum=$(sha256sum "$file" | cut -d ' ' -f 1)
            [ -e "$scratch/texts/$sum" ] || cp "$file" "$scratch/texts/$sum"
            printf '%s %s (%s)\n' "$name" "$version" "${file#"$folder"/}" >>"$scratch/texts/$sum.of"
        done < <(texts "$folder")
        if ! grep -qsF "$name $version (" "$scratch"/texts/*.of; then
            printf '    (brings no text of its own; the texts of that name below are meant)\n'
        fi
    done <"$scratch/crates"
    printf "  Rust's standard library: MIT OR Apache-2.0\n"
    # In the order of the first crate that has the text, so that the output is always the same.
    for file in "$scratch"/texts/*.of; do
        printf '%s\t%s\n' "$(head -n 1 "$file")" "${file%.of}"
    done | LC_ALL=C sort | while IFS=$'\t' read -r _ file; do
        printf '\n%s\n' '------------------------------------------------------------------------'
        sed 's/^/  /' "$file.of"
        printf '\n'
        iconv -f UTF-8 -t UTF-8 "$file" 2>/dev/null || iconv -f ISO-8859-1 -t UTF-8 "$file"
    done | sed 's/\r$//'
}

main "$@"
