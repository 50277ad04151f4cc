//! The prompt library over sockets: what is added is listed and plays.

use std::time::Duration;

use http::{Method, StatusCode};
use storage::ids::{PromptId, TenantName};
use storage::record::Container;

use super::{PLAY, code, form, token_of, told};
use crate::http::limits;
use crate::http::tests::client::{Answer, Ask, Way};
use crate::http::tests::rig::{Rig, pattern};

const CREATE: &str = "/api/v2/CreateAudioFile.php";
const LIST: &str = "/api/v2/GetAudiosList.php";

/// A second of silence.
fn wav() -> Vec<u8> {
    let mut file = b"RIFF\xa4\x3e\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend_from_slice(b"\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x80\x3e\0\0");
    file.resize(44 + 16_000, 0);
    file
}

/// A rig whose speech engine copies a file, once [`speak_up`] has put it there.
fn speaking() -> (Rig, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound.wav");
    let sound = sound.to_str().unwrap();
    let command = ["cp", sound, "{output}"].map(str::to_owned).to_vec();
    (Rig::with(|config| config.speech.command = command), folder)
}

fn speak_up(engine: &tempfile::TempDir) {
    std::fs::write(engine.path().join("sound.wav"), wav()).unwrap();
}

fn add(rig: &Rig, body: &str) -> Answer {
    form(CREATE, body).ask(rig)
}

fn list(rig: &Rig, query: &str) -> Vec<serde_json::Value> {
    let answer = Ask::get(format!("{LIST}?{query}")).ask(rig);
    assert_eq!(answer.status, StatusCode::OK, "{query}");
    let json = answer.json();
    assert_eq!(json["return"]["status_code"], "0");
    json["return"]["audios"].as_array().unwrap().clone()
}

/// A multipart body of texts and one file.
fn upload(texts: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in texts {
        let field =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(field.as_bytes());
    }
    body.extend_from_slice(
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"hold me.wav\"\r\n\
          Content-Type: audio/wav\r\n\r\n",
    );
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--b--\r\n");
    body
}

fn send(path: &str, body: Vec<u8>) -> Ask<'static> {
    let mut ask = Ask::get(path).method(Method::POST);
    ask.body = body.into();
    ask.with("content-type", "multipart/form-data; boundary=b")
}

#[test]
fn a_text_is_spoken_when_it_is_first_played() {
    let (rig, engine) = speaking();
    let tsid = token_of(&rig, rig.tenant);
    let added = add(&rig, &format!("tsid={tsid}&text=Please%20hold&voice=en-us"));
    let id = told(&added, "cdw_id");
    assert_eq!(told(&added, "cd_id"), id);
    assert_eq!(told(&added, "cdw_file"), format!("{id}.mp3"));
    let play = |query: &str| Ask::get(format!("{PLAY}?tsid={tsid}&{query}"));
    let failed = play(&format!("cdw_id={id}")).ask(&rig);
    assert_eq!(code(&failed), "260");
    assert_eq!(failed.json()["return"]["status"], "Fail get audio");
    speak_up(&engine);
    let spoken = play(&format!("cdw_id={id}")).ask(&rig);
    assert_eq!(spoken.status, StatusCode::OK);
    assert_eq!(spoken.header("content-type"), Some("audio/mpeg"));
    let name = format!("inline; filename=\"{id}.mp3\"");
    assert_eq!(spoken.header("content-disposition"), Some(name.as_str()));
    for query in [
        format!("cdw_file=tf{id}.mp3"),
        format!("cdw_file={id}"),
        format!("cdw_file_test={id}.mp3"),
        format!("cdw_id={id}&cdw_file=9&cdw_file_test=8"),
    ] {
        let answer = play(&query)
            .with("range", "bytes=0-9")
            .send(&rig, Way::TlsH2);
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{query}");
        assert!(answer.body == spoken.body[..10], "{query}");
    }
    let listed = list(&rig, &format!("tsid={tsid}"));
    let expected = serde_json::json!({
        "cdw_id": id, "cdw_file": format!("{id}.mp3"), "cdw_name": "Please hold",
        "cdw_sec": "1", "cdw_date": "1994-11-06T08:49:37.500Z", "cdw_expires": "",
        "cdw_type": "tts",
    });
    assert_eq!(listed, [expected]);
}

