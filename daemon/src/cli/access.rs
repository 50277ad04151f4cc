//! `tenant`, `key` and `signing-key`.

use std::fmt::Write as _;

use ipnet::IpNet;
use storage::ids::TenantName;
use storage::record::Family;

use super::Context;
use super::args::{KeyCommand, KeyIssueArgs, SigningKeyCommand, TenantCommand, TenantSetArgs};
use super::error::CliError;
use super::output::{or_dash, table};
use crate::control::wire::{
    AddTenant, IssueKey, IssuedKey, Items, Key, RotateKey, RotateSigningKey, SetTenant, SigningKey,
    Tenant,
};

pub(super) async fn tenant(context: &Context, command: TenantCommand) -> Result<(), CliError> {
    match command {
        TenantCommand::Add { name } => {
            let tenant: Tenant = context.client.post("/tenants", &AddTenant { name }).await?;
            context.output.show(&tenant, |tenant| {
                format!("tenant '{}' added, number {}\n", tenant.name, tenant.id)
            })
        }
        TenantCommand::List => {
            let tenants: Items<Tenant> = context.client.get("/tenants").await?;
            context.output.show(&tenants, |tenants| {
                if tenants.items.is_empty() {
                    return "there are no tenants; 'callreel tenant add NAME' adds one\n".into();
                }
                let rows: Vec<_> = tenants.items.iter().map(tenant_row).collect();
                let heading = ["ID", "NAME", "RECORDINGS", "KEEP_AS", "STATE", "ADDED"];
                table(heading, &rows)
            })
        }
        TenantCommand::Set(wish) => set_tenant(context, wish).await,
    }
}

fn tenant_row(tenant: &Tenant) -> [String; 6] {
    [
        tenant.id.to_string(),
        tenant.name.clone(),
        tenant.recordings.to_string(),
        tenant.keep_as.clone(),
        on_or_off(tenant.disabled_at.as_deref()),
        tenant.created_at.clone(),
    ]
}

async fn set_tenant(context: &Context, wish: TenantSetArgs) -> Result<(), CliError> {
    let change = SetTenant {
        keep_as: wish.keep_as,
        disabled: (wish.disable || wish.enable).then_some(wish.disable),
    };
    let path = format!("/tenants/{}", wish.name);
    let tenant: Tenant = context.client.patch(&path, &change).await?;
    context.output.show(&tenant, |tenant| {
        let kept = match tenant.keep_as.as_str() {
            "wav" => "recordings are kept as recorded".to_owned(),
            format => format!("recordings are kept as {format}"),
        };
        let state = on_or_off(tenant.disabled_at.as_deref());
        format!("tenant '{}' is {state}; its {kept}\n", tenant.name)
    })
}

/// `on`, or since when it is off.
pub(super) fn on_or_off(disabled_at: Option<&str>) -> String {
    disabled_at.map_or_else(|| "on".to_owned(), |at| format!("off since {at}"))
}

pub(super) async fn key(context: &Context, command: KeyCommand) -> Result<(), CliError> {
    match command {
        KeyCommand::Issue(wish) => issue(context, wish).await,
        KeyCommand::List { tenant } => list(context, tenant).await,
        KeyCommand::Rotate { id, grace } => {
            let wish = RotateKey { grace_s: grace.0 };
            let path = format!("/keys/{id}/rotate");
            let issued: IssuedKey = context.client.post(&path, &wish).await?;
            context.output.show(&issued, |issued| {
                let mut text = describe_issued(issued);
                let _ = match wish.grace_s {
                    0 => writeln!(text, "\nThe secret of key {id} has stopped working."),
                    seconds => writeln!(
                        text,
                        "\nThe secret of key {id} stops working in {seconds} s at the latest."
                    ),
                };
                text
            })
        }
        KeyCommand::Revoke { id } => {
            let key: Key = context.client.delete(&format!("/keys/{id}")).await?;
            context.output.show(&key, |key| {
                format!("key {} of tenant '{}' is revoked\n", key.key_id, key.tenant)
            })
        }
    }
}

async fn issue(context: &Context, wish: KeyIssueArgs) -> Result<(), CliError> {
    let wish = IssueKey {
        tenant: wish.tenant,
        family: wish.family.into(),
        label: wish.label,
        allow: wish.allow,
        expires: wish.expires,
    };
    let issued: IssuedKey = context.client.post("/keys", &wish).await?;
    context.output.show(&issued, describe_issued)
}

fn describe_issued(issued: &IssuedKey) -> String {
    let key = &issued.key;
    let mut text = format!(
        "key {} of tenant '{}'\n\n  {}\n\nKeep it: it is not stored and cannot be shown again.\n",
        key.key_id, key.tenant, issued.secret
    );
    if let Some(at) = &key.expires_at {
        let _ = writeln!(text, "It stops working at {at}.");
    }
    if !key.allow.is_empty() {
        let _ = writeln!(text, "It works from {} only.", networks(&key.allow));
    }
    let base = issued.base_url.as_deref();
    if let Some(example) = base.and_then(|base| example(key.family, &issued.secret, base)) {
        let _ = write!(text, "\n{example}");
    }
    text
}

