//! Prompts that cannot be had: each gives exactly one `playback.file_not_found` that says why, and
//! leaves the call, and what plays in it, as it was.

use std::time::Duration;

use harness::duplex::RATE;
use harness::server::Reply;
use harness::{correlate, ports, sound, wait, wav};
use serde_json::{Value, json};

use super::rig::{Call, Rig, samples};

/// A fetch may take 30 s; more than that, on a busy machine.
const SLOW_WITHIN: Duration = Duration::from_secs(90);

fn audio() -> Vec<(String, String)> {
    vec![("Content-Type".to_owned(), "audio/wav".to_owned())]
}

fn answer(kind: &str, body: &[u8]) -> Reply {
    Reply::Answer {
        status: 200,
        headers: vec![("Content-Type".to_owned(), kind.to_owned())],
        body: body.to_vec(),
    }
}

fn redirect(to: &str) -> Reply {
    Reply::Answer {
        status: 302,
        headers: vec![("Location".to_owned(), to.to_owned())],
        body: Vec::new(),
    }
}

/// What it is, its URL, and a word of the reason.
type Bad = (&'static str, String, &'static str);

/// Servers that are not there, or have no sound.
fn bad_servers(rig: &Rig) -> Vec<Bad> {
    let put = |name: &str, reply: Reply| rig.prompts.put_reply(name, reply);
    let whole = wav::write(&sound::rustle(1.0, RATE, 90), 1, RATE);
    let _ = rig.prompts.put("good.wav", &whole, "audio/wav");
    let stated = Reply::Part {
        headers: audio(),
        body: vec![0; 60_000_000],
        sent: 10_000,
    };
    let endless = Reply::Endless {
        headers: audio(),
        body: whole.clone(),
        zeros: 60_000_000,
    };
    let nobody = format!("http://{}/a.wav", ports::free_address());
    vec![
        ("nobody listens", nobody, ""),
        (
            "no such host",
            "http://no-such-host.invalid/a.wav".into(),
            "resolve",
        ),
        ("not there", rig.prompts.url("missing.wav"), "404"),
        ("broken", put("broken", Reply::status(500)), "500"),
        ("closed", put("closed", Reply::Close), ""),
        ("huge as stated", put("huge", stated), ""),
        ("huge as it turns out", put("endless", endless), ""),
        (
            "a page",
            put("page", answer("text/html", b"<html>no</html>")),
            "",
        ),
        (
            "noise as audio",
            put("noise", answer("audio/wav", &[7; 5_000])),
            "",
        ),
        (
            "nothing as audio",
            put("nothing", answer("audio/wav", b"")),
            "",
        ),
    ]
}

/// Ways to where nothing may be fetched from.
fn bad_ways(rig: &Rig) -> Vec<Bad> {
    let put = |name: &str, reply: Reply| rig.prompts.put_reply(name, reply);
    let good = rig.prompts.url("good.wav");
    let far = put("far-0", redirect(&rig.prompts.url("far-1")));
    for hop in 1..4 {
        let next = rig.prompts.url(&format!("far-{}", hop + 1));
        let _ = put(&format!("far-{hop}"), redirect(&next));
    }
    let _ = put("far-4", redirect(&good));
    vec![
        ("too many redirects", far, "redirect"),
        (
            "a redirect to a machine's metadata",
            put("meta", redirect("http://169.254.169.254/latest/meta-data")),
            "169.254.169.254",
        ),
        (
            "a redirect to a loopback that is not listed",
            put("loop", redirect("http://[::1]:1/a.wav")),
            "::1",
        ),
        (
            "a redirect to a private network",
            put("private", redirect("http://192.168.77.1/a.wav")),
            "192.168.77.1",
        ),
        (
            "a redirect to a file",
            put("file", redirect("file:///etc/passwd")),
            "",
        ),
        (
            "metadata",
            "http://169.254.169.254/a.wav".into(),
            "169.254.169.254",
        ),
        (
            "mapped metadata",
            "http://[::ffff:169.254.169.254]/".into(),
            "169.254",
        ),
        (
            "a private network",
            "http://10.1.2.3/a.wav".into(),
            "10.1.2.3",
        ),
        ("no address", "http://0.0.0.0/a.wav".into(), "0.0.0.0"),
        ("multicast", "http://224.0.0.1/a.wav".into(), "224.0.0.1"),
    ]
}

