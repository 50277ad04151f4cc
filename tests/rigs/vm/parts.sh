# shellcheck shell=bash
# The parts that virtual machines are made of: each is a folder of the cache, named by a hash of
# what makes it, so it is made once and then needs no network. Sourced after lib.sh, never run.

# part NAME SCRIPT ARG...: the folder of a part, made by SCRIPT ARG... FOLDER if it is missing. The
# part's kind, up to the first '-', is what the cache calls it; $cache is where it lies.
part() {
    local folder=${cache:?}/$1 script=$2 started=$SECONDS
    shift 2
    if [ ! -d "$folder" ]; then
        rm -rf "$folder.part"
        # Compilers and package tools talk much; it matters when they fail.
        "$script" "$@" "$folder.part" >"$cache/build.log" 2>&1 || {
            tail -n 30 "$cache/build.log" >&2
            rm -rf "$folder.part"
            die "$(basename "$script") failed; all it said is in $cache/build.log"
        }
        mv "$folder.part" "$folder"
        say "  made in $((SECONDS - started)) s: $(basename "$folder")" >&2
    fi
    printf '%s\n' "$folder"
}

# remove_others KINDS NAME...: removes the parts of these kinds (a pattern) that no script makes any
# more: all but the named.
remove_others() {
    local kinds=$1 old
    shift
    for old in "$cache"/*; do
        case " $* " in *" ${old##*/} "*) continue ;; esac
        # shellcheck disable=SC2053 # a pattern is meant
        if [[ ${old##*/} == $kinds ]]; then rm -rf "$old"; fi
    done
}

# modules KERNEL MODULE...: the files of these modules and of all that they need, in the order in
# which they can be loaded.
modules() {
    local kernel=$1
    shift
    modprobe -d "$kernel/modules" -S "$(cat "$kernel/version")" --show-depends -a "$@" |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# modules_into KERNEL ROOT MODULE...: copies these modules, and all that they need, into a file
# system. Of Debian's modules it then holds only those that are used.
modules_into() {
    local kernel=$1 base=$2 version module
    version=$(cat "$kernel/version")
    shift 2
    mkdir -p "$base/lib/modules/$version"
    cp "$kernel/modules/lib/modules/$version"/modules.{builtin*,order} "$base/lib/modules/$version/"
    depmod -b "$kernel/modules" "$version"
    modules "$kernel" "$@" | while read -r module; do
        install -D -m 644 "$module" "$base/lib/modules/$version/${module#*"/modules/$version/"}"
    done
}
