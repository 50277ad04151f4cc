//! Mapped files. The only file of this crate with `unsafe`: mapping itself, asking which pages
//! are in memory, and the priority of the work thread's system call.
#![allow(unsafe_code, reason = "mmap and mincore have no safe interface")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use memmap2::{Advice, Mmap, MmapOptions};

/// One mapped file (or a window of it on 32-bit). Alive while any slice of it is.
pub struct Mapping {
    map: Option<Mmap>,
    file: File,
    file_offset: u64,
}

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapping")
            .field("file", &self.file)
            .field("file_offset", &self.file_offset)
            .field("len", &self.len())
            .finish()
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

impl Mapping {
    /// Maps the first `len` bytes of a file that is at least that long.
    ///
    /// # Errors
    /// `mmap`'s; `UnexpectedEof` when the file is shorter, `Unsupported` when the address space
    /// is too small for it.
    pub(crate) fn new(file: File, len: u64) -> io::Result<Self> {
        if file.metadata()?.len() < len {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        let len = usize::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::Unsupported))?;
        if len == 0 {
            return Ok(Self {
                map: None,
                file,
                file_offset: 0,
            });
        }
        // SAFETY: the mapping is shared and read-only. Callreel never changes a published byte
        // and never cuts a file below its published length; somebody else who does is met by
        // the rule that user space reads only through `read_at`, so bytes of this slice are
        // looked at by the kernel alone, which answers EFAULT instead of SIGBUS.
        let map = unsafe { MmapOptions::new().len(len).map(&file)? };
        Ok(Self {
            map: Some(map),
            file,
            file_offset: 0,
        })
    }

    /// Mapped bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.map.as_ref().map_or(0, |map| map.len() as u64)
    }

    /// Whether nothing is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_none()
    }

    /// Address range of the mapping, so that an IO type can recognise slices of it.
    #[must_use]
    pub fn address_range(&self) -> Range<usize> {
        self.map.as_ref().map_or(0..0, |map| {
            let start = map.as_ptr().addr();
            start..start + map.len()
        })
    }

    /// The mapped file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// File offset of the first mapped byte.
    #[must_use]
    pub fn file_offset(&self) -> u64 {
        self.file_offset
    }

    /// Whether every page of this part of the mapping is in the page cache (`mincore`). Never
    /// blocks; false when it cannot be told or the part is not mapped.
    #[must_use]
    pub fn is_resident(&self, range: Range<u64>) -> bool {
        let Some((map, range)) = self.part(range) else {
            return false;
        };
        if range.is_empty() {
            return true;
        }
        let page = page_size();
        let start = range.start / page * page;
        let mut at = start;
        while at < range.end {
            let len = (range.end - at).min(RESIDENCE_PAGES * page);
            let mut pages = [0_u8; RESIDENCE_PAGES];
            let asked = len.div_ceil(page);
            // SAFETY: `at` is page-aligned and `at + len` lies within the live mapping; `pages`
            // has a byte for each of the `asked` pages. The kernel writes nothing else.
            let answer = unsafe {
                libc::mincore(
                    map.as_ptr().add(at).cast_mut().cast(),
                    len,
                    pages.as_mut_ptr().cast(),
                )
            };
            if answer != 0 || pages[..asked].iter().any(|page| page & 1 == 0) {
                return false;
            }
            at += asked * page;
        }
        true
    }

    /// Faults pages in (`MADV_POPULATE_READ`, Linux 5.14; older kernels read them through a
    /// buffer); blocks.
    ///
    /// # Errors
    /// `EFAULT` when the file was truncated under us; `InvalidInput` outside the mapping.
    pub fn populate(&self, range: Range<u64>) -> io::Result<()> {
        let bytes = range.clone();
        let (map, range) = self
            .part(range)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        if range.is_empty() {
            return Ok(());
        }
        match map.advise_range(Advice::PopulateRead, range.start, range.len()) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.read_through(bytes),
            other => other,
        }
    }

    /// Reads with `pread`, at a file offset: never a SIGBUS. Short when the file was truncated.
    ///
    /// # Errors
    /// `pread`'s.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn read_through(&self, range: Range<u64>) -> io::Result<()> {
        let mut buffer = vec![0; crate::limits::READ_BUFFER];
        let mut at = range.start;
        while at < range.end {
            let wanted = buffer
                .len()
                .min(usize::try_from(range.end - at).unwrap_or(usize::MAX));
            let read = self.read_at(self.file_offset + at, &mut buffer[..wanted])?;
            if read < wanted {
                return Err(io::Error::from_raw_os_error(libc::EFAULT));
            }
            at += read as u64;
        }
        Ok(())
    }

    fn part(&self, range: Range<u64>) -> Option<(&Mmap, Range<usize>)> {
        let map = self.map.as_ref()?;
        let start = usize::try_from(range.start).ok()?;
        let end = usize::try_from(range.end).ok()?;
        (start <= end && end <= map.len()).then_some((map, start..end))
    }
}

/// Pages asked about in one `mincore`.
const RESIDENCE_PAGES: usize = 256;

fn page_size() -> usize {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)
        .ok()
        .flatten()
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| size.is_power_of_two())
        .unwrap_or(4096)
}

/// Gives the calling thread the lowest ordinary priority (nice 19); refused quietly.
pub fn lower_priority() {
    // SAFETY: `setpriority` takes three numbers and touches no memory; 0 means this thread.
    let answer = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
    if answer != 0 {
        log::debug!(
            "a work thread keeps its priority: {}",
            io::Error::last_os_error()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_file_is_an_error_and_not_a_signal() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&vec![7; 64 * 1024], 0).unwrap();
        let mapping = Mapping::new(file.try_clone().unwrap(), 64 * 1024).unwrap();
        mapping.populate(0..64 * 1024).unwrap();
        assert!(mapping.is_resident(100..60_000));
        file.set_len(4096).unwrap();
        assert!(mapping.populate(8192..65_536).is_err());
        let mut buffer = [0; 16];
        assert_eq!(mapping.read_at(4090, &mut buffer).unwrap(), 6);
        assert!(
            mapping.populate(0..65_537).is_err(),
            "outside of the mapping"
        );
        assert!(!mapping.is_resident(0..65_537));
    }

    #[test]
    fn files_shorter_than_promised_are_not_mapped() {
        let file = tempfile::tempfile().unwrap();
        assert!(Mapping::new(file.try_clone().unwrap(), 1).is_err());
        assert!(Mapping::new(file, 0).unwrap().is_empty());
    }
}
