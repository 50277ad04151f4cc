# A CycloneDX document of: $metadata (cargo metadata), $linked (crates in the programs), $checksums
# (of the lock file), $debs (Debian packages), $version, $arch, $rustc, $date (seconds).

# C libraries that are compiled in from the sources that a crate brings along, by the crate's version:
# another one has to be looked at.
def vendored: {
    "mp3lame-sys 0.1.11": {name: "lame", version: "3.100", licence: "LGPL-2.0-or-later",
        cpe: "cpe:2.3:a:lame_project:lame:3.100:*:*:*:*:*:*:*"},
    "fdk-aac-sys 0.5.0": {name: "fdk-aac", version: "4.0.1", licence: "FDK-AAC"},
    "opusic-sys 0.7.7": {name: "opus", version: "1.6.1", licence: "BSD-3-Clause",
        cpe: "cpe:2.3:a:opus-codec:opus:1.6.1:*:*:*:*:*:*:*"}
};
def vendored_of: "\(.name) \(.version)" as $key | vendored[$key]
    // (if .name | IN("mp3lame-sys", "fdk-aac-sys", "opusic-sys")
        then error("\($key): which version of its C library is it? packaging/offline/sbom.jq has to say") else null end);

# Characters of a Debian version that have a meaning in a package URL.
def url: gsub("%"; "%25") | gsub("\\+"; "%2B") | gsub("~"; "~") | gsub(":"; "%3A");

def crate_ref: "pkg:cargo/\(.name)@\(.version | url)";
def deb_ref: "pkg:deb/debian/\(.name | url)@\(.version | url)?arch=\(.arch)&distro=debian-12";

def licence: if test("^[A-Za-z0-9.-]+$") then [{license: {id: .}}] else [{expression: .}] end;

def crate: . as $crate | {
    type: "library", "bom-ref": crate_ref, name, version, scope: "required",
    purl: crate_ref, licenses: [{expression: .licence}],
    hashes: ([$checksums[0]["\(.name) \(.version)"] | select(.) | {alg: "SHA-256", content: .}])
} + (vendored_of | if . then {components: [({
    type: "library", "bom-ref": "\($crate | crate_ref)#\(.name)", name, version,
    licenses: (.licence | licence)
} + if .cpe then {cpe} else {} end)]} else {} end);

def deb: {
    type: (if .name == "callreel" then "application" else "library" end), "bom-ref": deb_ref,
    name, version, scope: "required", purl: deb_ref, publisher: .maintainer,
    hashes: [{alg: "SHA-256", content: .sha256}]
};

($linked[0]) as $crates
| ($crates | map({key: crate_ref, value: true}) | from_entries) as $known
| ($metadata[0].packages | map({key: .id, value: crate_ref}) | from_entries) as $ref
| ($metadata[0].resolve.nodes | map({key: $ref[.id],
    value: [.deps[] | select(any(.dep_kinds[]; .kind == null)) | $ref[.pkg] | select($known[.])]})
    | from_entries) as $needs
| ($debs[0] | map({key: .name, value: deb_ref}) | from_entries) as $deb
| "pkg:generic/callreel@\($version)" as $self
| "pkg:generic/rust-std@\($rustc)" as $std
| {
    "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX", specVersion: "1.6", version: 1,
    metadata: {
        timestamp: ($date | todate),
        component: {type: "application", "bom-ref": $self, name: "callreel", version: $version,
            purl: "\($self)?arch=\($arch)", licenses: [{license: {id: "Apache-2.0"}}]}
    },
    components: (
        [$crates[] | crate]
        + [{type: "library", "bom-ref": $std, name: "rust-std", version: $rustc, scope: "required",
            licenses: [{expression: "MIT OR Apache-2.0"}]}]
        + [$debs[0][] | deb]),
    dependencies: (
        [{ref: $self, dependsOn: (
            [$metadata[0].packages[] | select(.source == null) | .dependencies[] | select(.kind == null) | .name]
            as $direct | ([$crates[] | select(.name as $n | $direct | index($n)) | crate_ref] + [$std]
            + [$debs[0][] | select(.name == "callreel") | deb_ref]) | unique)}]
        + [$crates[] | crate_ref as $r | {ref: $r, dependsOn: (($needs[$r] // []) | unique)}]
        + [$debs[0][] | {ref: deb_ref, dependsOn: ([(.depends // "") | splits(", *")
            | sub("[ :(|].*$"; "") | $deb[.] | select(.)] | unique)}])
}
