//! The tones of countries: frequencies and cadences as ITU-T publishes them (E.180 Supplement 2,
//! and the list annexed to Operational Bulletin 781, "Various tones used in national networks").
//!
//! What the figures rest on: the documents themselves were not at hand. The figures were written
//! from knowledge of them and compared, country by country, with tables that others publish with
//! reference to them. National networks differ from the list here and there, and so do PBXs, most
//! of which have the tones of their maker's country.

use Sound::{Modulated, Pair, Single};

/// The tones of a country.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneZone {
    /// ISO 3166-1 alpha-2, in upper case.
    pub code: &'static str,
    /// The country's name.
    pub name: &'static str,
    /// Dial tone.
    pub dial: Signal,
    /// Busy tone.
    pub busy: Signal,
    /// Congestion tone, in North America called reorder.
    pub congestion: Signal,
    /// Ringing tone, heard by the caller.
    pub ring_back: Signal,
}

/// A tone and how it is interrupted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Its frequencies.
    pub sound: Sound,
    /// Its cadence, again and again; empty for a steady tone.
    pub cadence: &'static [Pulse],
}

/// A tone, and the silence after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Milliseconds of tone.
    pub on_ms: u16,
    /// Milliseconds of silence.
    pub off_ms: u16,
}

/// What sounds at once, in hertz.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sound {
    /// One frequency.
    Single(f32),
    /// Two frequencies of about the same level, 40 Hz apart at least.
    Pair(f32, f32),
    /// One frequency that swells by the second: its amplitude is modulated by that, or two
    /// frequencies lie so far apart around it.
    Modulated(f32, f32),
}

/// The zone of a country by its code in either case; `UK` is taken for `GB`.
#[must_use]
pub fn zone(code: &str) -> Option<&'static ToneZone> {
    let code = if code.eq_ignore_ascii_case("uk") {
        "GB"
    } else {
        code
    };
    ZONES
        .iter()
        .find(|zone| zone.code.eq_ignore_ascii_case(code))
}

const fn steady(sound: Sound) -> Signal {
    Signal {
        sound,
        cadence: &[],
    }
}

const fn pulsed(sound: Sound, cadence: &'static [Pulse]) -> Signal {
    Signal { sound, cadence }
}

/// A pulse.
const fn p(on_ms: u16, off_ms: u16) -> Pulse {
    Pulse { on_ms, off_ms }
}

/// A zone in which one frequency serves for everything.
const fn plain(
    code: &'static str,
    name: &'static str,
    hertz: f32,
    busy: &'static [Pulse],
    congestion: &'static [Pulse],
    ring_back: &'static [Pulse],
) -> ToneZone {
    ToneZone {
        code,
        name,
        dial: steady(Single(hertz)),
        busy: pulsed(Single(hertz), busy),
        congestion: pulsed(Single(hertz), congestion),
        ring_back: pulsed(Single(hertz), ring_back),
    }
}

/// North America's plan, of which only the ring differs.
const fn precise(code: &'static str, name: &'static str, ring_back: &'static [Pulse]) -> ToneZone {
    ToneZone {
        code,
        name,
        dial: steady(Pair(350.0, 440.0)),
        busy: pulsed(Pair(480.0, 620.0), HALVES),
        congestion: pulsed(Pair(480.0, 620.0), QUARTERS),
        ring_back: pulsed(Pair(440.0, 480.0), ring_back),
    }
}

/// Half a second on and off.
const HALVES: &[Pulse] = &[p(500, 500)];

/// A quarter of a second on and off.
const QUARTERS: &[Pulse] = &[p(250, 250)];

/// Two rings, as in Britain and where its exchanges went.
const DOUBLE: &[Pulse] = &[p(400, 200), p(400, 2_000)];

