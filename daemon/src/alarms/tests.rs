//! Alarms go out once for each change, by a real command.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use audio_io::clock::ManualClock;

use super::*;

/// Alarms whose command writes what it gets into a pipe that the test reads.
fn alarms_into(pipe: &Path) -> Alarms {
    nix::unistd::mkfifo(pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!("cat > '{}'", pipe.display());
    let mut config = Config::default();
    config.alarms.command = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
    let config = Arc::new(ArcSwap::from_pointee(config));
    let clock = Arc::new(ManualClock::at(WallMillis(1_795_241_649_123)));
    Alarms::start(config, clock).unwrap()
}

fn read(pipe: &Path) -> Vec<String> {
    let file = std::fs::File::open(pipe).unwrap();
    BufReader::new(file).lines().map(Result::unwrap).collect()
}

#[test]
fn an_alarm_is_mailed_once_and_once_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("mail");
    let alarms = alarms_into(&pipe);
    alarms.set(Kind::Recording, None);
    alarms.set(Kind::Recording, Some(&"the disk is full"));
    alarms.set(Kind::Recording, Some(&"the disk is still full"));
    let first = read(&pipe);
    assert!(first.contains(&"the disk is full".to_owned()), "{first:?}");
    assert!(
        first.contains(&"X-Callreel-State: error".to_owned()),
        "{first:?}"
    );
    alarms.set(Kind::Recording, None);
    alarms.set(Kind::Recording, None);
    let second = read(&pipe);
    assert!(
        second.contains(&"X-Callreel-State: over".to_owned()),
        "{second:?}"
    );
    alarms.tell(Kind::Disk, State::Warning, "low".to_owned());
    let third = read(&pipe);
    assert!(
        third.contains(&"X-Callreel-Alarm: disk".to_owned()),
        "nothing in between: {third:?}"
    );
}