#[test]
fn prompts_that_cannot_be_played_have_their_codes() {
    let (rig, engine) = speaking();
    speak_up(&engine);
    let storage = &rig.site.storage;
    let tsid = token_of(&rig, rig.tenant);
    let play = |id: &str| Ask::get(format!("{PLAY}?tsid={tsid}&cdw_id={id}")).ask(&rig);
    let text = |more: &str| told(&add(&rig, &format!("tsid={tsid}&text=a{more}")), "cd_id");
    let (deleted, expiring) = (text(""), text("&expires=1994-11-06%2008:50:00"));
    assert_eq!(play(&expiring).status, StatusCode::OK);
    let number = |id: &str| PromptId(id.parse().unwrap());
    storage.delete_prompt(rig.tenant, number(&deleted)).unwrap();
    assert_eq!(code(&play(&deleted)), "240");
    rig.clock.advance(Duration::from_secs(30));
    assert_eq!(code(&play(&expiring)), "240");
    assert_eq!(list(&rig, &format!("tsid={tsid}")).len(), 0);
    assert_eq!(code(&play("999")), "230");
    let mine = text("");
    let other = storage.add_tenant(TenantName::new("c").unwrap()).unwrap();
    let theirs = token_of(&rig, other.id);
    let stranger = Ask::get(format!("{PLAY}?tsid={theirs}&cdw_id={mine}")).ask(&rig);
    assert_eq!(code(&stranger), "230");
    assert_eq!(list(&rig, &format!("tsid={theirs}")).len(), 0);
}

#[test]
fn uploads_are_kept_as_they_came() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let by_query = format!("{CREATE}?tsid={tsid}");
    for (path, texts) in [
        (by_query.as_str(), vec![("name", "Hold é")]),
        (CREATE, vec![("tsid", tsid.as_str())]),
    ] {
        for way in Way::ALL {
            let added = send(path, upload(&texts, &wav())).send(&rig, way);
            let id = told(&added, "cd_id");
            assert_eq!(told(&added, "cdw_file"), format!("{id}.wav"));
            let played = Ask::get(format!("{PLAY}?tsid={tsid}&cdw_id={id}")).send(&rig, way);
            assert_eq!(played.header("content-type"), Some("audio/x-wav"));
            assert!(played.body == wav(), "{way:?}");
        }
    }
    let names: Vec<_> = list(&rig, &format!("tsid={tsid}&type=upload&search=HOLD"))
        .iter()
        .map(|audio| audio["cdw_name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 8);
    assert!(
        names[..4].iter().all(|name| name == "hold me.wav"),
        "{names:?}"
    );
    assert!(names[4..].iter().all(|name| name == "Hold é"), "{names:?}");
    assert_eq!(list(&rig, &format!("tsid={tsid}&search=%C3%89")).len(), 4);
    assert_eq!(list(&rig, &format!("tsid={tsid}&maxreg=3")).len(), 3);
    assert_eq!(list(&rig, &format!("tsid={tsid}&type=tts")).len(), 0);
    let scratch = rig.site.storage.data_dir().join("scratch");
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0);
}

#[test]
fn uploads_are_refused_with_the_envelope() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let target = format!("{CREATE}?tsid={tsid}");
    let most = usize::try_from(limits::UPLOAD_BYTES).unwrap();
    let mut two = upload(&[], &wav());
    two.truncate(two.len() - b"--b--\r\n".len());
    two.extend_from_slice(&upload(&[], &wav()));
    let late = [
        &upload(&[], &wav())[..16_000],
        b"\r\n--b\r\nContent-Disposition: form-data; name=\"tsid\"\r\n\r\n",
        tsid.as_bytes(),
        b"\r\n--b--\r\n",
    ];
    for (path, body, expected) in [
        (&*target, upload(&[], b"not a sound"), "400"),
        (&*target, upload(&[], b""), "400"),
        (&*target, upload(&[], &wav()[..30]), "400"),
        (&*target, upload(&[("text", "and a text")], &wav()), "400"),
        (&*target, two, "400"),
        (&*target, upload(&[], &vec![0; most + 1]), "413"),
        (&*target, upload(&[], &wav())[..8_000].to_vec(), "400"),
        // A file of somebody unknown is not taken in.
        (CREATE, late.concat(), "100"),
        (CREATE, upload(&[("tsid", "wrongwrong")], &wav()), "102"),
    ] {
        let answer = send(path, body).ask(&rig);
        assert_eq!(code(&answer), expected);
    }
    assert_eq!(list(&rig, &format!("tsid={tsid}")).len(), 0);
    let scratch = rig.site.storage.data_dir().join("scratch");
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0);
}

