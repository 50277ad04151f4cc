//! The API document says what the code does: paths, limits, examples, events.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::access::AccessFault;
use super::super::{COMMAND_BODY_BYTES, CommandAccepted, ErrorAnswer, body, opening};
use crate::engine::session::command::{CommandKind, HangupCause};
use crate::engine::session::cooldown::Group;
use crate::engine::session::event::Event;
use crate::engine::session::limits;
use crate::engine::webhook::application;

fn document() -> Value {
    let text = include_str!("../../../openapi/session_commands.json");
    serde_json::from_str(text).unwrap()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    let fields = object.as_object().unwrap();
    fields.keys().map(String::as_str).collect()
}

fn operation(document: &Value, kind: CommandKind) -> &Value {
    let path = format!("/api/v1/sessions/{{uuid}}/commands/{}", kind.as_str());
    &document["paths"][path]["post"]
}

fn fields(document: &Value, kind: CommandKind) -> &Value {
    &operation(document, kind)["requestBody"]["content"]["application/json"]["schema"]["properties"]
}

#[test]
fn it_has_every_command_with_its_group_and_a_true_example() {
    let document = document();
    let paths = keys(&document["paths"]);
    let commands = paths.iter().filter(|path| path.contains("/commands/"));
    assert_eq!(commands.count(), CommandKind::ALL.len());
    for kind in CommandKind::ALL {
        let operation = operation(&document, kind);
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        let request = body::read(kind, example.to_string().as_bytes(), Uuid::nil());
        assert!(request.is_ok(), "{kind:?} {request:?}");
        let description = operation["description"].as_str().unwrap();
        let group = Group::of(kind).map(|group| format!("of the group {} in", group.as_str()));
        assert_eq!(group.is_some(), description.contains("Rate limit"));
        assert!(group.is_none_or(|group| description.contains(&group)));
        assert_eq!(
            fields(&document, kind)["command_uid"]["$ref"],
            "#/components/schemas/CommandUid"
        );
        assert!(keys(&operation["responses"]).contains("202"));
    }
}

#[test]
fn its_limits_are_the_codes() {
    let document = document();
    let start = fields(&document, CommandKind::PlaybackStart);
    let collect = fields(&document, CommandKind::PlayAndGetDigits);
    let hangup = fields(&document, CommandKind::Hangup);
    let schemas = &document["components"]["schemas"];
    for (seen, expected) in [
        (&start["urls"]["maxItems"], json!(limits::URLS)),
        (&collect["prompt_files"]["maxItems"], json!(limits::URLS)),
        (&collect["invalid_files"]["maxItems"], json!(limits::URLS)),
        (&schemas["Url"]["maxLength"], json!(limits::URL_CHARS)),
        (&start["offset_sec"]["maximum"], json!(limits::OFFSET_SEC)),
        (&collect["min_digits"]["maximum"], json!(limits::DIGITS)),
        (&collect["max_digits"]["maximum"], json!(limits::DIGITS)),
        (&collect["max_tries"]["maximum"], json!(limits::TRIES)),
        (&collect["timeout"]["minimum"], json!(limits::TRY_MIN_MS)),
        (&collect["timeout"]["maximum"], json!(limits::TRY_MAX_MS)),
        (
            &collect["min_digits"]["default"],
            json!(limits::DIGITS_MIN_DEFAULT),
        ),
        (
            &collect["max_digits"]["default"],
            json!(limits::DIGITS_MAX_DEFAULT),
        ),
        (
            &collect["max_tries"]["default"],
            json!(limits::TRIES_DEFAULT),
        ),
        (
            &collect["timeout"]["default"],
            json!(limits::TRY_DEFAULT_MS),
        ),
        (
            &collect["terminators"]["pattern"],
            json!(format!("^[#*]{{0,{}}}$", limits::TERMINATORS)),
        ),
        (&hangup["cause"]["default"], json!(HangupCause::default())),
        (
            &hangup["cause"]["pattern"],
            json!(format!("^[A-Z_]{{1,{}}}$", limits::CAUSE_CHARS)),
        ),
        (
            &schemas["CommandUid"]["pattern"],
            json!(format!(
                "^[a-zA-Z0-9._-]{{1,{}}}$",
                limits::COMMAND_UID_CHARS
            )),
        ),
    ] {
        assert_eq!(*seen, expected);
    }
    let total = format!("at most {}", limits::TRIES_WHOLE_MS);
    let said = collect["max_tries"]["description"].as_str().unwrap();
    assert!(said.contains(&total));
    let large = document["components"]["responses"]["413"]["description"].as_str();
    assert!(large.unwrap().contains("1 MiB") && COMMAND_BODY_BYTES == 1 << 20);
}

