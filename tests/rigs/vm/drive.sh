# shellcheck shell=bash
# Running scenarios in a virtual machine and judging them, for the scripts that test with one.
# Sourced after lib.sh, never run. They set $scenes, the folder with guest/ and scenarios/, and $run,
# the folder of this run, and define boot_machine SECONDS, which boots it (boot.sh's exit codes),
# and new_machine, which makes it as at the start.
# shellcheck disable=SC2154 # the scripts that source this set them

boot_s=60 # for the kernel and the share, on a busy machine

# choose NAME...: sets $names to the scenarios, all of them when none is named.
choose() {
    local name
    names=()
    for name in "$@"; do
        [ -e "$scenes/scenarios/$name.sh" ] || die "no scenario '$name' in ${scenes#"$root/"}/scenarios"
        names+=("$name")
    done
    if [ ${#names[@]} -eq 0 ]; then
        for name in "$scenes"/scenarios/*.sh; do names+=("$(basename "$name" .sh)"); done
    fi
}

# lay_out: the share of a new run.
lay_out() {
    local name
    rm -rf "$run"
    mkdir -p "$run/share/out"
    for name in "${names[@]}"; do mkdir "$run/share/out/$name"; done
    # What all guests have, then this rig's own.
    cp -r "$rig/guest" "$scenes/scenarios" "$run/share/"
    cp -r "$scenes/guest" "$run/share/"
}

# limit_of NAME...: the seconds that these scenarios may take together.
limit_of() {
    local name sum=$boot_s
    for name in "$@"; do
        sum=$((sum + 10 + $(sed -n 's/^limit=\([0-9]*\)$/\1/p' "$scenes/scenarios/$name.sh")))
    done
    printf '%s\n' "$sum"
}

# drive NAME...: runs them in the virtual machine. One that takes the machine down with it, or leaves
# it so that the next would suffer, does not keep the others from being run: they get a new one. One
# that had its power cut goes on where it was, on the same disks.
drive() {
    local left=("$@") rc last started fresh=yes
    while [ ${#left[@]} -gt 0 ]; do
        printf '%s\n' "${left[@]}" >"$run/share/list"
        if [ -n "$fresh" ]; then new_machine; fi
        started=$SECONDS rc=0 fresh=yes
        boot_machine "$(limit_of "${left[@]}")" || rc=$?
        cat "$run/console" >>"$run/console.all"
        last=$(tr -d '\r' <"$run/console" | sed -n 's/^CALLREEL-VM scenario //p' | tail -n 1)
        say "  a machine ran for $((SECONDS - started)) s${last:+, the last scenario was $last}"
        if [ $rc -eq 0 ]; then return 0; fi
        if [ $rc -ne 10 ] && [ $rc -ne 20 ]; then stopped $rc "$last"; fi
        while [ "${left[0]}" != "$last" ]; do left=("${left[@]:1}"); done
        if [ $rc -eq 20 ]; then
            fresh=''
            printf 'cut\n' >>"$run/share/out/$last/cuts"
        else
            left=("${left[@]:1}")
        fi
    done
}

# stopped CODE LAST: the machine went down in this scenario.
stopped() {
    warn "the virtual machine stopped (code $1) ${2:+in scenario $2}; its console:"
    tail -n 15 "$run/console" >&2
    [ -n "$2" ] || die "it did not come up; all it said is in $run/console"
    printf 'took the virtual machine down\n' >>"$run/share/out/$2/log"
    rm -f "$run/share/out/$2/rc"
}

# judged NAME: does what the scenario left satisfy its judge?
judged() {
    "$rig/judge.sh" "$scenes" "$1" "$run/share/out/$1" >"$run/share/out/$1/judged" 2>&1
}

# second_try NAME...: an emulated machine in real time stutters when the one it runs on is busy for a
# moment, and so does the sound that is measured. What failed is run once more, by itself; what
# the first run left stays beside it.
second_try() {
    local name poor=()
    for name in "$@"; do
        if judged "$name"; then continue; fi
        say "FAILED  $name, and gets a second try"
        tail -n 5 "$run/share/out/$name/judged" | sed 's/^/          /'
        mv "$run/share/out/$name" "$run/share/out/$name.first"
        mkdir "$run/share/out/$name"
        poor+=("$name")
    done
    for name in ${poor[@]+"${poor[@]}"}; do drive "$name"; done
}

# report NAME...: judges what they left.
report() {
    local name passed=0 failed=0
    stage "What they left"
    second_try "$@"
    for name in "$@"; do
        if judged "$name"; then
            passed=$((passed + 1))
            if [ -e "$run/share/out/$name.first" ]; then name+=", at the second try"; fi
            say "ok      $name"
        else
            failed=$((failed + 1))
            say "FAILED  $name"
            tail -n 12 "$run/share/out/$name/log" | sed 's/^/          /'
            tail -n 5 "$run/share/out/$name/judged" | sed 's/^/          /'
        fi
    done
    say "all they left is in $run/share/out"
    say "$passed passed, $failed failed"
    [ $failed -eq 0 ]
}