#[test]
fn a_recordings_sound_can_be_kept_as_a_prompt() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let row = rig.import(&wav(), Container::Wav);
    let added = add(&rig, &format!("tsid={tsid}&recid={}", row.facts.id));
    let id = told(&added, "cd_id");
    rig.site.storage.delete(rig.tenant, row.facts.id).unwrap();
    let played = Ask::get(format!("{PLAY}?tsid={tsid}&cdw_id={id}")).ask(&rig);
    assert!(played.body == wav());
    let listed = list(&rig, &format!("tsid={tsid}&type=rec"));
    assert_eq!(listed[0]["cdw_name"], format!("recording {}", row.facts.id));
    let again = add(&rig, &format!("tsid={tsid}&recid={}", row.facts.id));
    assert_eq!(code(&again), "240");
    assert_eq!(code(&add(&rig, &format!("tsid={tsid}&recid=777"))), "230");
    // What is no sound that is known cannot be copied.
    let odd = rig.import(&pattern(500), Container::Mp3);
    let odd = add(&rig, &format!("tsid={tsid}&recid={}", odd.facts.id));
    assert_eq!(code(&odd), "250");
}

#[test]
fn wishes_are_checked_when_they_are_made() {
    let rig = Rig::new();
    let tsid = token_of(&rig, rig.tenant);
    let long_name = format!("text=a&name={}", "n".repeat(129));
    let long_text = format!("text={}", "a".repeat(10_001));
    for (body, expected) in [
        ("", "400"),
        ("name=a", "400"),
        ("text=a&recid=1", "400"),
        ("text=a&url=http://1.1.1.1/", "400"),
        ("text=%20", "400"),
        ("text=a%07b", "400"),
        (&*long_text, "400"),
        (&*long_name, "400"),
        ("text=a&name=a%0Ab", "400"),
        ("text=a&voice=-w/etc/x", "400"),
        ("text=a&lang=../x", "400"),
        ("text=a&expires=soon", "400"),
        ("text=a&expires=1994-11-06", "400"),
        ("recid=x", "230"),
        ("url=ftp://1.1.1.1/a", "400"),
        ("url=http://u:p@1.1.1.1/a", "400"),
        ("url=http://127.0.0.1/a", "260"),
        ("url=http://0177.0.0.1/a", "260"),
        ("url=http://[::ffff:10.0.0.1]/a", "260"),
        ("url=http://169.254.169.254/latest/meta-data", "260"),
        ("text=a&type=", "0"),
        ("text=a&lang=es&expires=2030-01-01", "0"),
        ("url=http://1.1.1.1/a", "0"),
    ] {
        let answer = add(&rig, &format!("tsid={tsid}&{body}"));
        assert_eq!(code(&answer), expected, "{body}");
    }
    let listed = list(&rig, &format!("tsid={tsid}"));
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[1]["cdw_expires"], "2030-01-01T00:00:00.000Z");
    let head = Ask::get(format!("{CREATE}?tsid={tsid}&text=a")).method(Method::HEAD);
    assert_eq!(head.ask(&rig).status, StatusCode::OK);
    assert_eq!(
        list(&rig, &format!("tsid={tsid}")).len(),
        3,
        "HEAD changes nothing"
    );
    for query in [
        "type=all",
        "maxreg=0",
        "maxreg=1001",
        "maxreg=x",
        "maxreg=-1",
    ] {
        let answer = Ask::get(format!("{LIST}?tsid={tsid}&{query}")).ask(&rig);
        assert_eq!(code(&answer), "400", "{query}");
    }
}
