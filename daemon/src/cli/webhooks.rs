//! `app` and `webhooks`.

use std::fmt::Write as _;

use serde::Serialize;

use super::Context;
use super::args::{AppCommand, AppSetArgs, ReplayArgs, WebhooksCommand};
use super::client::query;
use super::error::CliError;
use super::output::{or_dash, printable, table};
use super::password;
use crate::control::wire::{
    AppWasSet, Application, DeadLetter, DeadLetters, Items, Replay, Replayed, SetApp,
};

pub(super) async fn app(context: &Context, command: AppCommand) -> Result<(), CliError> {
    match command {
        AppCommand::List => {
            let apps: Items<Application> = context.client.get("/apps").await?;
            context.output.show(&apps, |apps| {
                if apps.items.is_empty() {
                    return NO_APPS.into();
                }
                let rows: Vec<_> = apps.items.iter().map(app_row).collect();
                let heading = ["APP", "WEBHOOK", "EVENTS", "RATE", "STATE", "ADDED"];
                table(heading, &rows)
            })
        }
        AppCommand::Show { app } => {
            let app: Application = context.client.get(&format!("/apps/{app}")).await?;
            context.output.show(&app, describe_app)
        }
        AppCommand::Set(wish) => set(context, wish).await,
    }
}

const NO_APPS: &str =
    "there are no applications; 'callreel app set NAME --generate-key' adds one\n";

fn app_row(app: &Application) -> [String; 6] {
    [
        app.app_id.clone(),
        or_dash(app.webhook_url.as_deref()),
        match app.events.len() {
            0 => "all".to_owned(),
            some => some.to_string(),
        },
        format!("{}/min", app.rate_limit),
        state(app),
        app.created_at.clone(),
    ]
}

/// Whether events are delivered to it.
fn state(app: &Application) -> String {
    match (&app.stopped_at, &app.webhook_url) {
        (Some(at), _) => format!("stopped by its receiver (410) since {at}"),
        (None, Some(_)) => "delivered to".to_owned(),
        (None, None) => "no webhook".to_owned(),
    }
}

fn describe_app(app: &Application) -> String {
    let counts = &app.webhooks;
    let rows = [
        ("app", app.app_id.clone()),
        ("tenant", app.tenant.clone()),
        ("webhook", or_dash(app.webhook_url.as_deref())),
        ("state", state(app)),
        ("events", events(&app.events)),
        (
            "rate limit",
            format!("{} requests a minute", app.rate_limit),
        ),
        ("added", app.created_at.clone()),
        (
            "webhooks",
            format!(
                "{} waiting, {} dead, {} delivered, {} overflowed, {} given up",
                counts.waiting, counts.dead, counts.delivered, counts.overflowed, counts.given_up
            ),
        ),
    ];
    let line = |(name, value): &(&str, String)| format!("{name:<12} {}\n", printable(value));
    rows.iter().map(line).collect()
}

fn events(names: &[String]) -> String {
    if names.is_empty() {
        "all".to_owned()
    } else {
        names.join(", ")
    }
}

/// What was set, and the key where this program made it.
#[derive(Serialize)]
struct WithKey<'a> {
    #[serde(flatten)]
    set: &'a AppWasSet,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
}

async fn set(context: &Context, wish: AppSetArgs) -> Result<(), CliError> {
    let key = password::api_key(wish.api_key_stdin, wish.generate_key)?;
    let events = (wish.all_events || !wish.events.is_empty()).then_some(wish.events);
    let change = SetApp {
        webhook_url: wish.no_webhook.then(String::new).or(wish.webhook_url),
        api_key: key.as_ref().map(|key| key.text.clone()),
        rate_limit: wish.rate_limit,
        events,
        new_secret: wish.new_secret,
    };
    let path = format!("/apps/{}", wish.app);
    let set: AppWasSet = context.client.post(&path, &change).await?;
    let made = key.as_ref().filter(|key| key.made);
    let shown = WithKey {
        set: &set,
        api_key: made.map(|key| key.text.as_str()),
    };
    context.output.show(&shown, describe_set)
}

fn describe_set(shown: &WithKey<'_>) -> String {
    let (set, app) = (shown.set, &shown.set.application);
    let mut text = String::new();
    if set.tenant_added {
        let _ = writeln!(text, "tenant '{}' added", app.tenant);
    }
    let done = if set.added { "added" } else { "changed" };
    let _ = writeln!(text, "application '{}' {done}", app.app_id);
    if let Some(key) = shown.api_key {
        let _ = write!(text, "\nIts key (X-API-Key):\n\n  {key}\n");
    }
    if let Some(secret) = &set.secret {
        let _ = write!(
            text,
            "\nThe secret that its webhooks are signed with:\n\n  {secret}\n"
        );
    }
    if shown.api_key.is_some() || set.secret.is_some() {
        text.push_str("\nKeep them: they are not shown again.\n");
    }
    if let (Some(key), Some(base)) = (shown.api_key, &set.base_url) {
        let _ = write!(
            text,
            "\n  curl -H 'X-App-ID: {}' -H 'X-API-Key: {key}' {base}/api/v1/sessions\n",
            app.app_id
        );
    }
    text
}

