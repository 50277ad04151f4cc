//! Changes of the key's owner, who signs again: what cannot be said, and what the ledger tells.

use serde_json::{Value, json};

use super::super::*;
use super::{List, sign};
use crate::ledger::entry::Entry as LedgerEntry;

/// A change of a proof.
type Change = Box<dyn Fn(&mut ChainProof)>;

impl List {
    /// Manifests that the key's owner signed and that cannot be.
    pub(super) fn manifests(&mut self) {
        let text = String::from_utf8(self.good[11].1.clone()).unwrap();
        for (name, text) in [
            ("spaced", text.replacen(',', ", ", 1)),
            (
                "a key twice",
                text.replacen("{\"format\":1", "{\"format\":1,\"format\":1", 1),
            ),
            (
                "a fraction",
                text.replacen("\"format\":1", "\"format\":1.0", 1),
            ),
            ("escaped", text.replacen("recorder", "\\u0072ecorder", 1)),
            ("a line's end", format!("{text}\n")),
            ("cut", text[..text.len() - 1].to_owned()),
            ("no JSON", "hello".to_owned()),
            ("half a character", text.replacen("recorder", "\\ud800", 1)),
        ] {
            let mut all = self.good.clone();
            all[11].1 = text.into_bytes();
            sign(&mut all, &self.desk.key);
            self.members_are(
                &format!("manifest: {name}"),
                &all,
                "spelling",
                "manifest.json",
            );
        }
    }

    /// A manifest after any change, signed.
    fn manifest_is(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut all = self.good.clone();
        let mut value: Value = serde_json::from_slice(&all[11].1).unwrap();
        change(&mut value);
        all[11].1 = serde_json::to_vec(&value).unwrap();
        sign(&mut all, &self.desk.key);
        let (word, member) = ("spelling", "manifest.json");
        self.members_are(&format!("manifest: {name}"), &all, word, member);
    }

    /// Manifests of values that there cannot be.
    pub(super) fn values(&mut self) {
        for (place, value) in [
            ("/format", json!("1")),
            ("/more", json!(1)),
            ("/made_at", json!(-1)),
            ("/made_at", json!(1.844_674_407_370_955_2e19)),
            ("/made_at", Value::Null),
            ("/signing_key/public_key", json!("AAAA")),
            ("/recordings", json!([])),
            ("/recordings/1/id", json!(7)),
            ("/recordings/0/line", json!("front desk")),
            ("/recordings/0/names/task_id", json!("x")),
            ("/recordings/0/end_cause", json!("boredom")),
            ("/recordings/0/state", json!("live")),
            ("/recordings/0/duration_ms", json!(1)),
            ("/recordings/0/container", json!("mp3")),
            ("/recordings/0/format/rate", json!(7_999)),
            ("/recordings/0/marks/0/kind/digit", json!("55")),
            ("/recordings/0/marks/0/more", json!(true)),
            ("/recordings/0/audio/name", json!("recordings/000002.wav")),
            ("/recordings/0/proof/name", json!("recordings/000002.proof")),
        ] {
            self.manifest_is(&format!("{value} at {place}"), |it| {
                let (parent, last) = place.rsplit_once('/').unwrap();
                it.pointer_mut(parent).unwrap()[last] = value;
            });
        }
        self.manifest_is("a field less", |it| {
            it.as_object_mut().unwrap().shift_remove("host");
        });
        self.manifest_is("a file less", |it| {
            it["files"].as_array_mut().unwrap().pop();
        });
        for place in ["checkpoint_keys", "files"] {
            self.manifest_is(&format!("{place} in another order"), |it| {
                it[place].as_array_mut().unwrap().reverse();
            });
        }
    }

    /// Manifests that say something else than the archive.
    pub(super) fn words(&mut self) {
        let first = "recordings/000001.wav";
        self.told("an unknown hash", "damaged", first, |it| {
            it["recordings"][0]["audio"]["sha256"] = json!("0".repeat(64));
        });
        self.told("another BLAKE3", "damaged", first, |it| {
            it["recordings"][0]["audio"]["blake3"] = json!("0".repeat(64));
        });
        self.told("an unused key", "manifest", "manifest.json", |it| {
            let keys = it["checkpoint_keys"].as_array_mut().unwrap();
            keys.push(serde_json::to_value(KeyEntry::from(&PublicKey([9; 32]))).unwrap());
            keys.sort_by_key(|key| key["id"].as_str().unwrap().to_owned());
        });
        self.told(
            "a key that is missing",
            "checkpoint",
            "checkpoints.log",
            |it| {
                it["checkpoint_keys"].as_array_mut().unwrap().pop();
            },
        );
        self.told(
            "no proof where there is one",
            "misplaced",
            "recordings/000001.proof",
            |it| {
                it["recordings"][0]["proof"] = Value::Null;
            },
        );
    }

