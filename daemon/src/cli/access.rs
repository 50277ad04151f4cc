//! `tenant` and `key`.

use storage::ids::TenantName;
use storage::record::Family;

use super::Context;
use super::args::{KeyCommand, TenantCommand};
use super::error::CliError;
use super::output::{or_dash, table};
use crate::control::wire::{AddTenant, IssueKey, IssuedKey, Items, Key, Tenant};

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
                let row = |tenant: &Tenant| {
                    [
                        tenant.id.to_string(),
                        tenant.name.clone(),
                        tenant.recordings.to_string(),
                        tenant.created_at.clone(),
                    ]
                };
                let rows: Vec<_> = tenants.items.iter().map(row).collect();
                table(["ID", "NAME", "RECORDINGS", "ADDED"], &rows)
            })
        }
    }
}

pub(super) async fn key(context: &Context, command: KeyCommand) -> Result<(), CliError> {
    match command {
        KeyCommand::Issue {
            tenant,
            family,
            label,
        } => {
            let wish = IssueKey {
                tenant,
                family: family.into(),
                label,
            };
            let issued: IssuedKey = context.client.post("/keys", &wish).await?;
            context.output.show(&issued, describe_issued)
        }
        KeyCommand::List { tenant } => list(context, tenant).await,
        KeyCommand::Revoke { id } => {
            let key: Key = context.client.delete(&format!("/keys/{id}")).await?;
            context.output.show(&key, |key| {
                format!("key {} of tenant '{}' is revoked\n", key.key_id, key.tenant)
            })
        }
    }
}

fn describe_issued(issued: &IssuedKey) -> String {
    let mut text = format!(
        "key {} of tenant '{}'\n\n  {}\n\nKeep it: it is not stored and cannot be shown again.\n",
        issued.key.key_id, issued.key.tenant, issued.secret
    );
    if let (Family::TaskAudio, Some(base)) = (issued.key.family, &issued.base_url) {
        text.push_str(&format!(
            "\n  curl -H 'X-API-Key: {}' {base}/api/v1/tasks\n",
            issued.secret
        ));
    }
    text
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
        let row = |key: &Key| {
            [
                key.key_id.clone(),
                key.tenant.clone(),
                family_name(key.family).to_owned(),
                or_dash(Some(key.label.as_str()).filter(|label| !label.is_empty())),
                key.created_at.clone(),
                or_dash(key.revoked_at.as_deref()),
            ]
        };
        let rows: Vec<_> = keys.items.iter().map(row).collect();
        table(
            ["KEY_ID", "TENANT", "FAMILY", "LABEL", "ISSUED", "REVOKED"],
            &rows,
        )
    })
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
}
