//! The container of a backup: plain `ustar`, which every tar takes apart, in the one spelling that
//! FORMAT.md gives. The reader takes nothing but that spelling: no links, no folders, no devices,
//! no extensions, no names that lead elsewhere.

use std::io::{self, Read, Write};

/// Bytes of a header, and what everything is a multiple of.
pub(crate) const BLOCK: usize = 512;

/// The longest name of a member.
pub(crate) const NAME_MAX: usize = 100;

/// The longest member, in bytes: a larger one is no backup's.
pub(crate) const MEMBER_MAX: usize = 32 * 1024 * 1024;

/// The latest time that a header holds.
const LATEST_S: u64 = 0o777_7777_7777;

/// What the archive itself can be wrong in.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// Reading.
    #[error("it cannot be read: {0}")]
    Io(#[source] io::Error),
    /// It ends too early.
    #[error("it ends in the middle: the copy or the backup was cut off")]
    Truncated,
    /// It begins like something else.
    #[error("it is not a backup that 'callreel backup' made")]
    NotOne,
    /// A header is not in the one spelling there is.
    #[error("the header at byte {0} is damaged or was not written by 'callreel backup'")]
    Header(u64),
    /// Bytes that must be zero are not.
    #[error("there are stray bytes at {0}")]
    Stray(u64),
    /// A member is longer than any can be.
    #[error("member '{0}' is longer than any can be")]
    TooLong(String),
}

