//! LAME behind a safe face: one encoder of one constant bit rate, without bit reservoir, that is
//! fed samples and gives whole frames. All `unsafe` code of the MP3 encoder is here.
#![allow(
    unsafe_code,
    reason = "LAME is a C library; every call is wrapped here and nowhere else"
)]

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};
use std::sync::{PoisonError, RwLock};

use mp3lame_sys as sys;

use super::settings::Settings;
use crate::codec::encode::EncodeError;
use crate::format::Channels;

/// LAME fills tables that all encoders of the process share whenever one is made. An encoder is
/// made under the write lock and works under the read lock, so nobody reads what another writes.
static TABLES: RwLock<()> = RwLock::new(());

/// The quality that the `lame` command uses by default: noise shaping and the best Huffman
/// tables.
pub(super) const QUALITY: c_int = 3;

/// LAME takes the absolute threshold of hearing as it is at full volume. What it would do on its
/// own, lowering it in quiet places and raising it only over seconds, is a memory far longer than
/// a chunk's warm-up, and the sound before a seam would be coded with another threshold than that
/// after it.
const ATH_ADJUSTMENT: c_int = 0;

/// One encoder.
pub(super) struct Lame {
    handle: NonNull<sys::lame_global_flags>,
    channels: Channels,
}

// SAFETY: the encoder's state belongs to this value alone; LAME keeps nothing of a thread, and
// what its encoders share is guarded by `TABLES`.
unsafe impl Send for Lame {}

impl Lame {
    /// Makes an encoder.
    ///
    /// # Errors
    /// [`EncodeError::Codec`] if memory is short or LAME refuses the settings.
    pub(super) fn new(settings: &Settings) -> Result<Self, EncodeError> {
        let _alone = TABLES.write().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: takes nothing, gives a new encoder or null.
        let handle = NonNull::new(unsafe { sys::lame_init() }).ok_or(failure("no memory"))?;
        let lame = Self {
            handle,
            channels: settings.channels,
        };
        lame.configure(settings)?;
        // SAFETY: the handle is live (it is freed by `drop` only) and not initialised before.
        let code = unsafe { sys::lame_init_params(lame.handle.as_ptr()) };
        if code < 0 {
            return Err(failure("settings refused"));
        }
        Ok(lame)
    }

    fn configure(&self, settings: &Settings) -> Result<(), EncodeError> {
        let handle = self.handle.as_ptr();
        let rate = as_int(settings.rate.hertz());
        let kilobits = as_int(settings.kilobits);
        let (count, mode) = match settings.channels {
            Channels::Mono => (1, sys::MPEG_mode::MONO),
            // Never joint: the legs share no coefficients, so none is heard on the other's side.
            Channels::Stereo => (2, sys::MPEG_mode::STEREO),
        };
        // SAFETY: the handle is live and not yet in use; these calls store values in it. Without
        // report functions LAME prints nothing.
        let codes = unsafe {
            [
                sys::lame_set_errorf(handle, None),
                sys::lame_set_debugf(handle, None),
                sys::lame_set_msgf(handle, None),
                sys::lame_set_in_samplerate(handle, rate),
                sys::lame_set_out_samplerate(handle, rate),
                sys::lame_set_num_channels(handle, count),
                sys::lame_set_mode(handle, mode),
                sys::lame_set_VBR(handle, sys::vbr_mode::vbr_off),
                sys::lame_set_brate(handle, kilobits),
                sys::lame_set_quality(handle, QUALITY),
                sys::lame_set_scale(handle, settings.scale),
                sys::lame_set_athaa_type(handle, ATH_ADJUSTMENT),
                sys::lame_set_disable_reservoir(handle, 1),
                sys::lame_set_bWriteVbrTag(handle, 0),
                sys::lame_set_error_protection(handle, 0),
            ]
        };
        // SAFETY: as above.
        unsafe { sys::lame_set_write_id3tag_automatic(handle, 0) };
        if codes.iter().any(|code| *code < 0) {
            return Err(failure("settings refused"));
        }
        Ok(())
    }

    /// Encodes whole interleaved frames of samples; the bytes that are ready are put behind
    /// `out`.
    ///
    /// # Errors
    /// [`EncodeError::Codec`] if LAME fails.
    pub(super) fn encode(&mut self, samples: &[i16], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let frames = samples.len() / self.channels.count();
        // What lame.h says an answer may take at most.
        let room = frames + frames / 4 + 7_200;
        let start = out.len();
        out.resize(start + room, 0);
        let target = &mut out[start..];
        let (count, size) = (length(frames)?, length(room)?);
        let handle = self.handle.as_ptr();
        let _shared = TABLES.read().unwrap_or_else(PoisonError::into_inner);
        let code = match self.channels {
            // SAFETY: the handle is initialised; `count` samples lie at `samples`, which LAME only
            // reads (its signature lacks `const`); `size` bytes may be written to `target`. The
            // right channel is not looked at with one channel.
            Channels::Mono => unsafe {
                sys::lame_encode_buffer(
                    handle,
                    samples.as_ptr(),
                    ptr::null(),
                    count,
                    target.as_mut_ptr(),
                    size,
                )
            },
            // SAFETY: as above, with `count` pairs of samples.
            Channels::Stereo => unsafe {
                sys::lame_encode_buffer_interleaved(
                    handle,
                    samples.as_ptr().cast_mut(),
                    count,
                    target.as_mut_ptr(),
                    size,
                )
            },
        };
        let written = usize::try_from(code).map_err(|_| failure("a buffer refused"))?;
        out.truncate(start + written.min(room));
        Ok(())
    }
}

impl Drop for Lame {
    fn drop(&mut self) {
        // SAFETY: the handle is live and nobody uses it after this.
        unsafe { sys::lame_close(self.handle.as_ptr()) };
    }
}

/// LAME's version, such as `3.100`.
pub(super) fn version() -> &'static str {
    // SAFETY: gives a string that lives as long as the program and is never written to.
    let version = unsafe { CStr::from_ptr(sys::get_lame_version()) };
    version.to_str().unwrap_or("unknown")
}

const fn failure(what: &'static str) -> EncodeError {
    EncodeError::Codec {
        codec: "LAME",
        what,
    }
}

fn length(count: usize) -> Result<c_int, EncodeError> {
    c_int::try_from(count).map_err(|_| failure("a buffer too long"))
}

fn as_int(value: u32) -> c_int {
    c_int::try_from(value).unwrap_or(c_int::MAX)
}
