//! Changes of somebody who has not got the key.

use serde_json::json;

use super::super::*;
use super::{List, signed_by};

impl List {
    /// Members that are missing, there twice, exchanged, or added.
    pub(super) fn moved(&mut self) {
        let good = self.good.clone();
        let count = good.len();
        for at in 0..count {
            let name = good[at].0.clone();
            let mut without = good.clone();
            without.remove(at);
            let next = good.get(at + 1).map_or("", |(name, _)| name);
            let word = match at {
                0 => "not_an_export",
                at if at + 1 == count => "missing",
                _ => "misplaced",
            };
            let told = if at == 0 { "" } else { next };
            // Without its file, a recording's proof comes where that must be.
            self.members_are(&format!("without {name}"), &without, word, told);
            let mut twice = good.clone();
            twice.insert(at, good[at].clone());
            self.members_are(&format!("{name} twice"), &twice, "misplaced", &name);
            let mut added = good.clone();
            added.insert(at, ("notes.txt".to_owned(), b"hello".to_vec()));
            let (word, told) = match at {
                0 => ("not_an_export", ""),
                _ => ("misplaced", "notes.txt"),
            };
            self.members_are(&format!("a stranger before {name}"), &added, word, told);
            if at + 1 < count {
                let mut swapped = good.clone();
                swapped.swap(at, at + 1);
                let (word, told) = match at {
                    0 => ("not_an_export", ""),
                    // What comes instead could be the next: not every recording has a proof.
                    _ if name.ends_with(".proof") => ("misplaced", name.as_str()),
                    _ => ("misplaced", next),
                };
                self.members_are(&format!("{name} after {next}"), &swapped, word, told);
            }
        }
    }

    /// Other names and other recordings.
    pub(super) fn named(&mut self) {
        let good = self.good.clone();
        for name in [
            "../../etc/passwd",
            "recordings/000002.wav",
            "recordings/1.wav",
            "/x",
        ] {
            let mut renamed = good.clone();
            renamed[4].0 = name.to_owned();
            self.members_are(&format!("renamed to {name}"), &renamed, "misplaced", name);
        }
        let mut renamed = good.clone();
        renamed[4].0 = "recordings/000001.ogg".to_owned();
        self.members_are(
            "another format",
            &renamed,
            "misplaced",
            "recordings/000001.ogg",
        );
        let mut fewer = good.clone();
        fewer.drain(8..10);
        self.members_are(
            "without a recording",
            &fewer,
            "misplaced",
            "checkpoints.log",
        );
        let mut more = good.clone();
        more.insert(10, ("recordings/000004.wav".to_owned(), vec![0; 44]));
        self.members_are(
            "a recording more",
            &more,
            "misplaced",
            "recordings/000004.wav",
        );
        let mut exchanged = good.clone();
        let proof = exchanged[5].1.clone();
        exchanged[5].1 = std::mem::replace(&mut exchanged[9].1, proof);
        self.members_are("proofs exchanged", &exchanged, "damaged", &good[5].0);
    }

    /// The container itself.
    pub(super) fn container(&mut self) {
        let good = packed(&self.good);
        let end = good.len();
        for len in [0, 1, 511] {
            self.add(
                format!("cut to {len}"),
                good[..len].to_vec(),
                "not_an_export",
                "",
            );
        }
        for len in [
            512,
            513,
            1_024,
            20_000,
            end - 1_024,
            end - 1_023,
            end - 512,
            end - 1,
        ] {
            self.add(
                format!("cut to {len}"),
                good[..len].to_vec(),
                "truncated",
                "",
            );
        }
        for (what, more) in [
            ("a byte", vec![0]),
            ("zeros", vec![0; 512]),
            ("it", good.clone()),
        ] {
            let longer = [&good[..], &more].concat();
            self.add(format!("with {what} behind it"), longer, "stray", "");
        }
        let mut padded = good.clone();
        padded[1_023] = 1;
        self.add("a byte in the filling", padded, "stray", "");
        let mut other = good.clone();
        other[512 * 2 + 107] = b'1';
        self.add("a header changed", other.clone(), "header", "");
        let sum: u32 = (1_024..1_536)
            .map(|at| {
                let inside = (1_172..1_180).contains(&at);
                if inside { 32 } else { u32::from(other[at]) }
            })
            .sum();
        other[1_172..1_180].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.add("a header with another mode", other, "header", "");
        let mut writer = tar::Writer::new(Vec::new(), NOW.0 / 1_000 + 1);
        for (name, bytes) in &self.good {
            writer.member(name, bytes).unwrap();
        }
        let later = writer.finish().unwrap();
        let mut mixed = good.clone();
        mixed[1_024..1_536].copy_from_slice(&later[1_024..1_536]);
        self.add(
            "another time in all headers",
            later,
            "manifest",
            "manifest.json",
        );
        self.add("another time in one header", mixed, "header", "");
    }

