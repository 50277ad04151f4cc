//! Finds the first checkpoint at or after an entry in the file of checkpoints, without reading all
//! of it: their numbers grow from line to line, so halves of the file are passed over.
//!
//! Where lines of another ledger, damaged or badly signed ones are met on the way, the file is read
//! line by line instead: what is left of it is as good as its signatures.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::chain::LogId;
use super::checkpoint::{CHECKPOINT_LINE_MAX, Checkpoint};
use super::key::PublicKey;

/// Bytes in which there is the end of a line.
const WINDOW: usize = 2 * CHECKPOINT_LINE_MAX;

/// The first checkpoint of this ledger that covers an entry. Signatures of `key` are looked at;
/// those of earlier keys are whoever verifies a proof's business.
pub(crate) fn covering(
    path: &Path,
    log: &LogId,
    key: Option<&PublicKey>,
    seq: u64,
) -> io::Result<Option<Checkpoint>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let seeker = Seeker { log, key, seq };
    let length = file.metadata()?.len();
    match seeker.halved(&file, length)? {
        Found::Checkpoint(found) => Ok(Some(found)),
        Found::None => Ok(None),
        Found::Unordered => seeker.all(file),
    }
}

struct Seeker<'a> {
    log: &'a LogId,
    key: Option<&'a PublicKey>,
    seq: u64,
}

enum Found {
    Checkpoint(Checkpoint),
    None,
    /// Halving tells nothing here.
    Unordered,
}

impl Seeker<'_> {
    fn is_ours(&self, it: &Checkpoint) -> bool {
        it.log == *self.log
    }

    fn is_good(&self, it: &Checkpoint) -> bool {
        let signed = |key: &PublicKey| it.key != key.id() || it.is_signed_by(key);
        self.is_ours(it) && it.end.seq >= self.seq && self.key.is_none_or(signed)
    }

    /// Looks for the first line that covers the entry between offsets at which lines begin: all
    /// before `low` do not cover it, the one at `high` does, if there is one.
    fn halved(&self, file: &File, length: u64) -> io::Result<Found> {
        let (mut low, mut high) = (0, length);
        let mut best = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let Some((from, end, it)) = line_at(file, low, middle)? else {
                return Ok(Found::Unordered);
            };
            if end > high || !self.is_ours(&it) {
                return Ok(Found::Unordered);
            }
            if it.end.seq >= self.seq {
                high = from;
                best = Some(it);
            } else {
                low = end;
            }
        }
        Ok(match best {
            None => Found::None,
            Some(it) if self.is_good(&it) => Found::Checkpoint(it),
            Some(_) => Found::Unordered,
        })
    }

    fn all(&self, mut file: File) -> io::Result<Option<Checkpoint>> {
        file.seek(SeekFrom::Start(0))?;
        let mut best: Option<Checkpoint> = None;
        for line in BufReader::new(file).split(b'\n') {
            let line = line?;
            let parsed = std::str::from_utf8(&line).ok().map(Checkpoint::parse);
            let Some(Ok(it)) = parsed else { continue };
            let nearer = best.as_ref().is_none_or(|best| it.end.seq < best.end.seq);
            if nearer && self.is_good(&it) {
                best = Some(it);
            }
        }
        Ok(best)
    }
}

/// The line that the byte at `at` is in: where it begins, where the next one does, and what it
/// says. A line begins at `low`, which is not after `at`. `None` where there is no such line.
fn line_at(file: &File, low: u64, at: u64) -> io::Result<Option<(u64, u64, Checkpoint)>> {
    let start = at.saturating_sub(CHECKPOINT_LINE_MAX as u64).max(low);
    let mut window = [0; WINDOW];
    let read = read_at(file, &mut window, start)?;
    let window = &window[..read];
    let Ok(place) = usize::try_from(at - start) else {
        return Ok(None);
    };
    let before = window.get(..place).unwrap_or_default();
    let begin = match before.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if start == low => 0,
        None => return Ok(None),
    };
    let rest = window.get(begin..).unwrap_or_default();
    let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
        return Ok(None);
    };
    let line = std::str::from_utf8(&rest[..length]).ok();
    let parsed = line.and_then(|line| Checkpoint::parse(line).ok());
    let from = start + begin as u64;
    Ok(parsed.map(|it| (from, from + length as u64 + 1, it)))
}