/// All zones, by their code.
pub static ZONES: &[ToneZone] = &[
    plain(
        "AT",
        "Austria",
        420.0,
        &[p(400, 400)],
        &[p(200, 200)],
        &[p(1_000, 5_000)],
    ),
    ToneZone {
        code: "AU",
        name: "Australia",
        dial: steady(Modulated(425.0, 12.5)),
        busy: pulsed(Single(425.0), &[p(375, 375)]),
        // Each second pulse is 10 dB weaker.
        congestion: pulsed(Single(425.0), &[p(375, 375), p(375, 375)]),
        ring_back: pulsed(Modulated(425.0, 12.5), DOUBLE),
    },
    plain(
        "BE",
        "Belgium",
        425.0,
        &[p(500, 500)],
        &[p(167, 167)],
        &[p(1_000, 3_000)],
    ),
    plain(
        "BG",
        "Bulgaria",
        425.0,
        &[p(500, 500)],
        &[p(250, 250)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "BR",
        "Brazil",
        425.0,
        &[p(250, 250)],
        &[p(250, 250), p(750, 250)],
        &[p(1_000, 4_000)],
    ),
    precise("CA", "Canada", &[p(2_000, 4_000)]),
    plain(
        "CH",
        "Switzerland",
        425.0,
        &[p(500, 500)],
        &[p(200, 200)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "CL",
        "Chile",
        400.0,
        &[p(500, 500)],
        &[p(200, 200)],
        &[p(1_000, 3_000)],
    ),
    plain(
        "CN",
        "China",
        450.0,
        &[p(350, 350)],
        &[p(700, 700)],
        &[p(1_000, 4_000)],
    ),
    ToneZone {
        code: "CZ",
        name: "Czechia",
        dial: pulsed(Single(425.0), &[p(330, 330), p(660, 660)]),
        busy: pulsed(Single(425.0), &[p(330, 330)]),
        congestion: pulsed(Single(425.0), &[p(165, 165)]),
        ring_back: pulsed(Single(425.0), &[p(1_000, 4_000)]),
    },
    plain(
        "DE",
        "Germany",
        425.0,
        &[p(480, 480)],
        &[p(240, 240)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "DK",
        "Denmark",
        425.0,
        &[p(500, 500)],
        &[p(200, 200)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "EE",
        "Estonia",
        425.0,
        &[p(300, 300)],
        &[p(200, 200)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "ES",
        "Spain",
        425.0,
        &[p(200, 200)],
        &[p(200, 200), p(200, 200), p(200, 600)],
        &[p(1_500, 3_000)],
    ),
    plain(
        "FI",
        "Finland",
        425.0,
        &[p(300, 300)],
        &[p(200, 200)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "FR",
        "France",
        440.0,
        &[p(500, 500)],
        &[p(250, 250)],
        &[p(1_500, 3_500)],
    ),
    ToneZone {
        code: "GB",
        name: "United Kingdom",
        dial: steady(Pair(350.0, 440.0)),
        busy: pulsed(Single(400.0), &[p(375, 375)]),
        congestion: pulsed(Single(400.0), &[p(400, 350), p(225, 525)]),
        ring_back: pulsed(Pair(400.0, 450.0), DOUBLE),
    },
    ToneZone {
        code: "GR",
        name: "Greece",
        dial: pulsed(Single(425.0), &[p(200, 300), p(700, 800)]),
        busy: pulsed(Single(425.0), &[p(300, 300)]),
        congestion: pulsed(Single(425.0), &[p(200, 200)]),
        ring_back: pulsed(Single(425.0), &[p(1_000, 4_000)]),
    },
    plain(
        "HU",
        "Hungary",
        425.0,
        &[p(300, 300)],
        &[p(300, 300)],
        &[p(1_250, 3_750)],
    ),
    plain(
        "ID",
        "Indonesia",
        425.0,
        &[p(500, 500)],
        &[p(250, 250)],
        &[p(1_000, 4_000)],
    ),
    ToneZone {
        code: "IE",
        name: "Ireland",
        dial: steady(Single(425.0)),
        busy: pulsed(Single(425.0), &[p(500, 500)]),
        congestion: pulsed(Single(425.0), &[p(250, 250)]),
        ring_back: pulsed(Pair(400.0, 450.0), DOUBLE),
    },
    plain(
        "IL",
        "Israel",
        414.0,
        &[p(500, 500)],
        &[p(250, 250)],
        &[p(1_000, 3_000)],
    ),
    ToneZone {
        code: "IN",
        name: "India",
        dial: steady(Modulated(400.0, 25.0)),
        busy: pulsed(Single(400.0), &[p(750, 750)]),
        congestion: pulsed(Single(400.0), &[p(250, 250)]),
        ring_back: pulsed(Modulated(400.0, 25.0), DOUBLE),
    },
    ToneZone {
        code: "IT",
        name: "Italy",
        dial: pulsed(Single(425.0), &[p(200, 200), p(600, 1_000)]),
        busy: pulsed(Single(425.0), &[p(500, 500)]),
        congestion: pulsed(Single(425.0), &[p(200, 200)]),
        ring_back: pulsed(Single(425.0), &[p(1_000, 4_000)]),
    },
    ToneZone {
        code: "JP",
        name: "Japan",
        dial: steady(Single(400.0)),
        busy: pulsed(Single(400.0), &[p(500, 500)]),
        congestion: pulsed(Single(400.0), &[p(500, 500)]),
        ring_back: pulsed(Modulated(400.0, 16.0), &[p(1_000, 2_000)]),
    },
    plain(
        "LT",
        "Lithuania",
        425.0,
        &[p(350, 350)],
        &[p(200, 200)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "MX",
        "Mexico",
        425.0,
        &[p(250, 250)],
        &[p(250, 250)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "MY",
        "Malaysia",
        425.0,
        &[p(500, 500)],
        &[p(500, 500)],
        DOUBLE,
    ),
    plain(
        "NL",
        "Netherlands",
        425.0,
        &[p(500, 500)],
        &[p(250, 250)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "NO",
        "Norway",
        425.0,
        &[p(500, 500)],
        &[p(200, 200)],
        &[p(1_000, 4_000)],
    ),
    ToneZone {
        code: "NZ",
        name: "New Zealand",
        dial: steady(Single(400.0)),
        busy: pulsed(Single(400.0), &[p(500, 500)]),
        congestion: pulsed(Single(400.0), &[p(250, 250)]),
        ring_back: pulsed(Pair(400.0, 450.0), DOUBLE),
    },
    ToneZone {
        code: "PH",
        name: "Philippines",
        dial: steady(Single(425.0)),
        busy: pulsed(Pair(480.0, 620.0), &[p(500, 500)]),
        congestion: pulsed(Pair(480.0, 620.0), &[p(250, 250)]),
        ring_back: pulsed(Pair(425.0, 480.0), &[p(1_000, 4_000)]),
    },
    plain(
        "PL",
        "Poland",
        425.0,
        &[p(500, 500)],
        &[p(500, 500)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "PT",
        "Portugal",
        425.0,
        &[p(500, 500)],
        &[p(200, 200)],
        &[p(1_000, 5_000)],
    ),
    plain(
        "RU",
        "Russia",
        425.0,
        &[p(350, 350)],
        &[p(175, 175)],
        &[p(1_000, 4_000)],
    ),
    plain(
        "SE",
        "Sweden",
        425.0,
        &[p(250, 250)],
        &[p(250, 750)],
        &[p(1_000, 5_000)],
    ),
    ToneZone {
        code: "SG",
        name: "Singapore",
        dial: steady(Single(425.0)),
        busy: pulsed(Single(425.0), &[p(750, 750)]),
        congestion: pulsed(Single(425.0), &[p(250, 250)]),
        ring_back: pulsed(Modulated(425.0, 24.0), DOUBLE),
    },
    ToneZone {
        code: "TH",
        name: "Thailand",
        dial: steady(Modulated(400.0, 50.0)),
        busy: pulsed(Single(400.0), &[p(500, 500)]),
        congestion: pulsed(Single(400.0), &[p(300, 300)]),
        ring_back: pulsed(Single(420.0), &[p(1_000, 5_000)]),
    },
    plain(
        "TR",
        "Turkey",
        450.0,
        &[p(500, 500)],
        &[p(200, 200), p(200, 200), p(200, 200), p(600, 200)],
        &[p(2_000, 4_000)],
    ),
    precise("TW", "Taiwan", &[p(1_000, 2_000)]),
    precise("US", "United States", &[p(2_000, 4_000)]),
    plain(
        "VE",
        "Venezuela",
        425.0,
        &[p(500, 500)],
        &[p(250, 250)],
        &[p(1_000, 4_000)],
    ),
    ToneZone {
        code: "ZA",
        name: "South Africa",
        dial: steady(Modulated(400.0, 33.0)),
        busy: pulsed(Single(400.0), &[p(500, 500)]),
        congestion: pulsed(Single(400.0), &[p(250, 250)]),
        ring_back: pulsed(Modulated(400.0, 33.0), DOUBLE),
    },
];
