//! Both formats, read by somebody who knows their documentation only.

use std::process::Command;

use super::*;

/// Reads both formats as their documentation says, and tells them apart from each other.
const READER: &str = r#"
import json, struct, sys
dat = open(sys.argv[1], 'rb').read()
told = json.load(open(sys.argv[2]))
version, flags, rate, zoom, length = struct.unpack_from('<iIiiI', dat)
channels, at = (1, 20) if version == 1 else (struct.unpack_from('<i', dat, 20)[0], 24)
bits = 8 if flags & 1 else 16
data = struct.unpack_from('<%d%s' % (2 * length * channels, 'b' if flags & 1 else 'h'), dat, at)
assert len(dat) == at + 2 * length * channels * bits // 8, len(dat)
head = dict(version=version, sample_rate=rate, samples_per_pixel=zoom, bits=bits, length=length)
if version == 2:
    head['channels'] = channels
assert {k: told[k] for k in told if k != 'data'} == head, (told, head)
assert told['data'] == list(data)
sound = open(sys.argv[3], 'rb').read()
samples = struct.unpack('<%dh' % (len(sound) // 2), sound)
frames = list(zip(samples[::2], samples[1::2]))
def cut(value, by):
    return abs(value) // by * (-1 if value < 0 else 1)
if channels == 1:
    frames = [(cut(a + b, 2),) for a, b in frames]
wanted = []
for n in range(0, len(frames), zoom):
    for track in range(channels):
        values = [frame[track] for frame in frames[n:n + zoom]]
        wanted += [min(values), max(values)]
if bits == 8:
    wanted = [cut(value, 256) for value in wanted]
assert wanted == list(data), 'peaks'
print(version, channels, bits, zoom, length)
"#;

#[test]
fn an_independent_reader_agrees() {
    let store = Store::new();
    let row = recorded(&store, STEREO, |recorder, id| {
        for n in 0..40 {
            recorder.append(id, &sound(n, 5_000)).unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("sound"), sound_of(&store, &row)).unwrap();
    for (version, channels) in [
        (PeaksVersion::One, PeaksChannels::Mixed),
        (PeaksVersion::Two, PeaksChannels::Mixed),
        (PeaksVersion::Two, PeaksChannels::Split),
    ] {
        for (bits, zoom) in [(PeaksBits::Eight, 128), (PeaksBits::Sixteen, 512)] {
            let wish = PeaksWish {
                zoom,
                version,
                bits,
                channels,
            };
            let peaks = block_on(store.handle.peaks(&row, wish)).unwrap();
            for (name, format) in [("dat", PeaksFormat::Dat), ("json", PeaksFormat::Json)] {
                let body: Vec<u8> = peaks.clone().into_body(format).flatten().collect();
                std::fs::write(at(name), body).unwrap();
            }
            let read = Command::new("python3")
                .args(["-c", READER])
                .args([at("dat"), at("json"), at("sound")])
                .output()
                .unwrap();
            let wrong = String::from_utf8_lossy(&read.stderr);
            assert!(read.status.success(), "{wish:?}: {wrong}");
        }
    }
}
