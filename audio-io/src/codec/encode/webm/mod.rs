//! Opus in WebM (Matroska, RFC 9559). How many clusters there will be is known before the first,
//! so the cues stand before them, where a browser finds them with the first bytes it asks for;
//! they are filled in while the clusters are written behind them.
//!
//! ```text
//!  EBML          DocType webm
//!  Segment       its size filled in at the end
//!    SeekHead    Info, Tracks, Cues
//!    Info        the exact length
//!    Tracks      one: A_OPUS, run-up in CodecDelay
//!    Cues        a point a cluster
//!    Cluster     five seconds of SimpleBlocks; the last block says what of it is not heard
//!    …
//! ```

mod ebml;

use std::ops::ControlFlow;

use super::EncodeError;
use super::opus::{self, CLOCK, PACKET_FRAMES, Packets, Stream};
use super::out::{Out, Table};
use crate::codec::pcm::PcmSource;
use crate::units::Frames;
use ebml::{Elements, put_id, put_size, wide_size};

/// Packets a cluster: five seconds.
const CLUSTER_PACKETS: u64 = 250;
const PACKET_MS: u64 = 20;
const NANOS: u64 = 1_000_000_000;
/// What a decoder is given before a place it goes to (RFC 7845, section 4.6).
const SEEK_PRE_ROLL_NANOS: u64 = 80_000_000;
const TRACK: u64 = 1;
/// The track in a block's head, as a size is written, and a block that depends on no other.
const BLOCK_TRACK: u8 = 0x81;
const KEY_FRAME: u8 = 0x80;

/// Identifiers (RFC 9559, section 5.1; RFC 8794, section 11.2).
mod id {
    pub(super) const EBML: u32 = 0x1A45_DFA3;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const SEEK_HEAD: u32 = 0x114D_9B74;
    pub(super) const INFO: u32 = 0x1549_A966;
    pub(super) const TRACKS: u32 = 0x1654_AE6B;
    pub(super) const CUES: u32 = 0x1C53_BB6B;
    pub(super) const CLUSTER: u32 = 0x1F43_B675;
}

pub(super) fn encode(
    source: &mut dyn PcmSource,
    progress: &mut dyn FnMut(Frames) -> ControlFlow<()>,
    out: &mut Out<'_>,
) -> Result<(), EncodeError> {
    opus::packets(source, progress, |stream, packets| {
        let front = Front::new(stream);
        out.put(&front.bytes)?;
        out.zeroes(front.cue_bytes)?;
        let mut cues = Table::new(front.bytes.len() as u64, front.cue_bytes);
        for cluster in 0..front.clusters {
            let at = out.position() - front.segment_at;
            let time = cluster * CLUSTER_PACKETS * PACKET_MS;
            cues.push(out, &cue(time, at).bytes)?;
            out.put(&cluster_of(stream, packets, cluster)?)?;
        }
        cues.finish(out)?;
        let length = out.position() - front.segment_at;
        out.patch(front.segment_at - 8, &wide_size(length))?;
        Ok(())
    })
}

/// All before the clusters, but for the cue points.
struct Front {
    bytes: Vec<u8>,
    /// Where the segment's content begins.
    segment_at: u64,
    clusters: u64,
    cue_bytes: u64,
}

impl Front {
    fn new(stream: Stream) -> Self {
        let clusters = stream.packets().div_ceil(CLUSTER_PACKETS);
        let cue_bytes = clusters * cue(0, 0).bytes.len() as u64;
        let mut file = Elements::default();
        file.master(id::EBML, &ebml_head());
        put_id(&mut file.bytes, id::SEGMENT);
        file.bytes.extend_from_slice(&wide_size(0));
        let segment_at = file.bytes.len() as u64;
        let (mut info, mut tracks) = (Elements::default(), Elements::default());
        info.master(id::INFO, &info_of(stream));
        tracks.master(id::TRACKS, &tracks_of(stream));
        // The places are written in eight bytes, so the head is as long with as without them.
        let info_at = seek_head([0; 3]).bytes.len() as u64;
        let tracks_at = info_at + info.bytes.len() as u64;
        let cues_at = tracks_at + tracks.bytes.len() as u64;
        file.bytes
            .extend(seek_head([info_at, tracks_at, cues_at]).bytes);
        file.bytes.extend(info.bytes);
        file.bytes.extend(tracks.bytes);
        put_id(&mut file.bytes, id::CUES);
        put_size(&mut file.bytes, cue_bytes);
        Self {
            bytes: file.bytes,
            segment_at,
            clusters,
            cue_bytes,
        }
    }
}

