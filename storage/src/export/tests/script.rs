//! The script in the archive: it tells the same as the library, of the same archives.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::attacks::List;
use super::*;

/// Runs the outcome of many archives in one process.
const MANY: &str = "
import json, os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import verify
key = verify.expected_key(sys.argv[2]) if sys.argv[2] else None
for name in sorted(os.listdir(sys.argv[3])):
    print(json.dumps([name, *verify.outcome(os.path.join(sys.argv[3], name), key)]))
";

fn python(arguments: &[&str]) -> Output {
    let output = Command::new("python3").arg("-B").args(arguments).output();
    output.expect("python3 is there: 'make setup' installs it")
}

fn script(folder: &Path) -> PathBuf {
    let path = folder.join("verify.py");
    std::fs::write(&path, SCRIPT).unwrap();
    path
}

/// What the script says of each archive of a folder: its name, the value, the exit code.
fn outcomes(desk: &Desk, key: &str, archives: &Path) -> Vec<(String, Value, u64)> {
    let place = script(desk.folder.path());
    let place = place.parent().unwrap().to_str().unwrap();
    let output = python(&["-c", MANY, place, key, archives.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| {
            let told: Value = serde_json::from_str(line).unwrap();
            let name = told[0].as_str().unwrap().to_owned();
            (name, told[1].clone(), told[2].as_u64().unwrap())
        })
        .collect()
}

fn public_key(desk: &Desk) -> String {
    let path = desk.path("public.pem");
    std::fs::write(&path, desk.key.public().to_pem()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_script_tells_what_the_library_tells() {
    let list = List::new();
    let key = public_key(&list.desk);
    let archives = scratch();
    for (number, attack) in list.all.iter().enumerate() {
        let path = archives.path().join(format!("{number:04}"));
        std::fs::write(path, &attack.bytes).unwrap();
    }
    let good = list.desk.archive();
    std::fs::write(archives.path().join("good"), &good).unwrap();
    let told = outcomes(&list.desk, &key, archives.path());
    assert_eq!(told.len(), list.all.len() + 1);
    let mut wrong = Vec::new();
    for (attack, (_, value, code)) in list.all.iter().zip(&told) {
        let flaw = verify(
            &attack.bytes[..],
            Some(&list.desk.key.public()),
            &mut |_| (),
        );
        let flaw = flaw.unwrap_err();
        let found = (value["problem"].as_str(), value["member"].as_str());
        let code_wanted = if attack.word == "newer" { 12 } else { 1 };
        if found != (Some(flaw.word()), flaw.member()) || *code != code_wanted {
            wrong.push(format!("{}: {value} instead of {flaw}", attack.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (_, value, code) = told.last().unwrap();
    let report = verify(&good[..], Some(&list.desk.key.public()), &mut |_| ()).unwrap();
    let mut wanted = serde_json::to_value(report).unwrap();
    wanted["ok"] = true.into();
    assert_eq!((value, *code), (&wanted, 0));
}

#[test]
fn the_script_finds_flipped_bits_wherever_they_are() {
    let desk = Desk::new();
    let key = public_key(&desk);
    let archive = desk.archive();
    let archives = scratch();
    for (number, byte) in (0..archive.len()).step_by(397).enumerate() {
        let mut changed = archive.clone();
        changed[byte] ^= 1 << (number % 8);
        std::fs::write(archives.path().join(format!("{byte:06}")), &changed).unwrap();
    }
    for (name, value, code) in outcomes(&desk, &key, archives.path()) {
        let mut changed = archive.clone();
        let byte: usize = name.parse().unwrap();
        changed[byte] ^= 1 << (byte / 397 % 8);
        let flaw = verify(&changed[..], Some(&desk.key.public()), &mut |_| ()).unwrap_err();
        let found = (value["problem"].as_str(), value["member"].as_str());
        assert_eq!(
            (found, code),
            ((Some(flaw.word()), flaw.member()), 1),
            "byte {byte}"
        );
    }
}

#[test]
fn the_scripts_own_blake3_is_blake3() {
    let folder = scratch();
    let place = script(folder.path());
    let lengths = [
        0, 1, 63, 64, 65, 1_023, 1_024, 1_025, 2_048, 2_049, 3_072, 5_000, 31_744, 65_537, 524_287,
        524_288, 524_289, 1_050_000, 1_572_865,
    ];
    let data = sound(1, 1_572_865);
    std::fs::write(folder.path().join("data"), &data).unwrap();
    let program = "
import sys
sys.path.insert(0, sys.argv[1])
import verify
data = open(sys.argv[1] + '/data', 'rb').read()
for length in sys.argv[2].split(','):
    for step in (1 << 30, 70_001):
        hasher = verify.PureBlake3()
        for at in range(0, int(length), step):
            hasher.update(data[at:min(at + step, int(length))])
        print(hasher.hexdigest())
";
    let place = place.parent().unwrap().to_str().unwrap();
    let listed = lengths.map(|length| length.to_string()).join(",");
    let output = python(&["-c", program, place, &listed]);
    let told = String::from_utf8(output.stdout).unwrap();
    let wanted: Vec<_> = lengths
        .iter()
        .flat_map(|length| {
            let hash = blake3::hash(&data[..*length]).to_hex().to_string();
            [hash.clone(), hash]
        })
        .collect();
    assert_eq!(told.lines().collect::<Vec<_>>(), wanted);
}

/// What `README.txt` says can be done by hand, done.
#[test]
fn the_readme_is_right() {
    let desk = Desk::new();
    let archive = desk.path("ARCHIVE.tar");
    std::fs::write(&archive, desk.archive()).unwrap();
    let by_hand = README.split_once("By hand").unwrap().1;
    let commands: Vec<_> = by_hand
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| line.split("  compare").next().unwrap_or_default())
        .collect();
    assert_eq!(commands.len(), 4);
    let output = Command::new("sh")
        .args(["-e", "-c", &commands.join("\n")])
        .current_dir(desk.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(told.contains("Signature Verified Successfully"), "{told}");
    let manifest = std::fs::read_to_string(desk.path("manifest.json")).unwrap();
    let sums = told.lines().filter(|line| line.contains(" recordings/"));
    let sums: Vec<_> = sums.map(|line| &line[..64]).collect();
    assert_eq!(sums.len(), 6);
    assert!(sums.iter().all(|sum| manifest.contains(sum)));
}

/// A long recording is hashed by the command where there is one: here one that notes its call.
#[test]
fn the_script_asks_b3sum_for_what_is_long() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut desk = Desk::new();
    let long = item(desk.folder.path(), 7, 1_600_000, Container::Wav);
    desk.items = vec![long];
    desk.proofs.0.clear();
    let mut bytes = Vec::new();
    desk.written(&mut bytes, |export| export.unproved = true)
        .unwrap();
    let archive = desk.path("export.tar");
    std::fs::write(&archive, &bytes).unwrap();
    let place = script(desk.folder.path());
    let bin = desk.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let command = bin.join("b3sum");
    let text = "#!/usr/bin/env python3\n\
        import sys\n\
        sys.dont_write_bytecode = True\n\
        sys.path.insert(0, sys.path[0] + '/..')\n\
        import verify\n\
        assert sys.argv[1:] == ['--no-names']\n\
        open(sys.path[0] + '/bin/called', 'a').write('once ')\n\
        hasher = verify.PureBlake3()\n\
        hasher.update(sys.stdin.buffer.read())\n\
        print(hasher.hexdigest())\n";
    std::fs::write(&command, text).unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&command, mode).unwrap();
    let before = std::env::var("PATH").unwrap();
    let run = || {
        Command::new("python3")
            .args(["-B", place.to_str().unwrap(), archive.to_str().unwrap()])
            .env("PATH", format!("{}:{before}", bin.display()))
            .output()
            .unwrap()
    };
    let good = run();
    assert!(good.status.success(), "{good:?}");
    assert_eq!(
        std::fs::read_to_string(bin.join("called")).unwrap(),
        "once "
    );
    std::fs::write(&command, "#!/bin/sh\nexit 1\n").unwrap();
    assert_eq!(run().status.code(), Some(2));
}

#[test]
fn the_script_says_what_it_lacks() {
    let desk = Desk::new();
    let path = script(desk.folder.path());
    let archive = desk.path("export.tar");
    std::fs::write(&archive, desk.archive()).unwrap();
    let (path, archive) = (path.to_str().unwrap(), archive.to_str().unwrap());
    let key = public_key(&desk);
    let text = |output: &Output| {
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
    };
    let good = python(&[path, archive, "--key", &key]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good));
    assert!(text(&good).starts_with("3 recordings"), "{}", text(&good));
    let keyless = python(&[path, archive]);
    assert!(text(&keyless).contains("NOT CHECKED"), "{}", text(&keyless));
    let python_path = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    let program = String::from_utf8(python_path.stdout).unwrap();
    let bare = Command::new(program.trim())
        .args(["-B", path, archive, "--json"])
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(bare.status.code(), Some(2));
    assert!(
        text(&bare).contains("'openssl' is missing"),
        "{}",
        text(&bare)
    );
    let private = desk.path("key.pem");
    let leaked = python(&[path, archive, "--key", private.to_str().unwrap()]);
    assert_eq!(leaked.status.code(), Some(2));
    assert!(text(&leaked).contains("private key"), "{}", text(&leaked));
    for (arguments, code) in [
        (vec![path], 2),
        (vec![path, "/nonexistent.tar"], 2),
        (vec![path, archive, "--unknown"], 2),
        (vec![path, "--help"], 0),
    ] {
        let output = python(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}
