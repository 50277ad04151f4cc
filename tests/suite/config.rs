//! Configurations that cannot be used, given to the real binary: exit code, file, line, key and
//! remedy. Layers and the reference file are the daemon's own unit tests.

use std::path::Path;

use harness::cli::{self, Output};
use harness::daemon::Setup;

/// The exit code for a configuration that cannot be used.
const UNUSABLE: i32 = 2;

const LINE: &str =
    "[[line]]\nname = \"a\"\ntenant = \"t\"\ncapture = \"hw:0\"\ntrigger = \"api\"\n";

fn check(path: &Path, environment: &[(&str, &str)]) -> Output {
    let path = path.to_string_lossy();
    cli::run("callreeld", &["--config", &*path, "--check"], environment)
}

fn check_text(text: &str) -> (Output, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("callreel.toml");
    std::fs::write(&path, text).expect("a configuration");
    (check(&path, &[]), path.to_string_lossy().into_owned())
}

/// What a whole file must not say; the line of the mistake; words that the message must hold.
const BAD_FILES: &str = "
[storage]|data_dri = '/x'                    => 2 data_dri data_dir
||[strage]                                   => 3 strage storage
[http]|port = 80                             => 2 http.port listen
[http]|listen = '127.0.0.1:1'                => 2 http.listen list
[http]|listen = ['localhost']                => 2 http.listen localhost
[http]|workers = -1                          => 2 http.workers -1
[http]|max_connections = 0                   => 2 http.max_connections
[http]|listen_tls = ['127.0.0.1:1']          => 2 http.listen_tls tls
[http]|allowed_origins = ['a/b']             => 2 allowed_origins https://
[storage]|index_cache_mib = 7                => 2 index_cache_mib 8 4096
[storage]|io = 'aio'                         => 2 storage.io uring blocking
[storage                                     => 1 TOML
[log]|level = 'loud'                         => 2 log.level debug
[realtime]|priority = 100                    => 2 realtime.priority 99
[realtime]|ring_ms = 10                      => 2 ring_ms 500
[[line]]|name = 'a'                          => 1 tenant missing";

/// The same for what follows a good line of five lines, and for that line itself.
const BAD_LINES: &str = "
rate = 96000                                 => 6 line.rate 8000 48000
channels = 'quad'                            => 6 line.channels stereo
encoding = 'mp3'                             => 6 line.encoding mulaw
pre_roll_ms = 10001                          => 6 pre_roll_ms 10000
channels = 'stereo'|capture_agent = 'hw:1'   => 7 capture_agent
[line.vox]|stop_dbfs = -10.0                 => 7 stop_dbfs start_dbfs
dahdi = '1-15'                               => 6 line.dahdi capture audiosocket
audiosocket = '127.0.0.1:9092'               => 6 line.audiosocket capture
role = 'tap'                                 => 6 line.role dahdi
role = 'spy'                                 => 6 line.role terminate station tap
lines = 2                                    => 6 line.lines audiosocket
[line.channel]|law = 'alaw'                  => 7 line.channel.law dahdi
[line.channel]|caller_id = 'pulse'           => 7 line.channel.caller_id fsk dtmf
[line.watch]|silent_after_s = -1             => 7 line.watch.silent_after_s 604800";

/// The text of a file, the line of its mistake, and words that the message must hold.
type Bad = (String, usize, Vec<String>);

fn cases(table: &str, before: &str) -> Vec<Bad> {
    let case = |row: &str| {
        let (text, wanted) = row.split_once("=>").expect("a row of the table");
        let mut wanted = wanted.split_whitespace();
        let line = wanted
            .next()
            .and_then(|number| number.parse().ok())
            .expect("a line");
        let text = format!("{before}{}\n", text.trim_end().replace('|', "\n"));
        (text, line, wanted.map(str::to_owned).collect())
    };
    table
        .lines()
        .filter(|row| !row.is_empty())
        .map(case)
        .collect()
}

fn bad() -> Vec<Bad> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let mut all = cases(BAD_FILES, "");
    all.extend(cases(BAD_LINES, LINE));
    all.push((format!("{LINE}{LINE}"), 7, words(&["line.name", "'a'"])));
    all.push((
        LINE.replace("\"a\"", "\"../a\""),
        2,
        words(&["line.name", "../a"]),
    ));
    let never = LINE.replace("\"api\"", "\"never\"");
    all.push((never, 5, words(&["line.trigger", "always", "vox"])));
    let hook = LINE.replace("\"api\"", "\"hook\"");
    all.push((hook, 5, words(&["line.trigger", "sound card"])));
    let channels = |list: &str| LINE.replace("capture = \"hw:0\"", &format!("dahdi = '{list}'"));
    all.push((channels("31-17"), 4, words(&["line.dahdi", "1-15,17-31"])));
    let again = format!(
        "{}{}",
        channels("1-4"),
        channels("4").replace("\"a\"", "\"b\"")
    );
    all.push((
        again,
        9,
        words(&["line.dahdi", "channel 4", "one line only", ":4;"]),
    ));
    assert!(all.len() > 20, "the tables are read whole");
    all
}

