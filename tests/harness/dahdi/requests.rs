//! The requests (`ioctl`) of the double, as the driver answers them: bytes in, bytes out.

use std::ffi::c_int;
use std::mem::offset_of;

use audio_io::dahdi::abi::{self, BufferInfo, ConfInfo, DialOperation, Gains, Params};
use audio_io::dahdi::abi::{SpanInfo, VersionInfo, WctdmStats};
use audio_io::dahdi::{Direction, Law};
use nix::sys::ioctl::ioctl_num_type as Request;

use super::line::{Asked, Line};
use super::model::{EBUSY, EFAULT, EINPROGRESS, EINVAL, ENODATA, ENODEV, ENOTTY, ENXIO, Model};

/// What a request comes to: an error number or 0, and what is written back.
pub(super) struct Answer {
    pub(super) errno: i32,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) const DONE: Self = Self {
        errno: 0,
        bytes: Vec::new(),
    };

    pub(super) fn errno(errno: i32) -> Self {
        Self {
            errno,
            bytes: Vec::new(),
        }
    }

    fn number(value: c_int) -> Self {
        Self::bytes(value.to_ne_bytes().to_vec())
    }

    fn bytes(bytes: Vec<u8>) -> Self {
        Self { errno: 0, bytes }
    }
}

impl From<Result<(), i32>> for Answer {
    fn from(result: Result<(), i32>) -> Self {
        result.map_or_else(Self::errno, |()| Self::DONE)
    }
}

/// A request to the control file.
pub(super) fn control(model: &mut Model, request: u32, given: &[u8]) -> Answer {
    match Request::from(request) {
        abi::GETVERSION => {
            let mut bytes = vec![0; size_of::<VersionInfo>()];
            text(
                &mut bytes,
                offset_of!(VersionInfo, version),
                "2.11.1-double",
            );
            text(&mut bytes, offset_of!(VersionInfo, echo_canceller), "MG2");
            Answer::bytes(bytes)
        }
        abi::GET_PARAMS => {
            let number = int(given, offset_of!(Params, channo));
            params(model, u32::try_from(number).unwrap_or_default(), given)
        }
        abi::SPANSTAT => span(model, int(given, 0).cast_unsigned()),
        _ => Answer::errno(ENOTTY),
    }
}

/// A request to an open channel.
pub(super) fn channel(model: &mut Model, number: u32, request: u32, given: &[u8]) -> Answer {
    let request = Request::from(request);
    let zone = model.zone;
    let Some(line) = model.line(number) else {
        // The driver says so with the event, too.
        let mut answer = Answer::errno(ENODEV);
        if request == abi::GETEVENT {
            answer.bytes = abi::EVENT_REMOVED.to_ne_bytes().to_vec();
        }
        return answer;
    };
    let value = int(given, 0);
    match request {
        abi::GETEVENT => Answer::number(line.events.pop_front().unwrap_or(abi::EVENT_NONE)),
        abi::HOOK => {
            line.asked.push(Asked::Hook(value));
            match model.hook(number, value) {
                EINPROGRESS => Answer::errno(EINPROGRESS),
                errno => Answer::errno(errno),
            }
        }
        abi::GET_PARAMS => params(model, number, given),
        abi::SPANSTAT => {
            let own = line.span;
            let wanted = value.cast_unsigned();
            span(model, if wanted == 0 { own } else { wanted })
        }
        abi::RXMIRROR | abi::TXMIRROR => mirror(model, number, request, value),
        abi::SETCONF => monitor(model, number, given),
        abi::DIAL => dial(model, number, given),
        abi::SENDTONE => tone(model, number, value),
        abi::ECHOCANCEL => {
            line.asked.push(Asked::Echo(value));
            if !line.audio {
                return Answer::errno(EINVAL);
            }
            if model.canceller || value == 0 {
                Answer::DONE
            } else {
                Answer::errno(ENODEV)
            }
        }
        abi::SETTONEZONE if !zone => Answer::errno(ENODATA),
        _ => plain(line, request, value, given),
    }
}

