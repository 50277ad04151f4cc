//! What a backup holds, and what of an archive is not believed.

use audio_io::units::WallMillis;

use super::*;
use crate::ids::RecordingName;
use crate::record::Family;
use crate::restore::RestoreError;
use crate::testing::Store;

pub(crate) fn sample_contents() -> Contents {
    let source = |place, bytes: &[u8]| Source {
        place,
        path: "/etc/callreel/there".into(),
        bytes: bytes.to_vec(),
    };
    Contents {
        version: "9.8.7".into(),
        host: "pbx".into(),
        made_at: WallMillis(1_763_700_000_000),
        config_file: Some("/etc/callreel/callreel.toml".into()),
        sources: vec![
            source(Place::Config, b"[log]\nlevel = \"info\"\n"),
            source(Place::DropIn("10-x.toml".into()), b"# nothing\n"),
            source(Place::Made(KeyFile::Admin), b"0123456789abcdef\n"),
        ],
    }
}

/// A backup of an open store.
pub(crate) fn backup_of(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(
        &store.handle,
        &sample_contents(),
        &mut bytes,
        &mut |_, _| (),
    )
    .unwrap();
    bytes
}

fn looked(bytes: &[u8]) -> Result<Checked, ArchiveError> {
    match verify(bytes, &mut |_, _| ()) {
        Ok(checked) => Ok(checked),
        Err(RestoreError::Archive(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_backup_tells_what_is_in_it() {
    let store = Store::new();
    let row = store.recorded();
    let key = store
        .handle
        .issue_key(store.tenant, Family::TaskAudio, "crm")
        .unwrap();
    let bytes = backup_of(&store);
    let checked = looked(&bytes).unwrap();
    assert_eq!(checked.bytes, bytes.len() as u64);
    let head = &checked.head;
    assert_eq!((head.recordings, head.tenants, head.keys), (1, 1, 1));
    assert_eq!((head.format, head.schema), (FORMAT, SCHEMA));
    assert_eq!(checked.files.len(), 3);
    assert_eq!(checked.files[1].0, Place::DropIn("10-x.toml".into()));
    assert_eq!(checked.keys[0].key_id, key.row.key_id);
    assert!(
        !bytes
            .windows(key.secret.len())
            .any(|part| part == key.secret.as_bytes())
    );
    // The same rows from the store at rest.
    let folder = store.close();
    let mut offline = Vec::new();
    let told = write_offline(
        folder.path(),
        &sample_contents(),
        &mut offline,
        &mut |_, _| (),
    );
    assert_eq!(told.unwrap().recordings, 1);
    let again = looked(&offline).unwrap();
    assert_eq!((again.head.rows, again.keys), (head.rows, checked.keys));
    let name = RecordingName::Recid(row.facts.id);
    let store = Store::open(folder);
    assert!(store.handle.find(store.tenant, &name).unwrap().is_some());
}

#[test]
fn nothing_of_a_damaged_backup_is_believed() {
    let store = Store::new();
    let bytes = backup_of(&store);
    for len in (0..bytes.len()).step_by(97).chain([bytes.len() - 512]) {
        assert!(looked(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    for at in (0..bytes.len()).step_by(61) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        assert!(looked(&flipped).is_err(), "a bit of byte {at} is another");
    }
    let no_store = tempfile::tempdir().unwrap();
    let refused = write_offline(
        no_store.path(),
        &sample_contents(),
        &mut Vec::new(),
        &mut |_, _| (),
    );
    assert!(matches!(refused, Err(BackupError::NoIndex(_))));
    assert!(!no_store.path().join("index.redb").exists());
}

/// An archive of these members, whole but for what they say.
fn crafted(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = tar::Writer::new(Vec::new(), 1);
    let mut manifest = Manifest::default();
    for (name, bytes) in members {
        manifest.note(name, bytes);
        writer.member(name, bytes).unwrap();
    }
    writer.member(MANIFEST, &manifest.bytes()).unwrap();
    writer.finish().unwrap()
}

fn sample_head(change: impl FnOnce(&mut Head)) -> Vec<u8> {
    let mut head = Head {
        format: FORMAT,
        version: "1.0".into(),
        schema: SCHEMA,
        made_at_ms: 1,
        host: "h".into(),
        data_dir: "/".into(),
        config_file: None,
        files: Vec::new(),
        recordings: 0,
        tenants: 0,
        users: 0,
        keys: 0,
        prompts: 0,
        rows: 2,
    };
    change(&mut head);
    serde_json::to_vec(&head).unwrap()
}

fn sample_rows(table: &str, rows: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut chunk = Chunk::new(table);
    for (key, value) in rows {
        chunk.add(key, value);
    }
    chunk.finish()
}

fn meta_rows() -> Vec<u8> {
    let schema = SCHEMA.to_be_bytes();
    sample_rows(
        "meta",
        &[(b"hash_secret", &[7; 32]), (b"schema", schema.as_slice())],
    )
}

#[test]
fn an_archive_that_is_whole_may_still_be_no_backup() {
    let (head, meta) = (sample_head(|_| ()), meta_rows());
    let rows = "index/000001.rows";
    looked(&crafted(&[(HEAD, &head), (rows, &meta)])).unwrap();
    let newer = sample_head(|head| head.format = 2);
    let error = looked(&crafted(&[(HEAD, &newer), (rows, &meta)])).unwrap_err();
    assert!(error.is_foreign(), "{error}");
    let newer = sample_head(|head| head.schema = SCHEMA + 1);
    let error = looked(&crafted(&[(HEAD, &newer), (rows, &meta)])).unwrap_err();
    assert!(
        error.is_foreign() && error.to_string().contains("upgrade"),
        "{error}"
    );
    let table = sample_rows("tomorrow", &[]);
    let error = looked(&crafted(&[(HEAD, &head), (rows, &table)])).unwrap_err();
    assert!(error.is_foreign(), "{error}");
    let short = sample_rows("recordings", &[(&[0; 11], b"x")]);
    let secret = sample_rows("meta", &[(b"hash_secret", &[7; 31])]);
    let more = sample_head(|head| head.rows = 3);
    for members in [
        vec![(HEAD, &head)],
        vec![(HEAD, &more), (rows, &meta)],
        vec![(HEAD, &head), (rows, &secret)],
        vec![(HEAD, &head), (rows, &short)],
        vec![(HEAD, &head), ("index/000002.rows", &meta)],
        vec![(HEAD, &head), (rows, &meta), ("keys/admin.key", &meta)],
        vec![
            (HEAD, &head),
            ("keys/admin.key", &meta),
            ("keys/admin.key", &meta),
        ],
        vec![(HEAD, &head), ("../../etc/cron.d/x", &meta)],
        vec![(HEAD, &head), ("config/conf.d/../../x.toml", &meta)],
        vec![(rows, &meta), (HEAD, &head)],
    ] {
        let members: Vec<_> = members
            .iter()
            .map(|(name, bytes)| (*name, &bytes[..]))
            .collect();
        let error = looked(&crafted(&members)).unwrap_err();
        assert!(!error.to_string().is_empty(), "{error}");
    }
}

#[test]
fn rows_that_claim_too_much_are_refused_without_memory() {
    let head = sample_head(|_| ());
    let mut rows = sample_rows("meta", &[]);
    let at = rows.len() - 4;
    rows[at..].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = looked(&crafted(&[(HEAD, &head), ("index/000001.rows", &rows)])).unwrap_err();
    assert!(matches!(error, ArchiveError::Rows(_)), "{error}");
}
