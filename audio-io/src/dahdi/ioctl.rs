//! The requests as functions: one each, typed, on an open file. Nothing but the call is here.
#![allow(unsafe_code, reason = "ioctl(2) takes a raw pointer")]

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::abi;

/// What the kernel fills in: plain numbers, for which any bytes are valid.
///
/// # Safety
/// The type is `repr(C)` and made of integers and arrays of integers only.
pub(super) unsafe trait Plain: Copy {
    /// All bytes zero.
    fn zeroed() -> Self {
        // SAFETY: integers and arrays of them may be all zero; that is what the trait promises.
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

// SAFETY: each is made of integers and arrays of integers.
unsafe impl Plain for c_int {}
// SAFETY: as above.
unsafe impl Plain for abi::Params {}
// SAFETY: as above.
unsafe impl Plain for abi::SpanInfo {}
// SAFETY: as above.
unsafe impl Plain for abi::BufferInfo {}
// SAFETY: as above.
unsafe impl Plain for abi::Gains {}
// SAFETY: as above.
unsafe impl Plain for abi::ConfInfo {}
// SAFETY: as above.
unsafe impl Plain for abi::DialOperation {}
// SAFETY: as above.
unsafe impl Plain for abi::VersionInfo {}
// SAFETY: as above.
unsafe impl Plain for abi::WctdmStats {}

/// Requests that the kernel answers with a value.
macro_rules! reads {
    ($($name:ident, $request:ident, $type:ty;)*) => {$(
        #[doc = concat!("`DAHDI_", stringify!($request), "`")]
        pub(super) fn $name(file: BorrowedFd<'_>) -> nix::Result<$type> {
            nix::ioctl_read_bad!(call, abi::$request, $type);
            let mut value = <$type as Plain>::zeroed();
            // SAFETY: the descriptor is open, the request writes one such value, which lives.
            unsafe { call(file.as_raw_fd(), &raw mut value) }?;
            Ok(value)
        }
    )*};
}

/// Requests that take a value.
macro_rules! writes {
    ($($name:ident, $request:ident, $type:ty;)*) => {$(
        #[doc = concat!("`DAHDI_", stringify!($request), "`")]
        pub(super) fn $name(file: BorrowedFd<'_>, mut value: $type) -> nix::Result<()> {
            // Some of them write an answer back, although their number does not say so.
            nix::ioctl_readwrite_bad!(call, abi::$request, $type);
            // SAFETY: the descriptor is open, the request reads one such value, which lives.
            unsafe { call(file.as_raw_fd(), &raw mut value) }?;
            Ok(())
        }
    )*};
}

/// Requests that take a value and give one back.
macro_rules! exchanges {
    ($($name:ident, $request:ident, $type:ty;)*) => {$(
        #[doc = concat!("`DAHDI_", stringify!($request), "`")]
        pub(super) fn $name(file: BorrowedFd<'_>, mut value: $type) -> nix::Result<$type> {
            nix::ioctl_readwrite_bad!(call, abi::$request, $type);
            // SAFETY: the descriptor is open, the request changes one such value, which lives.
            unsafe { call(file.as_raw_fd(), &raw mut value) }?;
            Ok(value)
        }
    )*};
}

reads! {
    get_blocksize, GET_BLOCKSIZE, c_int;
    get_event, GETEVENT, c_int;
    get_tone_zone, GETTONEZONE, c_int;
    get_bufinfo, GET_BUFINFO, abi::BufferInfo;
    channo, CHANNO, c_int;
    dialing, DIALING, c_int;
    get_rx_bits, GETRXBITS, c_int;
    get_version, GETVERSION, abi::VersionInfo;
    wctdm_stats, WCTDM_GET_STATS, abi::WctdmStats;
}

writes! {
    set_blocksize, SET_BLOCKSIZE, c_int;
    flush, FLUSH, c_int;
    set_params, SET_PARAMS, abi::Params;
    hook, HOOK, c_int;
    set_gains, SETGAINS, abi::Gains;
    send_tone, SENDTONE, c_int;
    set_tone_zone, SETTONEZONE, c_int;
    set_bufinfo, SET_BUFINFO, abi::BufferInfo;
    dial, DIAL, abi::DialOperation;
    audio_mode, AUDIOMODE, c_int;
    echo_cancel, ECHOCANCEL, c_int;
    specify, SPECIFY, c_int;
    set_law, SETLAW, c_int;
    set_linear, SETLINEAR, c_int;
    rx_mirror, RXMIRROR, c_int;
    tx_mirror, TXMIRROR, c_int;
    buffer_events, BUFFER_EVENTS, c_int;
}

exchanges! {
    get_params, GET_PARAMS, abi::Params;
    span_stat, SPANSTAT, abi::SpanInfo;
    get_conf, GETCONF, abi::ConfInfo;
    set_conf, SETCONF, abi::ConfInfo;
    get_gains, GETGAINS, abi::Gains;
}