fn assert_not_found(call: &Call<'_>, uid: &str, url: &str) -> Value {
    let not_found = wait::until_within("playback.file_not_found", SLOW_WITHIN, || {
        let named = call.named("playback.file_not_found").into_iter();
        named.into_iter().find(|data| data["command_uid"] == uid)
    });
    assert_eq!(not_found["url"], url, "{not_found}");
    let error = not_found["error"].as_str().unwrap_or_default();
    assert!(error.len() > 5, "a reason: {not_found}");
    let result = call.result(uid);
    assert_eq!(result["success"], false, "{result}");
    not_found
}

/// Nothing of a wish that fails is heard, told as begun, or ended.
fn assert_untouched(call: &Call<'_>, uids: &[String]) {
    for event in call.events() {
        let uid = event.body["data"]["command_uid"].as_str();
        let is_theirs = uids.iter().any(|own| uid == Some(own.as_str()));
        let is_about_sound = ["playback.started", "playback.stopped"].contains(&&*event.event);
        assert!(!(is_theirs && is_about_sound), "{}", event.body);
    }
    for uid in uids {
        let told = call.named("playback.file_not_found");
        let told = told
            .iter()
            .filter(|data| data["command_uid"] == uid.as_str());
        assert_eq!(told.count(), 1, "{uid}");
    }
}

#[test]
fn bad_urls_leave_the_call_as_it_was() {
    let rig = Rig::start("");
    let known = sound::rustle(120.0, RATE, 91);
    let url = rig.prompts.put_samples("known.wav", &known);
    let call = rig.answered();
    let mut ear = rig.caller(0).listen();
    let playing = call.play(&[&url]);
    let from = ear.wait_for_sound(0, samples(500));
    let mut uids = Vec::new();
    for (what, bad, word) in bad_servers(&rig).into_iter().chain(bad_ways(&rig)) {
        let good = rig.prompts.url("good.wav");
        let uid = call.send("playback/start", &json!({ "urls": [good, bad] }));
        let not_found = assert_not_found(&call, &uid, &bad);
        let error = not_found["error"].as_str().unwrap_or_default();
        assert!(error.contains(word), "{what}: '{error}' says no '{word}'");
        uids.push(uid);
    }
    assert_untouched(&call, &uids);
    let look = call.look();
    assert_eq!(look["playback"]["command_uid"], playing.as_str(), "{look}");
    // The prompt went on all the time, without a jump.
    let heard = ear.heard();
    let share = correlate::share_heard(&heard[from..], &known[..heard.len() - from]);
    assert!(share > 0.9, "{share} of it was heard");
    let _ = call.hang_up();
    call.settle();
}

/// A server that never comes to an end, and one that never begins: the command has failed after
/// two seconds, and half a minute later its file was not found. The call goes on meanwhile.
#[test]
fn slow_servers_are_given_up() {
    let lines = [
        ("desk", "trigger = \"api\"\n"),
        ("hall", "trigger = \"api\"\n"),
    ];
    let rig = Rig::with(&lines);
    let whole = wav::write(&sound::rustle(10.0, RATE, 92), 1, RATE);
    let trickle = Reply::Part {
        headers: audio(),
        body: whole,
        sent: 20_000,
    };
    let urls = [
        rig.prompts.put_reply("trickle.wav", trickle),
        rig.prompts.put_reply("stall.wav", Reply::Stall),
    ];
    let calls = lines.map(|(line, _)| rig.open_on(line));
    let started: Vec<String> = calls
        .iter()
        .zip(&urls)
        .map(|(call, url)| {
            call.run("answer", &json!({}));
            call.send("playback/start", &json!({ "urls": [url] }))
        })
        .collect();
    for ((call, url), uid) in calls.iter().zip(&urls).zip(&started) {
        let result = call.result(uid);
        assert_eq!(result["error"], "timeout", "{result}");
        // What needs no file is done at once.
        call.run("record/start", &json!({}));
        let _ = assert_not_found(call, uid, url);
        assert_untouched(call, std::slice::from_ref(uid));
        let _ = call.hang_up();
        call.settle();
    }
}
