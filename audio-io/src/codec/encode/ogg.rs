//! Opus in Ogg (RFC 3533 and 7845): the identification header and the comments on a page each,
//! then pages of a second, so that players find a place by bisection. The last page's granule
//! position cuts the sound to its exact length.

use std::ops::ControlFlow;

use ::ogg::{PacketWriteEndInfo, PacketWriter};

use super::EncodeError;
use super::opus::{self, PACKET_FRAMES};
use super::out::Out;
use crate::codec::pcm::PcmSource;
use crate::units::Frames;

/// The stream's number. It only has to differ from others of the same file, and there are none.
const SERIAL: u32 = 0x4352_454C;

/// Packets a page: one second.
const PAGE_PACKETS: u64 = 50;

pub(super) fn encode(
    source: &mut dyn PcmSource,
    progress: &mut dyn FnMut(Frames) -> ControlFlow<()>,
    out: &mut Out<'_>,
) -> Result<(), EncodeError> {
    opus::packets(source, progress, |stream, packets| {
        let mut writer = PacketWriter::new(out);
        let page_ends = PacketWriteEndInfo::EndPage;
        writer.write_packet(stream.head().to_vec(), SERIAL, page_ends, 0)?;
        writer.write_packet(tags(), SERIAL, page_ends, 0)?;
        let last = stream.packets();
        for number in 1..=last {
            let packet = packets.next()?.to_vec();
            let (ends, granule) = if number == last {
                (PacketWriteEndInfo::EndStream, stream.end())
            } else if number.is_multiple_of(PAGE_PACKETS) {
                (page_ends, number * PACKET_FRAMES)
            } else {
                (PacketWriteEndInfo::NormalPacket, number * PACKET_FRAMES)
            };
            writer.write_packet(packet, SERIAL, ends, granule)?;
        }
        Ok(())
    })
}

/// The comment header (RFC 7845, section 5.2): who made it, no comments.
fn tags() -> Vec<u8> {
    let vendor = ::opus::version().as_bytes();
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&(vendor.len() as u64).to_le_bytes()[..4]);
    tags.extend_from_slice(vendor);
    tags.extend_from_slice(&[0; 4]);
    tags
}
