//! Writes what an exchange sends as a WAV file of 8 kHz, for rigs that play it into a line:
//!
//! ```sh
//! cargo run -p callreel-audio-io --example tones -- OUT.wav bell202 5550123 'A NAME'
//! cargo run -p callreel-audio-io --example tones -- OUT.wav v23 02079460123 'A NAME' 5550100
//! cargo run -p callreel-audio-io --example tones -- OUT.wav dtmf A5550123C
//! cargo run -p callreel-audio-io --example tones -- OUT.wav busy DE 10
//! ```
//!
//! The last word of `dial`, `busy`, `congestion` and `ring` is how many seconds.

use std::error::Error;

use audio_io::codec::wav::WavHeader;
use audio_io::dsp::caller_id::{CallerId, FskParams, FskStandard, NameText, NumberText, fsk, mdmf};
use audio_io::dsp::dtmf::{Digit, DigitPlayer, PlayParams};
use audio_io::dsp::supervision::{play, zone};
use audio_io::format::StreamFormat;
use audio_io::units::{Millis, SampleRate};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (out, sound) = match words.as_slice() {
        [out, modem @ ("bell202" | "v23"), rest @ ..] => (out, by_fsk(modem, rest)?),
        [out, "dtmf", keys] => (out, by_keys(keys)?),
        [out, what, code, seconds] => (out, tone(what, code, seconds)?),
        _ => return Err("see the head of this file for what to say".into()),
    };
    // Silence around it, as between rings.
    let sound: Vec<i16> = [vec![0; 4_000], sound, vec![0; 4_000]].concat();
    let data: Vec<u8> = sound
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    let format = StreamFormat::TELEPHONE;
    let mut file = WavHeader::sealed(format, data.len() as u64, 0, &Default::default()).to_vec();
    file.extend(data);
    Ok(std::fs::write(out, file)?)
}

fn by_fsk(modem: &str, words: &[&str]) -> Result<Vec<i16>, Box<dyn Error>> {
    let text = |at: usize| words.get(at).copied().unwrap_or_default();
    let caller = CallerId {
        number: NumberText::try_from(text(0)).map_err(|_| "the number is too long")?,
        name: NameText::try_from(text(1)).map_err(|_| "the name is too long")?,
        called: words
            .get(2)
            .map(|called| NumberText::try_from(*called))
            .transpose()
            .map_err(|_| "the called number is too long")?,
        withheld: None,
    };
    let standard = match modem {
        "v23" => FskStandard::V23,
        _ => FskStandard::Bell202,
    };
    let params = FskParams {
        standard,
        ..FskParams::default()
    };
    Ok(fsk(
        SampleRate::TELEPHONE,
        &params,
        &mdmf("01010000", &caller),
    ))
}

fn by_keys(keys: &str) -> Result<Vec<i16>, Box<dyn Error>> {
    let params = PlayParams {
        on: Millis(70),
        off: Millis(70),
        ..PlayParams::default()
    };
    let mut player = DigitPlayer::new(SampleRate::TELEPHONE, params);
    let mut sound = Vec::new();
    let mut piece = [0; 160];
    for key in keys.chars() {
        player.push(Digit::try_from(key)?)?;
        while !player.is_done() {
            let made = player.fill(&mut piece);
            sound.extend(&piece[..made]);
        }
    }
    Ok(sound)
}

fn tone(what: &str, code: &str, seconds: &str) -> Result<Vec<i16>, Box<dyn Error>> {
    let zone = zone(code).ok_or("no such zone")?;
    let signal = match what {
        "dial" => zone.dial,
        "busy" => zone.busy,
        "congestion" => zone.congestion,
        "ring" => zone.ring_back,
        _ => return Err("there is dial, busy, congestion and ring".into()),
    };
    let length = Millis(seconds.parse::<u64>()? * 1_000);
    Ok(play(SampleRate::TELEPHONE, signal, -13.0, length))
}