/// Requests that concern one channel alone.
fn plain(line: &mut Line, request: Request, value: c_int, given: &[u8]) -> Answer {
    let size = usize::try_from(value).unwrap_or_default();
    match request {
        abi::GET_BLOCKSIZE => return Answer::number(c_int::try_from(line.block).unwrap_or(0)),
        abi::SET_BLOCKSIZE => return buffers(line, size, line.count),
        abi::GET_BUFINFO => return Answer::bytes(buffer_info(line)),
        abi::SET_BUFINFO => {
            let field = |at| usize::try_from(int(given, at)).unwrap_or_default();
            let count = field(offset_of!(BufferInfo, numbufs));
            return buffers(line, field(offset_of!(BufferInfo, bufsize)), count);
        }
        abi::GETGAINS | abi::SETGAINS => return gains(line, request, given),
        abi::GETCONF => {
            let (confno, mode) = line.conference;
            let numbers = [line.number.cast_signed(), confno, mode];
            return Answer::bytes(numbers.map(c_int::to_ne_bytes).concat());
        }
        abi::CHANNO => return Answer::number(line.number.cast_signed()),
        abi::DIALING => return Answer::number(line.is_dialling().into()),
        abi::GETTONEZONE => return Answer::number(line.zone),
        abi::GETRXBITS => return Answer::number(line.rx_bits),
        abi::WCTDM_GET_STATS => return volts(line),
        _ => {}
    }
    if request == abi::FLUSH {
        line.asked.push(Asked::Flush(value));
        if value & abi::FLUSH_READ != 0 {
            line.empty_rx();
        }
        if value & abi::FLUSH_WRITE != 0 {
            line.empty_tx();
        }
        if value & abi::FLUSH_EVENT != 0 {
            line.events.clear();
        }
        return Answer::DONE;
    }
    Answer::from(settings(line, request, value))
}

/// Requests that set one number.
fn settings(line: &mut Line, request: Request, value: c_int) -> Result<(), i32> {
    match request {
        abi::SET_PARAMS => {}
        abi::SETTONEZONE => line.zone = value.max(0),
        abi::AUDIOMODE if line.sig != abi::SIG_CLEAR || line.pseudo => return Err(EINVAL),
        abi::AUDIOMODE => line.audio = value != 0,
        abi::SETLAW => {
            line.asked.push(Asked::Law(value));
            line.law = match value {
                abi::LAW_DEFAULT => line.own_law,
                abi::LAW_MULAW => Law::MuLaw,
                abi::LAW_ALAW => Law::ALaw,
                _ => return Err(EINVAL),
            };
        }
        abi::SETLINEAR if !line.audio => return Err(EINVAL),
        abi::SETLINEAR => {
            line.asked.push(Asked::Linear(value != 0));
            line.linear = value != 0;
        }
        abi::BUFFER_EVENTS => line.tells_buffers = value != 0,
        _ => return Err(ENOTTY),
    }
    Ok(())
}

fn buffers(line: &mut Line, block: usize, count: usize) -> Answer {
    let longest = usize::try_from(abi::MAX_BLOCKSIZE).unwrap_or_default();
    let space = usize::try_from(abi::MAX_BUF_SPACE).unwrap_or_default();
    if !(16..=longest).contains(&block) || block * count > space || count == 0 {
        return Answer::errno(EINVAL);
    }
    (line.block, line.count) = (block, count);
    line.empty();
    Answer::DONE
}

fn buffer_info(line: &Line) -> Vec<u8> {
    let plain = |value: usize| c_int::try_from(value).unwrap_or_default();
    let immediate = abi::POLICY_IMMEDIATE;
    let fields = [
        immediate,
        immediate,
        plain(line.count),
        plain(line.block),
        -1,
        -1,
    ];
    fields.map(c_int::to_ne_bytes).concat()
}

