//! Files as ffmpeg, ffprobe and mediainfo take them.

use super::*;

#[test]
fn measure() {
    for hertz in RATES {
        for channels in BOTH {
            for (name, sound) in [("tones", tones(hertz, channels)), ("speech", speech(hertz, channels))] {
                for target in TARGETS {
                    let file = make(&sound, target).expect("a file is made");
                    let got = heard(file.path(), &sound);
                    print!("{hertz} {channels:?} {name} {target} {} {} -> {} ", file.as_file().metadata().unwrap().len(), sound.frames().0, got.frames().0);
                    for leg in 0..channels.count() {
                        let n = sound.frames().0.min(got.frames().0) as usize;
                        print!(" lag {} corr {:.4}", lag(&sound.leg(leg)[..n], &got.leg(leg)[..n]), correlation(&sound.leg(leg)[..n], &got.leg(leg)[..n]));
                        if channels.count() == 2 { print!(" cross {:.4} src {:.4}", correlation(&sound.leg(leg)[..n], &got.leg(1 - leg)[..n]),  correlation(&sound.leg(leg)[..n], &sound.leg(1 - leg)[..n])); }
                    }
                    println!();
                }
            }
        }
    }
}