/// The header of a member.
fn header(name: &str, bytes: u64, at_s: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{bytes:011o}\0").as_bytes());
    put(136, format!("{at_s:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(265, b"root");
    put(297, b"root");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Writes members.
pub(crate) struct Writer<W> {
    to: W,
    at_s: u64,
}

impl<W: Write> Writer<W> {
    /// A writer whose members bear this time (seconds since 1970).
    pub(crate) fn new(to: W, at_s: u64) -> Self {
        let at_s = at_s.min(LATEST_S);
        Self { to, at_s }
    }

    /// Writes a member whole.
    pub(crate) fn member(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if name.len() > NAME_MAX || bytes.len() > MEMBER_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.to
            .write_all(&header(name, bytes.len() as u64, self.at_s))?;
        self.to.write_all(bytes)?;
        self.to.write_all(&[0; BLOCK][..padding(bytes.len())])
    }

    /// Writes the end.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        self.to.flush()?;
        Ok(self.to)
    }
}

const fn padding(len: usize) -> usize {
    len.next_multiple_of(BLOCK) - len
}

/// Reads members.
pub(crate) struct Reader<R> {
    from: R,
    at: u64,
    at_s: Option<u64>,
}

impl<R: Read> Reader<R> {
    pub(crate) const fn new(from: R) -> Self {
        Self {
            from,
            at: 0,
            at_s: None,
        }
    }

    /// Bytes read so far.
    pub(crate) const fn position(&self) -> u64 {
        self.at
    }

    /// The next member; `None` at the end, which must be the end of the input too.
    pub(crate) fn next(&mut self) -> Result<Option<(String, Vec<u8>)>, TarError> {
        let at = self.at;
        let mut block = [0; BLOCK];
        let read = self.fill(&mut block)?;
        if at == 0 && (read < BLOCK || !block.starts_with(super::HEAD.as_bytes())) {
            return Err(TarError::NotOne);
        }
        if read < BLOCK {
            return Err(TarError::Truncated);
        }
        if block == [0; BLOCK] {
            return self.end();
        }
        let (name, len, at_s) = self.parsed(&block).ok_or(TarError::Header(at))?;
        if len > MEMBER_MAX as u64 {
            return Err(TarError::TooLong(name));
        }
        self.at_s = Some(at_s);
        // Bounded by the check above.
        let len = usize::try_from(len).map_err(|_| TarError::TooLong(name.clone()))?;
        let mut bytes = vec![0; len];
        if self.fill(&mut bytes)? < len {
            return Err(TarError::Truncated);
        }
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..padding(len)];
        let start = self.at;
        if self.fill(rest)? < rest.len() {
            return Err(TarError::Truncated);
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(TarError::Stray(start));
        }
        Ok(Some((name, bytes)))
    }

    /// What a header says, if it is spelt as ours are.
    fn parsed(&self, block: &[u8; BLOCK]) -> Option<(String, u64, u64)> {
        let end = block[..NAME_MAX]
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(NAME_MAX);
        let name = std::str::from_utf8(&block[..end]).ok()?.to_owned();
        let octal = |field: &[u8]| {
            let text = std::str::from_utf8(field).ok()?;
            u64::from_str_radix(text, 8).ok()
        };
        let (len, at_s) = (octal(&block[124..135])?, octal(&block[136..147])?);
        let same_time = self.at_s.is_none_or(|known| known == at_s);
        (same_time && header(&name, len, at_s) == *block).then_some((name, len, at_s))
    }

    fn end(&mut self) -> Result<Option<(String, Vec<u8>)>, TarError> {
        let mut block = [0; BLOCK];
        if self.fill(&mut block)? < BLOCK {
            return Err(TarError::Truncated);
        }
        let at = self.at;
        if block != [0; BLOCK] || self.fill(&mut block[..1])? > 0 {
            return Err(TarError::Stray(at));
        }
        Ok(None)
    }

    /// Reads until a buffer is full or the input ends.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let mut done = 0;
        while done < buffer.len() {
            match self.from.read(&mut buffer[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TarError::Io(error)),
            }
        }
        self.at += done as u64;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), 1_763_700_000);
        writer.member(super::super::HEAD, b"{}").unwrap();
        writer.member("keys/admin.key", &[7; 512]).unwrap();
        writer.member("index/000001.rows", &[9; 1_000]).unwrap();
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, TarError> {
        let mut reader = Reader::new(bytes);
        let mut all = Vec::new();
        while let Some(member) = reader.next()? {
            all.push(member);
        }
        Ok(all)
    }

    #[test]
    fn what_is_written_is_read_and_is_a_tar() {
        let bytes = archive();
        let all = read(&bytes).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[1], ("keys/admin.key".into(), vec![7; 512]));
        assert_eq!(all[2].1, vec![9; 1_000]);
        // What POSIX wants: magic, a plain file, and the sum of the header's bytes.
        assert_eq!(&bytes[257..265], b"ustar\x0000");
        let sum: u32 = (0..512)
            .map(|at| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(bytes[at])
                }
            })
            .sum();
        assert_eq!(&bytes[148..155], format!("{sum:06o}\0").as_bytes());
    }

    #[test]
    fn every_cut_and_every_flipped_bit_outside_of_contents_is_told() {
        let bytes = archive();
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "cut to {len}");
        }
        let contents = [512..514, 1536..2048, 2560..3560];
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x04;
            let told = read(&bytes).is_err();
            let inside = contents.iter().any(|range| range.contains(&at));
            assert_eq!(told, !inside, "byte {at}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(read(&longer), Err(TarError::Stray(_))));
    }

    #[test]
    fn links_folders_and_huge_members_are_refused() {
        let mut link = archive();
        link[1024 + 156] = b'2';
        let sum: u32 = (1024..1536)
            .map(|at| {
                if (1172..1180).contains(&at) {
                    32
                } else {
                    u32::from(link[at])
                }
            })
            .sum();
        link[1172..1180].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(matches!(read(&link), Err(TarError::Header(1024))));
        let mut huge = archive();
        let head = header("keys/admin.key", 1 << 32, 1_763_700_000);
        huge[1024..1536].copy_from_slice(&head);
        assert!(matches!(read(&huge), Err(TarError::TooLong(_))));
        assert!(matches!(read(b"hello"), Err(TarError::NotOne)));
        assert!(matches!(read(&[0; 4096]), Err(TarError::NotOne)));
    }
}