fn gains(line: &mut Line, request: Request, given: &[u8]) -> Answer {
    if !line.audio {
        return Answer::errno(EINVAL);
    }
    let (rx, tx) = (offset_of!(Gains, rxgain), offset_of!(Gains, txgain));
    if request == abi::SETGAINS {
        let table = |at: usize| given.get(at..at + 256)?.try_into().ok();
        let (Some(rx_table), Some(tx_table)) = (table(rx), table(tx)) else {
            return Answer::errno(EFAULT);
        };
        (line.rx_gain, line.tx_gain) = (rx_table, tx_table);
        return Answer::DONE;
    }
    let mut bytes = vec![0; size_of::<Gains>()];
    put(&mut bytes, 0, line.number.cast_signed());
    bytes[rx..rx + 256].copy_from_slice(&line.rx_gain);
    bytes[tx..tx + 256].copy_from_slice(&line.tx_gain);
    Answer::bytes(bytes)
}

fn volts(line: &Line) -> Answer {
    let Some(millivolts) = line.millivolts else {
        return Answer::errno(ENOTTY);
    };
    let mut bytes = vec![0; size_of::<WctdmStats>()];
    for at in [0, 4, 8] {
        put(&mut bytes, at, millivolts);
    }
    Answer::bytes(bytes)
}

fn mirror(model: &mut Model, number: u32, request: Request, tapped: c_int) -> Answer {
    if !model.mirrors {
        return Answer::errno(ENOTTY);
    }
    let direction = if request == abi::RXMIRROR {
        Direction::Rx
    } else {
        Direction::Tx
    };
    let wanted = (u32::try_from(tapped).unwrap_or_default(), direction);
    if model.line(wanted.0).is_none() {
        return Answer::errno(EINVAL);
    }
    if model
        .lines
        .values()
        .any(|line| line.mirrors == Some(wanted))
    {
        return Answer::errno(EFAULT);
    }
    match model.line(number) {
        Some(line) if line.mirrors.is_none() => {
            line.mirrors = Some(wanted);
            Answer::DONE
        }
        _ => Answer::errno(ENODEV),
    }
}

fn monitor(model: &mut Model, number: u32, given: &[u8]) -> Answer {
    let confno = int(given, offset_of!(ConfInfo, confno));
    let mode = int(given, offset_of!(ConfInfo, confmode));
    let tapped = u32::try_from(confno).unwrap_or_default();
    let listens = matches!(mode, abi::CONF_MONITOR | abi::CONF_MONITORTX);
    if !listens || model.line(tapped).is_none() {
        return Answer::errno(EINVAL);
    }
    let Some(line) = model.line(number).filter(|line| line.audio) else {
        return Answer::errno(EINVAL);
    };
    line.conference = (confno, mode);
    let mut bytes = given.to_vec();
    put(&mut bytes, 0, number.cast_signed());
    Answer::bytes(bytes)
}

fn dial(model: &mut Model, number: u32, given: &[u8]) -> Answer {
    let zone = model.zone;
    let Some(line) = model.line(number) else {
        return Answer::errno(ENODEV);
    };
    if !zone {
        return Answer::errno(ENODATA);
    }
    let from = offset_of!(DialOperation, dialstr);
    let digits: Vec<u8> = given[from..]
        .iter()
        .copied()
        .take_while(|byte| *byte != 0)
        .collect();
    let digits = String::from_utf8_lossy(&digits).to_uppercase();
    match int(given, 0) {
        abi::DIAL_OP_CANCEL => {
            line.asked.push(Asked::StopDial);
            line.be_quiet();
        }
        abi::DIAL_OP_REPLACE | abi::DIAL_OP_APPEND => {
            line.asked.push(Asked::Dial(digits.clone()));
            line.dial(&digits);
        }
        _ => return Answer::errno(EINVAL),
    }
    Answer::DONE
}

fn tone(model: &mut Model, number: u32, tone: c_int) -> Answer {
    let zone = model.zone;
    let Some(line) = model.line(number) else {
        return Answer::errno(ENODEV);
    };
    line.asked.push(Asked::Tone(tone));
    if tone < 0 {
        line.be_quiet();
    } else if !zone {
        return Answer::errno(ENODATA);
    } else if line.is_dialling() {
        return Answer::errno(EBUSY);
    } else {
        line.tone(tone);
    }
    Answer::DONE
}