/// Every bad file is refused with its place, its key and what would be right.
#[test]
fn bad_files_are_refused_with_place_and_remedy() {
    let mut wrong = Vec::new();
    for (text, line, words) in bad() {
        let (output, path) = check_text(&text);
        let mut wanted = vec![format!("{path}:{line}")];
        wanted.extend(words);
        let lacking: Vec<_> = wanted
            .iter()
            .filter(|word| !output.stderr.contains(word.as_str()))
            .collect();
        if output.code != UNUSABLE || !lacking.is_empty() {
            let (code, message) = (output.code, output.stderr.trim());
            wrong.push(format!(
                "{text:?}: code {code}, lacks {lacking:?} in: {message}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files that cannot even be read.
#[test]
fn unreadable_files_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = check(&folder.path().join("nowhere.toml"), &[]).failure();
    assert_eq!(missing.code, UNUSABLE);
    assert!(
        missing.stderr.contains("nowhere.toml"),
        "{}",
        missing.stderr
    );
    let directory = check(folder.path(), &[]).failure();
    assert_eq!(directory.code, UNUSABLE);
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, [0xFF_u8, 0xFE, 0x00, 0x01]).expect("a file");
    assert_eq!(check(&binary, &[]).failure().code, UNUSABLE);
}

/// The environment counts as a layer, and its mistakes are told by their variable.
#[test]
fn bad_environment_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("callreel.toml");
    std::fs::write(&path, "").expect("a configuration");
    for (name, value, word) in [
        ("CALLREEL__LOG__LEVEL", "loud", "log.level"),
        ("CALLREEL__NO__SUCH", "1", "no.such"),
        ("CALLREEL__HTTP__WORKERS", "many", "http.workers"),
    ] {
        let output = run_with(&path, name, value).failure();
        assert_eq!(output.code, UNUSABLE, "{name}");
        assert!(output.stderr.contains(name), "{}", output.stderr);
        assert!(output.stderr.contains(word), "{}", output.stderr);
    }
}

/// A good configuration passes, with and without its environment.
#[test]
fn a_good_configuration_passes() {
    let daemon = Setup::new().prepare();
    let output = check(daemon.config(), &[]).success();
    assert!(!output.stdout.contains("panicked"));
    let output = run_with(daemon.config(), "CALLREEL__LOG__LEVEL", "warn");
    assert_eq!(output.code, 0, "{}", output.stderr);
}

/// Ranges of channels and groups of connections are told as one line each, whole.
#[test]
fn groups_of_lines_are_counted_out() {
    let (output, _) = check_text(
        "[[line]]\nname = 'e1'\ntenant = 't'\ndahdi = '1-15,17-31'\ntrigger = 'hook'\n\
         [[line]]\nname = 'pbx'\ntenant = 't'\naudiosocket = '127.0.0.1:9092'\nlines = 8\n\
         trigger = 'api'\n",
    );
    let output = output.success();
    for wanted in [
        "line: e1-1 … e1-31 (30 lines) of tenant t: DAHDI channels 1-15,17-31, terminate, hook",
        "line: pbx-1 … pbx-8 (8 lines) of tenant t: AudioSocket 127.0.0.1:9092, api",
    ] {
        assert!(
            output.stdout.lines().any(|line| line == wanted),
            "{}",
            output.stdout
        );
    }
}

/// The check starts nothing and makes nothing.
#[test]
fn checking_leaves_no_trace() {
    let daemon = Setup::new().prepare();
    let _ = check(daemon.config(), &[]).success();
    let left: Vec<_> = std::fs::read_dir(daemon.data())
        .expect("the data folder")
        .flatten()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!daemon.folder().join("control.sock").exists());
}

fn run_with(path: &Path, name: &str, value: &str) -> Output {
    check(path, &[(name, value)])
}