pub(super) async fn webhooks(context: &Context, command: WebhooksCommand) -> Result<(), CliError> {
    match command {
        WebhooksCommand::List {
            tenant,
            dead,
            limit,
        } => {
            let tenant = ("tenant", tenant.map(String::from));
            if dead {
                let query = query(&[tenant, ("limit", Some(limit.to_string()))]);
                let path = format!("/webhooks/dead{query}");
                let letters: DeadLetters = context.client.get(&path).await?;
                return context.output.show(&letters, dead_letters);
            }
            let path = format!("/apps{}", query(&[tenant]));
            let apps: Items<Application> = context.client.get(&path).await?;
            context.output.show(&apps, |apps| {
                if apps.items.is_empty() {
                    return NO_APPS.into();
                }
                let rows: Vec<_> = apps.items.iter().map(webhook_row).collect();
                let heading = [
                    "APP",
                    "WEBHOOK",
                    "WAITING",
                    "DEAD",
                    "DELIVERED",
                    "OVERFLOWED",
                    "GIVEN_UP",
                    "STATE",
                ];
                table(heading, &rows)
            })
        }
        WebhooksCommand::Show { id } => {
            let letter: DeadLetter = context.client.get(&format!("/webhooks/dead/{id}")).await?;
            context.output.show(&letter, describe_letter)
        }
        WebhooksCommand::Replay(wish) => replay(context, wish).await,
    }
}

fn webhook_row(app: &Application) -> [String; 8] {
    let counts = &app.webhooks;
    [
        app.app_id.clone(),
        or_dash(app.webhook_url.as_deref()),
        counts.waiting.to_string(),
        counts.dead.to_string(),
        counts.delivered.to_string(),
        counts.overflowed.to_string(),
        counts.given_up.to_string(),
        state(app),
    ]
}

fn dead_letters(letters: &DeadLetters) -> String {
    if letters.items.is_empty() {
        return "there are no dead letters\n".into();
    }
    let row = |letter: &DeadLetter| {
        [
            letter.id.to_string(),
            letter.app_id.clone(),
            letter.session_uuid.to_string(),
            letter.event.clone(),
            letter.sequence.to_string(),
            letter.attempts.to_string(),
            letter.died_at.clone(),
            format!(
                "{}: {}",
                letter.cause,
                or_dash(letter.last_error.as_deref())
            ),
        ]
    };
    let rows: Vec<_> = letters.items.iter().map(row).collect();
    let heading = [
        "ID", "APP", "SESSION", "EVENT", "SEQUENCE", "ATTEMPTS", "DIED", "ERROR",
    ];
    let mut text = table(heading, &rows);
    if letters.total > letters.items.len() as u64 {
        let _ = writeln!(
            text,
            "{} of {}; --limit shows more",
            rows.len(),
            letters.total
        );
    }
    text
}

fn describe_letter(letter: &DeadLetter) -> String {
    let rows = [
        ("id", letter.id.to_string()),
        ("app", letter.app_id.clone()),
        ("session", letter.session_uuid.to_string()),
        ("event", letter.event.clone()),
        ("sequence", letter.sequence.to_string()),
        ("told", letter.created_at.clone()),
        ("died", format!("{}, {}", letter.died_at, letter.cause)),
        ("attempts", letter.attempts.to_string()),
        ("last error", or_dash(letter.last_error.as_deref())),
    ];
    let line = |(name, value): &(&str, String)| format!("{name:<12} {}\n", printable(value));
    let mut text: String = rows.iter().map(line).collect();
    if let Some(body) = &letter.body {
        let body = serde_json::to_string_pretty(body).unwrap_or_default();
        let _ = write!(text, "\n{body}\n");
    }
    text
}

async fn replay(context: &Context, wish: ReplayArgs) -> Result<(), CliError> {
    let request = |dry_run| Replay {
        tenant: wish.tenant.clone(),
        ids: (!wish.all).then(|| wish.ids.clone()),
        dry_run,
    };
    let path = "/webhooks/replay";
    if wish.dry_run || (wish.all && !wish.yes) {
        let found: Replayed = context.client.post(path, &request(true)).await?;
        if wish.dry_run {
            return context.output.show(&found, |found| {
                let mut text = format!("would replay {} dead letters\n", found.found);
                text.push_str(&unknown(found));
                text
            });
        }
        let question = format!("Replay {} dead letters of '{}'?", found.found, found.tenant);
        if found.found > 0 && !context.output.confirm(&question)? {
            context.output.remark("nothing was replayed");
            return Ok(());
        }
    }
    let done: Replayed = context.client.post(path, &request(false)).await?;
    context.output.show(&done, describe_replayed)?;
    match usize::try_from(done.found - done.replayed) {
        Ok(0) if done.unknown.is_empty() => Ok(()),
        missing => Err(CliError::Some {
            failed: missing.unwrap_or(usize::MAX) + done.unknown.len(),
            all: usize::try_from(done.found).unwrap_or(usize::MAX) + done.unknown.len(),
        }),
    }
}

fn describe_replayed(done: &Replayed) -> String {
    let mut text = format!(
        "{} of {} dead letters of '{}' wait to be delivered again\n",
        done.replayed, done.found, done.tenant
    );
    if done.replayed < done.found {
        text.push_str("as many wait as can; replay the rest when they are delivered\n");
    }
    text.push_str(&unknown(done));
    text
}

fn unknown(done: &Replayed) -> String {
    let line = |id: &uuid::Uuid| format!("{id} is no dead letter of '{}'\n", done.tenant);
    done.unknown.iter().map(line).collect()
}