fn params(model: &mut Model, number: u32, given: &[u8]) -> Answer {
    let Some(line) = model.line(number) else {
        return Answer::errno(EINVAL);
    };
    let law = if line.law == Law::ALaw {
        abi::LAW_ALAW
    } else {
        abi::LAW_MULAW
    };
    let mut bytes = given.to_vec();
    bytes.resize(size_of::<Params>(), 0);
    let fields = [
        (offset_of!(Params, channo), line.number.cast_signed()),
        (offset_of!(Params, spanno), line.span.cast_signed()),
        (offset_of!(Params, chanpos), line.position.cast_signed()),
        (offset_of!(Params, sigtype), line.sig),
        (offset_of!(Params, sigcap), line.sig),
        (
            offset_of!(Params, rxisoffhook),
            (line.rx_signal != 0).into(),
        ),
        (offset_of!(Params, rxbits), line.rx_bits),
        (offset_of!(Params, txhooksig), line.tx_signal),
        (offset_of!(Params, rxhooksig), line.rx_signal),
        (offset_of!(Params, curlaw), law),
        (offset_of!(Params, chan_alarms), line.alarms.cast_signed()),
    ];
    for (at, value) in fields {
        put(&mut bytes, at, value);
    }
    let name = format!("DOUBLE/{}/{}", line.span, line.position);
    text(&mut bytes, offset_of!(Params, name), &name);
    Answer::bytes(bytes)
}

fn span(model: &Model, number: u32) -> Answer {
    let Some(span) = model.spans.iter().find(|span| span.number == number) else {
        return Answer::errno(EINVAL);
    };
    let lines = || model.lines.values().filter(|line| line.span == number);
    if lines().all(|line| line.removed) {
        return Answer::errno(EINVAL);
    }
    let configured = lines().filter(|line| line.sig != abi::SIG_NONE).count();
    let mut bytes = vec![0; size_of::<SpanInfo>()];
    let fields = [
        (offset_of!(SpanInfo, spanno), number),
        (offset_of!(SpanInfo, alarms), span.alarms),
        (offset_of!(SpanInfo, totalchans), span.channels),
        (
            offset_of!(SpanInfo, numchans),
            u32::try_from(configured).unwrap_or_default(),
        ),
        (
            offset_of!(SpanInfo, totalspans),
            u32::try_from(model.spans.len()).unwrap_or_default(),
        ),
    ];
    for (at, value) in fields {
        put(&mut bytes, at, value.cast_signed());
    }
    text(
        &mut bytes,
        offset_of!(SpanInfo, name),
        &format!("DOUBLE/{number}"),
    );
    text(
        &mut bytes,
        offset_of!(SpanInfo, desc),
        "A span of the double",
    );
    text(&mut bytes, offset_of!(SpanInfo, spantype), &span.kind);
    text(&mut bytes, offset_of!(SpanInfo, devicetype), "Double");
    Answer::bytes(bytes)
}

/// `DAHDI_SPECIFY`: the channel a file stands for from now on.
pub(super) fn specify(model: &mut Model, request: u32, given: &[u8]) -> Result<u32, i32> {
    if Request::from(request) != abi::SPECIFY {
        return Err(nix::errno::Errno::ENOSYS as i32);
    }
    let number = u32::try_from(int(given, 0)).map_err(|_| ENXIO)?;
    model.open(number).map(|()| number)
}

fn int(bytes: &[u8], at: usize) -> c_int {
    let place = bytes
        .get(at..at + 4)
        .and_then(|place| place.try_into().ok());
    place.map_or(0, c_int::from_ne_bytes)
}

fn put(bytes: &mut [u8], at: usize, value: c_int) {
    bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
}

fn text(bytes: &mut [u8], at: usize, words: &str) {
    bytes[at..at + words.len()].copy_from_slice(words.as_bytes());
}