    /// Members that are too long.
    pub(super) fn long(&mut self) {
        for (at, len) in [(0, 1_u64 << 20), (5, 32 << 20), (11, 64 << 20), (12, 89)] {
            let mut writer = tar::Writer::new(Vec::new(), NOW.0 / 1_000);
            for (name, bytes) in &self.good[..at] {
                writer.member(name, bytes).unwrap();
            }
            writer.begin(&self.good[at].0, len + 1).unwrap();
            let bytes = writer.finish().unwrap();
            let name = self.good[at].0.clone();
            self.add(format!("{name} too long"), bytes, "too_long", &name);
        }
        let mut writer = tar::Writer::new(Vec::new(), NOW.0 / 1_000);
        for (name, bytes) in &self.good[..4] {
            writer.member(name, bytes).unwrap();
        }
        writer.begin("recordings/000001.wav", 1 << 40).unwrap();
        let bytes = writer.finish().unwrap();
        self.add("a recording of a terabyte", bytes, "truncated", "");
        self.add(
            "something else",
            b"PK\x03\x04 hello".repeat(100),
            "not_an_export",
            "",
        );
    }

    /// Other keys, other signatures.
    pub(super) fn keys(&mut self) {
        let other = key(self.desk.folder.path(), "attacker.pem");
        let forged = signed_by(&self.good, &other, |_| ());
        self.members_are(
            "signed again, key in it too",
            &forged,
            "other_key",
            "public-key.pem",
        );
        let mut only_signed = self.good.clone();
        only_signed[12] = forged[12].clone();
        self.members_are(
            "signed by another",
            &only_signed,
            "signature",
            "manifest.sig",
        );
        let mut swapped = only_signed.clone();
        swapped[3] = forged[3].clone();
        self.members_are("another key", &swapped, "other_key", "public-key.pem");
        let (sig, key) = ("manifest.sig", "public-key.pem");
        let text = String::from_utf8(self.good[12].1.clone()).unwrap();
        for (name, text) in [
            ("no line's end", text.trim_end().to_owned()),
            ("two line's ends", format!("{}\n\n", &text[..87])),
            ("cut", format!("{}\n", &text[..84])),
            ("empty", String::new()),
            ("another", format!("A{}", &text[1..])),
            ("other spelling", text.replace("==", "=A")),
        ] {
            let mut changed = self.good.clone();
            changed[12].1 = text.into_bytes();
            self.members_are(&format!("signature: {name}"), &changed, "signature", sig);
        }
        let pem = String::from_utf8(self.good[3].1.clone()).unwrap();
        for pem in [
            pem.replace('\n', "\r\n"),
            pem.to_lowercase(),
            pem[1..].to_owned(),
        ] {
            let mut changed = self.good.clone();
            changed[3].1 = pem.into_bytes();
            self.members_are("a key in another spelling", &changed, "spelling", key);
        }
    }

    /// What is in the members.
    pub(super) fn contents(&mut self) {
        for at in [1, 2, 4, 6, 8] {
            let mut changed = self.good.clone();
            let name = changed[at].0.clone();
            changed[at].1[100] ^= 1;
            self.members_are(&format!("{name} changed"), &changed, "damaged", &name);
            changed = self.good.clone();
            changed[at].1.push(0);
            self.members_are(&format!("{name} longer"), &changed, "damaged", &name);
        }
        let made_by = |by: &str| serde_json::to_vec(&json!({"format": 1, "made_by": by})).unwrap();
        let newer = br#"{"format":2,"made_by":"callreel 9","more":[1.5]}"#;
        for (name, head, word, member) in [
            ("a newer format", newer.to_vec(), "newer", ""),
            (
                "another maker",
                made_by("callreel 0.2.0"),
                "manifest",
                "manifest.json",
            ),
            (
                "a spaced head",
                br#"{"format": 1,"made_by":"x"}"#.to_vec(),
                "spelling",
                names::HEAD,
            ),
            ("no head", b"hello".to_vec(), "spelling", names::HEAD),
            (
                "a head with more",
                br#"{"format":1,"made_by":"x","y":1}"#.to_vec(),
                "spelling",
                names::HEAD,
            ),
        ] {
            let mut changed = self.good.clone();
            changed[0].1 = head;
            self.members_are(name, &changed, word, member);
        }
    }

    /// Other lists of checkpoints.
    pub(super) fn lists(&mut self) {
        let text = String::from_utf8(self.good[10].1.clone()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let log = "checkpoints.log";
        for (name, text, word) in [
            (
                "upside down",
                format!("{}\n{}\n", lines[1], lines[0]),
                "spelling",
            ),
            (
                "twice",
                format!("{0}\n{0}\n{1}\n", lines[0], lines[1]),
                "spelling",
            ),
            ("no end", text.trim_end().to_owned(), "spelling"),
            ("an empty line", format!("{text}\n"), "spelling"),
            ("one less", format!("{}\n", lines[1]), "damaged"),
        ] {
            let mut changed = self.good.clone();
            changed[10].1 = text.into_bytes();
            self.members_are(&format!("checkpoints: {name}"), &changed, word, log);
        }
    }
}