/// What to try a new key with; words in capitals are to be replaced.
fn example(family: Family, secret: &str, base: &str) -> Option<String> {
    Some(match family {
        Family::PlayAudioFile => format!(
            "  curl -d tsid={secret} -d recid=RECID -o call.mp3 {base}/api/v2/PlayAudioFile.php\n"
        ),
        Family::CallRecording => format!(
            "  curl -H 'X-API-Key: {secret}' {base}/api/calls/CALL_SID/recording/stream\n  \
             curl -H 'X-API-Key: {secret}' -OJ {base}/api/calls/CALL_SID/recording/download\n"
        ),
        Family::TaskAudio => format!(
            "  curl -H 'X-API-Key: {secret}' {base}/api/v1/tasks\n  \
             curl -H 'X-API-Key: {secret}' -OJ {base}/api/v1/tasks/TASK_ID/audio/export\n"
        ),
        // Opened by logins and by applications' keys, or served by a later version.
        Family::VoiceLog | Family::SessionCommands | Family::Supervisor => return None,
    })
}

async fn list(context: &Context, tenant: Option<TenantName>) -> Result<(), CliError> {
    let mut keys: Items<Key> = context.client.get("/keys").await?;
    if let Some(tenant) = tenant {
        keys.items.retain(|key| key.tenant == tenant.as_str());
    }
    context.output.show(&keys, |keys| {
        if keys.items.is_empty() {
            return "there are no keys; 'callreel key issue' issues one\n".into();
        }
        let rows: Vec<_> = keys.items.iter().map(key_row).collect();
        let heading = [
            "KEY_ID", "TENANT", "FAMILY", "LABEL", "USER", "FROM", "ISSUED", "EXPIRES", "REVOKED",
        ];
        table(heading, &rows)
    })
}

fn key_row(key: &Key) -> [String; 9] {
    [
        key.key_id.clone(),
        key.tenant.clone(),
        family_name(key.family).to_owned(),
        or_dash(Some(key.label.as_str()).filter(|label| !label.is_empty())),
        or_dash(key.user.as_deref()),
        networks(&key.allow),
        key.created_at.clone(),
        or_dash(key.expires_at.as_deref()),
        or_dash(key.revoked_at.as_deref()),
    ]
}

/// Where something may be used from.
pub(super) fn networks(allow: &[IpNet]) -> String {
    if allow.is_empty() {
        return "anywhere".to_owned();
    }
    let texts: Vec<_> = allow.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// The family as the command line spells it.
const fn family_name(family: Family) -> &'static str {
    match family {
        Family::PlayAudioFile => "play-audio-file",
        Family::SessionCommands => "session-commands",
        Family::CallRecording => "call-recording",
        Family::VoiceLog => "voice-log",
        Family::TaskAudio => "task-audio",
        Family::Supervisor => "supervisor",
    }
}

pub(super) async fn signing_key(
    context: &Context,
    command: SigningKeyCommand,
) -> Result<(), CliError> {
    let client = &context.client;
    let keys: Items<SigningKey> = match command {
        SigningKeyCommand::List => client.get("/signing-keys").await?,
        SigningKeyCommand::Rotate { retire_old } => {
            let wish = RotateSigningKey { retire_old };
            client.post("/signing-keys", &wish).await?
        }
        SigningKeyCommand::Retire { id } => client.delete(&format!("/signing-keys/{id}")).await?,
    };
    context.output.show(&keys, |keys| {
        let row = |key: &SigningKey| {
            let state = match (&key.retired_at, key.signs) {
                (Some(at), _) => format!("retired {at}"),
                (None, true) => "signs and opens".to_owned(),
                (None, false) => "opens".to_owned(),
            };
            [key.id.to_string(), state, key.created_at.clone()]
        };
        let rows: Vec<_> = keys.items.iter().map(row).collect();
        table(["ID", "STATE", "MADE"], &rows)
    })
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::cli::args::FamilyArg;

    #[test]
    fn families_are_shown_as_they_are_typed() {
        for family in FamilyArg::value_variants() {
            let typed = family.to_possible_value().expect("a word");
            assert_eq!(family_name(Family::from(*family)), typed.get_name());
        }
    }

    #[test]
    fn a_new_key_comes_with_something_to_try_it_with() {
        let key = |family| Key {
            key_id: "3".into(),
            tenant: "acme".into(),
            family,
            label: String::new(),
            created_at: String::new(),
            revoked_at: None,
            expires_at: Some("2027-01-31T00:00:00.000Z".into()),
            allow: vec!["10.1.0.0/16".parse().expect("a network")],
            user: None,
        };
        for (family, path) in [
            (Family::PlayAudioFile, "/api/v2/PlayAudioFile.php"),
            (Family::CallRecording, "/recording/stream"),
            (Family::TaskAudio, "/api/v1/tasks"),
        ] {
            let text = describe_issued(&IssuedKey {
                key: key(family),
                secret: "secret".into(),
                base_url: Some("http://127.0.0.1:8080".into()),
            });
            for part in ["  curl ", "secret", path, "2027-01-31", "10.1.0.0/16 only"] {
                assert!(text.contains(part), "{text}");
            }
        }
    }
}