    /// Recordings and proofs that the key's owner changed: the ledger tells.
    pub(super) fn ledgers(&mut self) {
        let proof = "recordings/000001.proof";
        let mut all = self.good.clone();
        all[4].1[5_000] ^= 1;
        self.resigned("a recording changed and signed", &all, "proof", proof);
        for (field, value) in [
            ("started_at", json!(1)),
            ("end_cause", json!("command")),
            ("gaps", json!([{"at": 0, "frames": 1, "cause": "stall"}])),
            ("marks", json!([])),
            ("tenant", json!(2)),
            ("id", json!(70)),
        ] {
            self.told(&format!("another {field}, signed"), "proof", proof, |it| {
                it["recordings"][0][field] = value;
            });
        }
        let mut all = self.good.clone();
        let first = all[5].1.clone();
        all[5].1 = std::mem::replace(&mut all[9].1, first);
        self.resigned("proofs exchanged and signed", &all, "proof", proof);
    }

    /// Proofs that prove nothing.
    pub(super) fn proofs(&mut self) {
        let mut all = self.good.clone();
        let text = String::from_utf8(all[7].1.clone()).unwrap();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let third = "recordings/000002.proof";
        all[7].1 = format!("{}\n{}\n", lines[1], lines[0]).into_bytes();
        self.resigned("a proof upside down", &all, "spelling", third);
        all[7].1 = format!("{}\n", lines[0]).into_bytes();
        self.resigned("an old proof", &all, "proof", third);
        all[7].1 = Vec::new();
        self.resigned("an empty proof", &all, "spelling", third);
        let proofs: Vec<ChainProof> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let changes: Vec<(&str, Change)> = vec![
            (
                "a digest less",
                Box::new(|it| it.after.truncate(it.after.len() - 1)),
            ),
            ("a digest more", Box::new(|it| it.after.push(Hash::ZERO))),
            ("digests moved", Box::new(|it| it.after.reverse())),
            ("another start", Box::new(|it| it.prev_hash.0[0] ^= 1)),
            (
                "another entry",
                Box::new(|it| {
                    let mut entry = LedgerEntry::from_json(it.entry.as_bytes()).unwrap();
                    entry.recording = Some(RecordingId(9));
                    it.entry = String::from_utf8(entry.to_json()).unwrap();
                }),
            ),
            ("no entry", Box::new(|it| it.entry = "hello".to_owned())),
            (
                "a spaced entry",
                Box::new(|it| it.entry = it.entry.replacen(':', ": ", 1)),
            ),
            ("no checkpoint", Box::new(|it| it.checkpoint.push(' '))),
        ];
        for (name, change) in changes {
            let mut changed = proofs.clone();
            change(&mut changed[1]);
            all[7].1 = proof::spelt(&changed);
            self.resigned(&format!("a proof with {name}"), &all, "spelling", third);
        }
        all[7].1 = lines.join("\n").into_bytes();
        self.resigned("a proof without an end", &all, "spelling", third);
        all[7].1 = format!("{}\n{}\n", lines[0], lines[1].replacen(':', ": ", 1)).into_bytes();

        self.resigned("a spaced proof", &all, "spelling", third);
    }

    /// Checkpoints that are not signed, or not there.
    pub(super) fn checkpoints(&mut self) {
        let log = "checkpoints.log";
        let text = String::from_utf8(self.good[7].1.clone()).unwrap();
        let proofs: Vec<ChainProof> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        // The same in proofs and list.
        let mut all = self.good.clone();
        let checkpoint = Checkpoint::parse(&proofs[1].checkpoint).unwrap();
        let mut forged = checkpoint.clone();
        forged.signature[0] ^= 1;
        for at in [7, 9, 10] {
            let text = String::from_utf8(all[at].1.clone()).unwrap();
            let text = text.replace(&checkpoint.to_string(), &forged.to_string());
            all[at].1 = text.into_bytes();
        }
        self.resigned("a checkpoint that is not signed", &all, "checkpoint", log);
        let mut all = self.good.clone();
        all[10].1 = format!("{}\n", proofs[1].checkpoint).into_bytes();
        self.resigned("a checkpoint less, signed", &all, "checkpoint", log);
        // Two pasts of one ledger, each signed by its key.
        let mut all = self.good.clone();
        let other = self.desk.other_past();
        all[9].1 = proof::spelt(std::slice::from_ref(&other));
        let text = String::from_utf8(all[10].1.clone()).unwrap();
        let mut lines: Vec<_> = text.lines().chain([other.checkpoint.as_str()]).collect();
        lines[1..].sort_unstable();
        all[10].1 = format!("{}\n", lines.join("\n")).into_bytes();
        self.resigned("another past", &all, "checkpoint", log);
    }
}
