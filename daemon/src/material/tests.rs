//! First starts, second starts and renewals, on a clock that is moved by hand.

use audio_io::clock::ManualClock;

use super::made::EARLIEST;
use super::*;

const NOW: WallMillis = WallMillis(1_795_000_000_000);

fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    config.storage.data_dir = folder.to_owned();
    config.http.listen_tls = vec![([0, 0, 0, 0], 8443).into()];
    config.first_start.certificate = true;
    config.first_start.admin_key = true;
    config
}

/// Resolves a fresh copy of the configuration, as each start does.
fn start(folder: &Path, now: WallMillis) -> Result<Config, MaterialError> {
    let mut config = config(folder);
    resolve(&mut config, &ManualClock::at(now)).map(|()| config)
}

fn served(config: &Config) -> Inspection {
    examine(&config.http.tls.pair().expect("a pair")).expect("a certificate")
}

#[test]
fn the_first_start_makes_and_the_second_finds() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let first = start(folder.path(), NOW).expect("made");
    let made = served(&first);
    assert!(
        made.is_for("localhost") && made.is_for("127.0.0.1"),
        "{made:?}"
    );
    assert!(made.not_before < NOW && made.self_signed);
    let years = (made.not_after.0 - NOW.0) / DAY_MS;
    assert_eq!(years, 3_650);
    let key = std::fs::read_to_string(first.admin.key_file.as_ref().expect("a key")).expect("read");
    assert_eq!(key.trim().len(), 43, "256 bits");
    for (name, mode) in [
        ("", 0o700),
        ("certificate.pem", 0o600),
        ("certificate.key", 0o600),
        ("admin.key", 0o600),
    ] {
        let path = folder.path().join(KEYS_FOLDER).join(name);
        let found = std::fs::metadata(&path).expect(name).permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
    let second = start(folder.path(), NOW).expect("found");
    assert_eq!(served(&second), made);
    let again = std::fs::read_to_string(second.admin.key_file.expect("a key")).expect("read");
    assert_eq!(again, key);
}

#[test]
fn a_made_certificate_is_renewed_with_its_key_and_the_old_one_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = start(folder.path(), NOW).expect("made");
    let (made, keys) = (served(&first), folder.path().join(KEYS_FOLDER));
    let key = std::fs::read(keys.join("certificate.key")).expect("a key");
    let before = std::fs::read(keys.join("certificate.pem")).expect("a certificate");
    let fine = ManualClock::at(WallMillis(made.not_after.0 - SOON_MS));
    assert!(!look(&first, &fine).expect("looked"));
    let near = ManualClock::at(WallMillis(made.not_after.0 - SOON_MS + 1));
    let _ = look(&first, &near).expect("looked");
    let renewed = served(&first);
    assert!(renewed.not_after.0 > made.not_after.0 + SOON_MS);
    assert_eq!(
        std::fs::read(keys.join("certificate.key")).expect("a key"),
        key
    );
    let kept = std::fs::read(keys.join("certificate.old.pem")).expect("the old one");
    assert_eq!(kept, before);
    // An expired one is renewed at start, whatever http.tls.expired says.
    let after = WallMillis(renewed.not_after.0 + DAY_MS);
    let third = served(&start(folder.path(), after).expect("renewed"));
    assert!(third.not_after > after);
}

#[test]
fn a_clock_that_was_never_set_makes_what_is_valid_later_and_renews_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = served(&start(folder.path(), WallMillis(5_000)).expect("made in 1970"));
    assert!(first.not_before < EARLIEST && first.not_after > NOW);
    assert_eq!(served(&start(folder.path(), NOW).expect("found")), first);
    assert_eq!(
        served(&start(folder.path(), WallMillis(0)).expect("found")),
        first
    );
}