#[test]
fn its_answers_are_the_codes() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let accepted = serde_json::to_value(CommandAccepted::new(Uuid::nil())).unwrap();
    let properties = &schemas["Accepted"]["properties"];
    assert_eq!(keys(&accepted), keys(properties));
    assert_eq!(accepted["status"], properties["status"]["const"]);
    assert_eq!(accepted["timeout_ms"], properties["timeout_ms"]["const"]);
    let error = serde_json::to_value(ErrorAnswer::new("a", Some("b"))).unwrap();
    assert_eq!(keys(&error), keys(&schemas["Error"]["properties"]));
    let responses = &document["components"]["responses"];
    for fault in [
        AccessFault::MissingKey,
        AccessFault::InvalidKey,
        AccessFault::NotYours,
        AccessFault::NotFound,
        AccessFault::Ended,
        AccessFault::RateLimited,
        AccessFault::Cooldown(Group::Seek),
    ] {
        let status: StatusCode = fault.status();
        let said = responses[status.as_str()]["description"].as_str().unwrap();
        assert!(said.contains(&format!("`{fault}`")), "{said}");
    }
}

#[test]
fn its_webhooks_are_the_events() {
    let document = document();
    let mut seen = BTreeSet::new();
    for (event, name, data) in super::answers::each() {
        let hook = &document["webhooks"][name]["post"];
        let parts = &hook["requestBody"]["content"]["application/json"]["schema"]["allOf"];
        assert_eq!(parts[2]["properties"]["event"]["const"], name);
        let schema = parts[1]["$ref"].as_str().unwrap();
        let schema = schema.strip_prefix("#/components/schemas/").unwrap();
        let schema = &document["components"]["schemas"][schema];
        let (has, may) = (keys(&data), keys(&schema["properties"]));
        assert!(has.is_subset(&may), "{event:?}");
        let required = schema["required"].as_array();
        for field in required.into_iter().flatten() {
            assert!(has.contains(field.as_str().unwrap()), "{event:?} {field}");
        }
        for (field, value) in data.as_object().unwrap() {
            if let Some(allowed) = schema["properties"][field]["enum"].as_array() {
                assert!(allowed.contains(value), "{name} {field} {value}");
            }
        }
        seen.insert(name);
    }
    assert_eq!(seen, keys(&document["webhooks"]));
}

#[test]
fn its_other_numbers_are_the_codes() {
    use crate::http::limits as http;
    let document = document();
    let body = |path: &str| {
        let post = &document["paths"][path]["post"]["requestBody"]["content"];
        post["application/json"].clone()
    };
    let app = body("/admin/apps/{app_id}");
    let fields = &app["schema"]["properties"];
    let (least, most) = (storage::limits::APP_KEY_MIN, application::APP_KEY_MAX);
    let streams = document["paths"]["/api/v1/events"]["get"]["description"].to_string();
    for (seen, expected) in [
        (
            &fields["rate_limit"]["maximum"],
            json!(application::RATE_LIMIT_MAX),
        ),
        (
            &fields["api_key"]["pattern"],
            json!(format!("^[!-~]{{{least},{most}}}$")),
        ),
        (&fields["events"]["items"]["enum"], json!(Event::NAMES)),
        (
            &fields["webhook_url"]["maxLength"],
            json!(storage::limits::WEBHOOK_URL_MAX),
        ),
    ] {
        assert_eq!(*seen, expected);
    }
    assert_eq!(
        (http::EVENT_STREAMS_A_TENANT, http::EVENT_STREAMS),
        (64, 1_024)
    );
    assert!(streams.contains("At most 64 streams") && streams.contains("1,024 in all"));
    assert!(streams.contains("every 15 s") && http::EVENT_HEARTBEAT.as_secs() == 15);
    let wish = opening::wish(app["example"].to_string().as_bytes()).unwrap();
    assert!(wish.check(None, &[]).is_ok());
    let described = fields["rate_limit"]["description"].as_str().unwrap();
    assert!(described.contains(&application::RATE_LIMIT_DEFAULT.to_string()));
    let call = body("/api/v1/sessions")["example"].to_string();
    assert!(opening::call(call.as_bytes()).is_ok());
}

#[test]
fn every_event_can_be_chosen() {
    let mut chosen = Event::NAMES.to_vec();
    chosen.sort_unstable();
    let document = document();
    let known: Vec<_> = keys(&document["webhooks"]).into_iter().collect();
    assert_eq!(chosen, known);
}

#[test]
fn its_references_lead_somewhere() {
    fn walk(document: &Value, part: &Value) {
        match part {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    let pointer = to.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{to}");
                }
                fields.values().for_each(|field| walk(document, field));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(document, item)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
}