fn ebml_head() -> Elements {
    let mut head = Elements::default();
    head.number(0x4286, 1);
    head.number(0x42F7, 1);
    head.number(0x42F2, 4);
    head.number(0x42F3, 8);
    head.text(0x4282, "webm");
    // CodecDelay, SeekPreRoll and DiscardPadding came with version 4.
    head.number(0x4287, 4);
    head.number(0x4285, 2);
    head
}

/// Where info, tracks and cues lie, counted from the segment's content.
fn seek_head(places: [u64; 3]) -> Elements {
    let mut seeks = Elements::default();
    for (id, place) in [id::INFO, id::TRACKS, id::CUES].into_iter().zip(places) {
        let mut seek = Elements::default();
        seek.binary(0x53AB, &id.to_be_bytes());
        seek.wide_number(0x53AC, place);
        seeks.master(0x4DBB, &seek);
    }
    let mut head = Elements::default();
    head.master(id::SEEK_HEAD, &seeks);
    head
}

#[allow(
    clippy::cast_precision_loss,
    reason = "2^53 frames are six thousand years"
)]
fn info_of(stream: Stream) -> Elements {
    const APP: &str = concat!("callreel ", env!("CARGO_PKG_VERSION"));
    let mut info = Elements::default();
    // Times in milliseconds; the length may have a fraction.
    info.number(0x2A_D7B1, 1_000_000);
    info.float(0x4489, stream.frames as f64 * 1_000.0 / CLOCK as f64);
    info.text(0x4D80, APP);
    info.text(0x5741, ::opus::version());
    info
}

fn tracks_of(stream: Stream) -> Elements {
    let mut audio = Elements::default();
    audio.float(0xB5, 48_000.0);
    audio.number(0x9F, stream.format.channels.count() as u64);
    let mut entry = Elements::default();
    entry.number(0xD7, TRACK);
    entry.number(0x73C5, TRACK);
    entry.number(0x83, 2);
    entry.number(0x9C, 0);
    entry.text(0x22_B59C, "und");
    entry.text(0x86, "A_OPUS");
    entry.binary(0x63A2, &stream.head());
    entry.number(0x56AA, nanos(u64::from(stream.pre_skip)));
    entry.number(0x56BB, SEEK_PRE_ROLL_NANOS);
    entry.master(0xE1, &audio);
    let mut tracks = Elements::default();
    tracks.master(0xAE, &entry);
    tracks
}

/// A cue point; all are equally long.
fn cue(time_ms: u64, cluster_at: u64) -> Elements {
    let mut positions = Elements::default();
    positions.number(0xF7, TRACK);
    positions.wide_number(0xF1, cluster_at);
    let mut point = Elements::default();
    point.wide_number(0xB3, time_ms);
    point.master(0xB7, &positions);
    let mut cue = Elements::default();
    cue.master(0xBB, &point);
    cue
}

/// A whole cluster.
fn cluster_of(
    stream: Stream,
    packets: &mut Packets<'_, '_>,
    number: u64,
) -> Result<Vec<u8>, EncodeError> {
    let first = number * CLUSTER_PACKETS;
    let last = stream.packets() - 1;
    let mut blocks = Elements::default();
    blocks.number(0xE7, first * PACKET_MS);
    let mut block = Vec::new();
    for packet in first..=last.min(first + CLUSTER_PACKETS - 1) {
        // Milliseconds since the cluster's begin: 5 seconds at most.
        let [.., high, low] = ((packet - first) * PACKET_MS).to_be_bytes();
        let surplus = ((packet + 1) * PACKET_FRAMES).saturating_sub(stream.end());
        block.clear();
        block.extend_from_slice(&[BLOCK_TRACK, high, low]);
        if surplus > 0 {
            block.push(0);
            block.extend_from_slice(packets.next()?);
            let mut group = Elements::default();
            group.binary(0xA1, &block);
            group.signed(0x75A2, i64::try_from(nanos(surplus)).unwrap_or(0));
            blocks.master(0xA0, &group);
        } else {
            block.push(KEY_FRAME);
            block.extend_from_slice(packets.next()?);
            blocks.binary(0xA3, &block);
        }
    }
    let mut cluster = Elements::default();
    cluster.master(id::CLUSTER, &blocks);
    Ok(cluster.bytes)
}

/// How long so many frames of the clock are, to the nearest nanosecond.
const fn nanos(frames: u64) -> u64 {
    (frames * NANOS + CLOCK / 2) / CLOCK
}