#[test]
fn a_first_start_that_was_cut_is_finished_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join(KEYS_FOLDER);
    let first = start(folder.path(), NOW).expect("made");
    // The power went after the key was written, before the certificate was.
    std::fs::remove_file(keys.join("certificate.pem")).expect("removed");
    std::fs::write(keys.join("draft"), "half").expect("a draft");
    let second = start(folder.path(), NOW).expect("made again");
    assert_ne!(served(&second).fingerprint, "");
    assert_eq!(first.http.tls.pair(), second.http.tls.pair());
    // What was spoiled is told with the file's name, not replaced.
    std::fs::remove_file(keys.join("certificate.pem")).expect("removed");
    std::fs::write(keys.join("certificate.key"), "garbage").expect("spoiled");
    let error = start(folder.path(), NOW).expect_err("spoiled");
    assert!(error.to_string().contains("certificate.key"), "{error}");
    assert_eq!(error.exit(), crate::cli::exit::Exit::Certificate);
}

/// A certificate of somebody else, valid from the first to the second day.
fn foreign(folder: &Path, from: WallMillis, to: WallMillis) -> Pair {
    let at = |moment: WallMillis| {
        let seconds = i64::try_from(moment.0 / 1_000).expect("in range");
        time::OffsetDateTime::from_unix_timestamp(seconds).expect("in range")
    };
    let mut params = rcgen::CertificateParams::new(vec!["*.example.org".to_owned()]).expect("one");
    (params.not_before, params.not_after) = (at(from), at(to));
    let key = rcgen::KeyPair::generate().expect("a key");
    let pair = Pair {
        certificate: folder.join("own.pem"),
        key: folder.join("own.key"),
    };
    let made = params.self_signed(&key).expect("a certificate");
    std::fs::write(&pair.certificate, made.pem()).expect("written");
    std::fs::write(&pair.key, key.serialize_pem()).expect("written");
    pair
}

fn with(folder: &Path, pair: &Pair) -> Config {
    let mut config = config(folder);
    config.http.tls.certificate = Some(pair.certificate.clone());
    config.http.tls.key = Some(pair.key.clone());
    config
}

#[test]
fn a_given_certificate_is_never_renewed_and_refused_once_expired() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = foreign(
        folder.path(),
        WallMillis(NOW.0 - DAY_MS),
        WallMillis(NOW.0 + DAY_MS),
    );
    let mut config = with(folder.path(), &pair);
    resolve(&mut config, &ManualClock::at(NOW)).expect("valid");
    assert!(
        !folder.path().join("keys/certificate.pem").exists(),
        "the given one wins"
    );
    let later = ManualClock::at(WallMillis(NOW.0 + 2 * DAY_MS));
    let error = resolve(&mut config, &later).expect_err("expired");
    let text = error.to_string();
    assert!(
        text.contains("own.pem") && text.contains("expired on 2026-"),
        "{text}"
    );
    assert!(text.contains("systemctl reload-or-restart"), "{text}");
    assert_eq!(error.exit(), crate::cli::exit::Exit::Certificate);
    config.http.tls.expired = Expired::Serve;
    resolve(&mut config, &later).expect("served all the same");
    // A clock that is behind must not keep calls from being recorded.
    resolve(&mut config, &ManualClock::at(WallMillis(0))).expect("not valid yet");
    let ends = expiry_s(&config);
    assert_eq!(ends, (NOW.0 + DAY_MS) / 1_000);
}

#[test]
fn names_match_as_browsers_match_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = foreign(folder.path(), EARLIEST, NOW);
    let found = examine(&pair).expect("a certificate");
    assert!(found.is_for("calls.EXAMPLE.org") && !found.is_for("example.org"));
    assert!(!found.is_for("a.b.example.org") && !found.is_for("127.0.0.1"));
}

#[test]
fn half_a_credential_is_found_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(credential::pair(folder.path()), None);
    std::fs::write(folder.path().join("callreel_certificate.key"), "x").expect("written");
    let pair = credential::pair(folder.path()).expect("half of it");
    let error = examine(&pair).expect_err("half");
    assert!(
        error.to_string().contains("callreel_certificate.pem"),
        "{error}"
    );
    let found = locate(&config(folder.path()), Some(folder.path()));
    assert!(matches!(
        found.certificate,
        Some((_, Provenance::Credential))
    ));
    assert!(matches!(found.admin_key, Some((_, Provenance::Made))));
}