fn read_at(file: &File, window: &mut [u8], from: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < window.len() {
        match file.read_at(&mut window[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use audio_io::units::WallMillis;

    use super::*;
    use crate::ledger::chain::{ChainEnd, Hash};
    use crate::ledger::key::{KeyId, SigningKey};

    const LOG: LogId = LogId([7; 16]);

    /// One of an earlier key, whose signature nobody here can look at.
    fn old(log: LogId, seq: u64) -> Checkpoint {
        Checkpoint {
            log,
            end: ChainEnd {
                seq,
                hash: Hash::of(&seq.to_be_bytes()),
            },
            at: WallMillis(seq * 1_000),
            key: KeyId([1, 2, 3, 4]),
            signature: [9; 64],
        }
    }

    struct Kept(tempfile::TempDir);

    impl Kept {
        fn of(lines: impl IntoIterator<Item = Checkpoint>, tail: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut text = String::new();
            for line in lines {
                let _ = writeln!(text, "{line}");
            }
            std::fs::write(folder.path().join("c"), text + tail).unwrap();
            Self(folder)
        }

        fn seek(&self, key: Option<&PublicKey>, seq: u64) -> Option<u64> {
            let found = covering(&self.0.path().join("c"), &LOG, key, seq).unwrap();
            found.map(|it| it.end.seq)
        }
    }

    #[test]
    fn every_entry_finds_the_first_checkpoint_that_covers_it() {
        for count in 0..40_u64 {
            // Lines of different lengths.
            let numbers: Vec<u64> = (1..=count).map(|n| n * n * n * 7).collect();
            let kept = Kept::of(numbers.iter().map(|seq| old(LOG, *seq)), "");
            let last = numbers.last().copied().unwrap_or(0);
            for seq in (1..last + 3).step_by(31).chain(numbers.iter().copied()) {
                let wanted = numbers.iter().copied().find(|number| *number >= seq);
                assert_eq!(kept.seek(None, seq), wanted, "{seq} of {numbers:?}");
            }
        }
        let missing = tempfile::tempdir().unwrap();
        let none = covering(&missing.path().join("c"), &LOG, None, 1).unwrap();
        assert_eq!(none, None);
    }

    #[test]
    fn a_file_out_of_order_is_read_whole() {
        let other = LogId([8; 16]);
        let foreign = (1..200).map(|n| old(other, n * 1_000));
        let ours = (1..200).map(|n| old(LOG, n * 10));
        let kept = Kept::of(foreign.chain(ours), "");
        assert_eq!(kept.seek(None, 995), Some(1_000));
        assert_eq!(kept.seek(None, 2_000), None);
        for tail in ["half a line", "\n", "\u{1}\n\n"] {
            let torn = Kept::of((1..200).map(|n| old(LOG, n * 10)), tail);
            assert_eq!(torn.seek(None, 15), Some(20), "{tail:?}");
            assert_eq!(torn.seek(None, 1_985), Some(1_990), "{tail:?}");
            assert_eq!(torn.seek(None, 1_991), None, "{tail:?}");
        }
    }

    #[test]
    fn a_line_that_our_key_did_not_sign_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::create(&folder.path().join("k")).unwrap();
        let sign = |seq| {
            let end = old(LOG, seq).end;
            Checkpoint::sign(LOG, end, WallMillis(5), &key)
        };
        let mut forged = sign(20);
        forged.signature[0] ^= 1;
        let kept = Kept::of([sign(10), forged, sign(30)], "");
        assert_eq!(kept.seek(Some(&key.public()), 9), Some(10));
        assert_eq!(kept.seek(Some(&key.public()), 11), Some(30));
        assert_eq!(kept.seek(None, 11), Some(20), "nobody to ask");
    }

    /// A hundred thousand checkpoints: seventeen halves, whichever entry is asked for.
    #[test]
    fn a_long_file_is_not_read_whole() {
        let kept = Kept::of((1..=100_000).map(|n| old(LOG, n * 1_000)), "");
        let path = kept.0.path().join("c");
        let file = File::open(&path).unwrap();
        let length = file.metadata().unwrap().len();
        assert!(length > 20_000_000);
        for seq in [1, 49_999_001, 77_777_777, 100_000_000] {
            let seeker = Seeker {
                log: &LOG,
                key: None,
                seq,
            };
            let found = seeker.halved(&file, length).unwrap();
            let Found::Checkpoint(it) = found else {
                panic!("{seq} is not found by halves");
            };
            assert_eq!(it.end.seq, seq.div_ceil(1_000) * 1_000);
        }
    }
}
