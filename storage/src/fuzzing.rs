//! Doors for the fuzzers in `tests/fuzz` to parsers that nobody else may reach. Built only with
//! the feature `fuzzing`; the product never has it.

use std::io;

use crate::index::{prompts, purged, values};
use crate::journal::entry::{self, FILE_HEAD, GRAIN, Head};
use crate::journal::reader::{self, Generation};

/// Decodes bytes as each kind of row; what decodes must survive encoding.
///
/// # Panics
/// When a row does not come back as it was: that is what the fuzzer looks for.
pub fn index_values(bytes: &[u8]) {
    if let Ok(row) = values::decode_recording(bytes) {
        assert_eq!(
            values::decode_recording(&values::encode_recording(&row)),
            Ok(row)
        );
    }
    if let Ok(row) = values::decode_tenant(bytes) {
        assert_eq!(values::decode_tenant(&values::encode_tenant(&row)), Ok(row));
    }
    if let Ok(row) = prompts::decode(bytes) {
        assert_eq!(prompts::decode(&prompts::encode(&row)), Ok(row));
    }
    if let Ok(row) = purged::decode(bytes) {
        assert_eq!(purged::decode(&purged::encode(&row)), Ok(row));
    }
    if let Ok(row) = values::decode_key(bytes) {
        assert_eq!(values::decode_key(&values::encode_key(&row)), Ok(row));
    }
    if let Ok(row) = values::decode_user(bytes) {
        assert_eq!(values::decode_user(&values::encode_user(&row)), Ok(row));
    }
    if let Ok(row) = values::decode_session(bytes) {
        assert_eq!(
            values::decode_session(&values::encode_session(&row)),
            Ok(row)
        );
    }
    if let Ok(row) = values::decode_signing_key(bytes) {
        let again = values::decode_signing_key(&values::encode_signing_key(&row));
        assert_eq!(again, Ok(row));
    }
    if let Ok(row) = values::decode_tries(bytes) {
        assert_eq!(values::decode_tries(&values::encode_tries(&row)), Ok(row));
    }
}

/// Replays bytes as a journal's entries, with every checksum made right first: no fuzzer guesses
/// one, and what lies behind them is what can go wrong.
///
/// # Errors
/// The scratch file cannot be written or read.
///
/// # Panics
/// When the reader believes in more bytes than there are.
pub fn journal(bytes: &[u8]) -> io::Result<u64> {
    let mut file = entry::file_head(GENERATION).to_vec();
    file.extend_from_slice(bytes);
    make_checksums_right(&mut file);
    let name = format!("callreel-fuzz-{}.wal", std::process::id());
    // Memory where there is some: thousands of files a second.
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        memory.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    let path = folder.join(name);
    std::fs::write(&path, &file)?;
    let generation = Generation {
        number: GENERATION,
        path,
    };
    let mut entries = 0_u64;
    let taken = reader::replay(&generation, |_| -> io::Result<()> {
        entries += 1;
        Ok(())
    })?;
    assert!(
        taken <= bytes.len() as u64 + GRAIN as u64,
        "{taken} of {} bytes",
        bytes.len()
    );
    Ok(entries)
}

/// Walks the entries as the reader does.
fn make_checksums_right(file: &mut [u8]) {
    let mut at = FILE_HEAD;
    while let Some(head) = file.get(at..).and_then(|rest| rest.first_chunk::<GRAIN>()) {
        let Some(head) = Head::parse(head) else {
            return;
        };
        let end = at + GRAIN + head.len;
        let Some(covered) = file.get(at + 4..end) else {
            return;
        };
        let crc = entry::crc(GENERATION, at as u64, covered);
        file[at..at + 4].copy_from_slice(&crc.to_le_bytes());
        at += head.span();
    }
}

const GENERATION: u64 = 7;
