//! Archives that somebody has changed: each kind of change, and what must be told of it. The
//! script in the archive is held against the same list.

mod inside;
mod outside;

use serde_json::{Value, json};

use super::*;

/// A changed archive and what must be told of it: the word, and the member.
pub(super) struct Attack {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) word: &'static str,
    pub(super) member: Option<String>,
}

/// Members of an archive that may be changed and signed again by the key's owner.
type Members = Vec<(String, Vec<u8>)>;

pub(super) struct List {
    pub(super) desk: Desk,
    pub(super) all: Vec<Attack>,
    good: Members,
}

impl List {
    pub(super) fn new() -> Self {
        let desk = Desk::new();
        let good = members(&desk.archive());
        let mut list = Self {
            desk,
            all: Vec::new(),
            good,
        };
        list.moved();
        list.named();
        list.container();
        list.long();
        list.keys();
        list.contents();
        list.lists();
        list.manifests();
        list.values();
        list.words();
        list.ledgers();
        list.proofs();
        list.checkpoints();
        list
    }

    fn add(&mut self, name: impl Into<String>, bytes: Vec<u8>, word: &'static str, member: &str) {
        self.all.push(Attack {
            name: name.into(),
            bytes,
            word,
            member: (!member.is_empty()).then(|| member.to_owned()),
        });
    }

    fn members_are(&mut self, name: &str, all: &Members, word: &'static str, member: &str) {
        self.add(name, packed(all), word, member);
    }

    /// Changes after which the key's owner signed again, so that only what is said can be wrong.
    fn resigned(&mut self, name: &str, all: &Members, word: &'static str, member: &str) {
        let all = signed_by(all, &self.desk.key, |_| ());
        self.members_are(name, &all, word, member);
    }

    fn told(
        &mut self,
        name: &str,
        word: &'static str,
        member: &str,
        change: impl FnOnce(&mut Value),
    ) {
        let all = signed_by(&self.good, &self.desk.key, change);
        self.members_are(name, &all, word, member);
    }
}

/// Signs the manifest as it is.
fn sign(all: &mut Members, key: &SigningKey) {
    use base64::Engine as _;
    let signature = key.sign(&all[11].1);
    let text = base64::engine::general_purpose::STANDARD.encode(signature);
    all[12].1 = format!("{text}\n").into_bytes();
}

/// The members with a manifest that is right for them, then changed, then signed with this key.
fn signed_by(all: &Members, key: &SigningKey, change: impl FnOnce(&mut Value)) -> Members {
    let mut all = all.clone();
    all[3].1 = key.public().to_pem().into_bytes();
    let mut manifest: Value = serde_json::from_slice(&all[11].1).unwrap();
    manifest["signing_key"] = serde_json::to_value(KeyEntry::from(&key.public())).unwrap();
    let told = |at: usize| {
        let (name, bytes) = &all[at];
        let file = FileEntry::new(name.as_str(), key::Hashes::of(bytes));
        serde_json::to_value(file).unwrap()
    };
    for (index, at) in [0, 1, 2, 3, 10].into_iter().enumerate() {
        manifest["files"][index] = told(at);
    }
    for index in 0..3 {
        manifest["recordings"][index]["audio"] = told(4 + 2 * index);
        manifest["recordings"][index]["proof"] = told(5 + 2 * index);
    }
    change(&mut manifest);
    all[11].1 = serde_json::to_vec(&manifest).unwrap();
    sign(&mut all, key);
    all
}

#[test]
fn every_attack_is_named() {
    let list = List::new();
    let key = list.desk.key.public();
    assert!(list.all.len() > 150, "{}", list.all.len());
    let mut wrong = Vec::new();
    for attack in &list.all {
        let told = match verify(&attack.bytes[..], Some(&key), &mut |_| ()) {
            Ok(_) => ("ok".to_owned(), None),
            Err(flaw) => (flaw.word().to_owned(), flaw.member().map(str::to_owned)),
        };
        if told != (attack.word.to_owned(), attack.member.clone()) {
            let wanted = (attack.word, &attack.member);
            wrong.push(format!("{}: {told:?} instead of {wanted:?}", attack.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Without the right key, an archive that was made anew is only known to agree with itself: that is
/// why one must be given.
#[test]
fn a_forger_with_a_key_of_his_own_is_told_by_the_key_alone() {
    let desk = Desk::new();
    let forger = key(desk.folder.path(), "forger.pem");
    let mut all = members(&desk.archive());
    all = signed_by(&all, &forger, |it| it["note"] = json!("changed"));
    let forged = packed(&all);
    let report = verify(&forged[..], None, &mut |_| ()).unwrap();
    assert!(!report.key_expected);
    assert_eq!(report.key_id, forger.public().id().to_string());
    let flaw = verify(&forged[..], Some(&desk.key.public()), &mut |_| ()).unwrap_err();
    let told = flaw.to_string();
    let keys = [&forger, &desk.key].map(|key| fingerprint(&key.public()));
    assert!(keys.iter().all(|key| told.contains(key)), "{told}");
}

#[test]
fn every_flipped_bit_is_found() {
    let desk = Desk::new();
    let mut archive = desk.archive();
    let key = desk.key.public();
    // All of them take minutes without optimisation.
    for byte in (0..archive.len()).step_by(17) {
        let bit = 1 << (byte % 8);
        archive[byte] ^= bit;
        let told = verify(&archive[..], Some(&key), &mut |_| ());
        assert!(told.is_err(), "byte {byte}");
        archive[byte] ^= bit;
    }
    verify(&archive[..], Some(&key), &mut |_| ()).unwrap();
}

#[test]
fn every_cut_is_found() {
    let desk = Desk::new();
    let archive = desk.archive();
    for len in (0..archive.len()).step_by(37) {
        let flaw = verify(&archive[..len], None, &mut |_| ()).unwrap_err();
        let wanted = if len < 512 {
            "not_an_export"
        } else {
            "truncated"
        };
        assert_eq!(flaw.word(), wanted, "cut to {len}");
    }
}
