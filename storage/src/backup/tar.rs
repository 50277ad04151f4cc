//! The container of backups and exports: plain `ustar`, which every tar takes apart, in the one
//! spelling that FORMAT.md gives. The reader takes nothing but that spelling: no links, no folders,
//! no devices, no extensions, no names that lead elsewhere.

use std::io::{self, Read, Write};

use crate::limits::READ_BUFFER;

/// Bytes of a header, and what everything is a multiple of.
pub(crate) const BLOCK: usize = 512;

/// The longest name of a member.
pub(crate) const NAME_MAX: usize = 100;

/// The longest member that is held in memory, in bytes: a larger one is no backup's.
pub(crate) const MEMBER_MAX: usize = 32 * 1024 * 1024;

/// The shortest length that octal digits do not hold. From here on it is a number in base 256, as
/// GNU tar, bsdtar and Python write and read it.
const OCTAL_END: u64 = 1 << 33;

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
    if bytes < OCTAL_END {
        put(124, format!("{bytes:011o}\0").as_bytes());
    } else {
        put(124, &[0x80]);
        put(128, &bytes.to_be_bytes());
    }
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
        if bytes.len() > MEMBER_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.begin(name, bytes.len() as u64)?;
        self.content(bytes)?;
        self.end(bytes.len() as u64)
    }

    /// Begins a member; [`Writer::content`] of just this length follows, then [`Writer::end`].
    pub(crate) fn begin(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        if name.len() > NAME_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.to.write_all(&header(name, bytes, self.at_s))
    }

    /// Writes some of a member's content.
    pub(crate) fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }

    /// Ends a member of this length.
    pub(crate) fn end(&mut self, bytes: u64) -> io::Result<()> {
        self.to.write_all(&[0; BLOCK][..padding(bytes)])
    }

    /// Writes the end.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        self.to.flush()?;
        Ok(self.to)
    }
}

/// Zeros between a content of this length and the next header: less than a block.
fn padding(len: u64) -> usize {
    let over = len % BLOCK as u64;
    usize::try_from(over).map_or(0, |over| (BLOCK - over) % BLOCK)
}

/// Reads members.
pub(crate) struct Reader<R> {
    from: R,
    /// The first member's name: an archive that begins otherwise is something else.
    first: &'static str,
    at: u64,
    at_s: Option<u64>,
}

impl<R: Read> Reader<R> {
    pub(crate) const fn new(from: R, first: &'static str) -> Self {
        Self {
            from,
            first,
            at: 0,
            at_s: None,
        }
    }

    /// Bytes read so far.
    pub(crate) const fn position(&self) -> u64 {
        self.at
    }

    /// The time that all headers bear, once one was read.
    pub(crate) const fn time_s(&self) -> Option<u64> {
        self.at_s
    }

    /// The next member; `None` at the end, which must be the end of the input too.
    pub(crate) fn next(&mut self) -> Result<Option<(String, Vec<u8>)>, TarError> {
        let Some((name, len)) = self.next_header()? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        self.whole(&name, len, MEMBER_MAX, &mut bytes)?;
        Ok(Some((name, bytes)))
    }

    /// The next member's name and length; its content must be read before the next is asked for.
    pub(crate) fn next_header(&mut self) -> Result<Option<(String, u64)>, TarError> {
        let at = self.at;
        let mut block = [0; BLOCK];
        let read = self.fill(&mut block)?;
        let begins = block.strip_prefix(self.first.as_bytes());
        if at == 0 && (read < BLOCK || begins.is_none_or(|rest| rest[0] != 0)) {
            return Err(TarError::NotOne);
        }
        if read < BLOCK {
            return Err(TarError::Truncated);
        }
        if block == [0; BLOCK] {
            return self.end().map(|()| None);
        }
        let (name, len, at_s) = self.parsed(&block).ok_or(TarError::Header(at))?;
        self.at_s = Some(at_s);
        Ok(Some((name, len)))
    }

    /// Reads a content of a bounded length into memory. It grows with what is read, not with what
    /// a header claims.
    pub(crate) fn whole(
        &mut self,
        name: &str,
        len: u64,
        longest: usize,
        bytes: &mut Vec<u8>,
    ) -> Result<(), TarError> {
        if len > longest as u64 {
            return Err(TarError::TooLong(name.to_owned()));
        }
        self.content(len, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })
    }

    /// Reads a content of this length, and the zeros behind it, piece by piece.
    pub(crate) fn content<E: From<TarError>>(
        &mut self,
        len: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let most = usize::try_from(len).unwrap_or(READ_BUFFER);
        let mut buffer = vec![0; most.min(READ_BUFFER)];
        let mut left = len;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(READ_BUFFER);
            let piece = &mut buffer[..wanted.min(READ_BUFFER)];
            if self.fill(piece)? < piece.len() {
                return Err(TarError::Truncated.into());
            }
            take(piece)?;
            left -= piece.len() as u64;
        }
        let start = self.at;
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..padding(len)];
        if self.fill(rest)? < rest.len() {
            return Err(TarError::Truncated.into());
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(TarError::Stray(start).into());
        }
        Ok(())
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
        let len = if block[124] == 0x80 {
            u64::from_be_bytes(block[128..136].try_into().ok()?)
        } else {
            octal(&block[124..135])?
        };
        let at_s = octal(&block[136..147])?;
        let same_time = self.at_s.is_none_or(|known| known == at_s);
        (same_time && header(&name, len, at_s) == *block).then_some((name, len, at_s))
    }

    fn end(&mut self) -> Result<(), TarError> {
        let mut block = [0; BLOCK];
        if self.fill(&mut block)? < BLOCK {
            return Err(TarError::Truncated);
        }
        let at = self.at;
        if block != [0; BLOCK] || self.fill(&mut block[..1])? > 0 {
            return Err(TarError::Stray(at));
        }
        Ok(())
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
        let mut reader = Reader::new(bytes, super::super::HEAD);
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
        let long = header("keys/admin.key", OCTAL_END - 1, 1_763_700_000);
        assert_eq!(&long[124..136], b"77777777777\0");
        for len in [OCTAL_END, u64::MAX] {
            let mut longer = archive();
            longer[1024..1536].copy_from_slice(&header("keys/admin.key", len, 1_763_700_000));
            let mut reader = Reader::new(&longer[..], super::super::HEAD);
            reader.next().unwrap();
            assert_eq!(
                reader.next_header().unwrap(),
                Some(("keys/admin.key".into(), len))
            );
            let nothing = &mut |_: &[u8]| Ok::<_, TarError>(());
            assert!(matches!(
                reader.content(len, nothing),
                Err(TarError::Truncated)
            ));
        }
        assert!(matches!(read(b"hello"), Err(TarError::NotOne)));
        assert!(matches!(read(&[0; 4096]), Err(TarError::NotOne)));
    }
}
