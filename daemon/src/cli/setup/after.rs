//! What follows the file: the running daemon reads it, and gets its first user.

use std::path::Path;
use std::process::{Command, Stdio};

use storage::account::Role;
use storage::ids::{TenantName, UserName};

use super::answers::Answers;
use crate::cli::args::{Common, PasswordArgs, SetupArgs};
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::password;
use crate::config::schema::Config;
use crate::control::wire::{AddTenant, AddUser, AddedUser, ErrorCode, Reloaded, Tenant};

/// Reloads or restarts, and adds the first user; tells what was done and what is left to do.
pub(super) async fn rest(
    common: &Common,
    wish: &SetupArgs,
    answers: &Answers,
    new: &Config,
    asks: bool,
) -> Result<Vec<String>, CliError> {
    let socket = common
        .socket
        .clone()
        .unwrap_or_else(|| new.control.socket.clone());
    let client = Client::new(socket);
    let mut notes = Vec::new();
    if client.answers().await {
        notes.push(reload(&client, common, wish, asks).await?);
    } else {
        notes.push("the daemon does not run: 'systemctl enable --now callreeld' starts it".into());
    }
    if let Some(user) = &answers.user {
        let tenant = answers.tenant.as_ref();
        notes.push(first_user(&client, wish, user, tenant, asks).await?);
    }
    notes.push("'callreel doctor' looks at everything that recording needs".into());
    Ok(notes)
}

async fn reload(
    client: &Client,
    common: &Common,
    wish: &SetupArgs,
    asks: bool,
) -> Result<String, CliError> {
    let reloaded: Result<Reloaded, _> = client.post("/reload", &serde_json::json!({})).await;
    let waiting = match reloaded {
        Ok(reloaded) => reloaded.needs_restart,
        // A daemon of another configuration or version: the file is written all the same.
        Err(error) => return Ok(format!("the daemon did not read it: {error}")),
    };
    if waiting.is_empty() {
        return Ok("the daemon has read it".into());
    }
    let waiting = waiting.join(", ");
    let systemd = Path::new("/run/systemd/system").is_dir();
    let question = format!("A restart is needed for {waiting}. Restart the daemon now?");
    let restart =
        wish.restart || (asks && systemd && Output::new(common.json).confirm(&question)?);
    if !restart {
        return Ok(format!(
            "for {waiting} the daemon needs a restart: 'systemctl restart callreeld'"
        ));
    }
    let done = Command::new("systemctl")
        .args(["restart", "callreeld"])
        .stdin(Stdio::null())
        .status();
    Ok(match done {
        Ok(status) if status.success() => "the daemon was restarted".into(),
        _ => "the daemon was not restarted: 'systemctl restart callreeld' says why".into(),
    })
}

async fn first_user(
    client: &Client,
    wish: &SetupArgs,
    user: &UserName,
    tenant: Option<&TenantName>,
    asks: bool,
) -> Result<String, CliError> {
    let Some(tenant) = tenant else {
        return Ok(String::new());
    };
    let later = format!("'callreel user add {user} --tenant {tenant} --role supervisor'");
    let source = PasswordArgs {
        password_stdin: wish.password_stdin,
        generate: wish.generate,
    };
    if !client.answers().await {
        return Ok(format!("when it runs: {later}"));
    }
    if !asks && !source.password_stdin && !source.generate {
        return Ok(format!("no password was given for user {user}: {later}"));
    }
    let password = password::obtain(source)?;
    let added: Result<Tenant, _> = client
        .post(
            "/tenants",
            &AddTenant {
                name: tenant.clone(),
            },
        )
        .await;
    match added {
        Err(CliError::Refused(body)) if body.code == ErrorCode::Conflict => {}
        other => drop(other?),
    }
    let request = AddUser {
        name: user.clone(),
        tenant: tenant.clone(),
        role: Role::Supervisor,
        password: password.text.clone(),
        allow: Vec::new(),
        groups: Vec::new(),
        line: None,
    };
    let added: Result<AddedUser, _> = client.post("/users", &request).await;
    match added {
        Ok(_) if password.made => Ok(format!(
            "user {user} of tenant {tenant} was added; the password is {}, shown this once",
            password.text
        )),
        Ok(_) => Ok(format!("user {user} of tenant {tenant} was added")),
        Err(CliError::Refused(body)) if body.code == ErrorCode::Conflict => {
            Ok(format!("user {user} exists already and stays as it is"))
        }
        Err(error) => Err(error),
    }
}
