//! `user` and `lock`.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde::Serialize;
use storage::account::{LockCause, Role};
use storage::ids::{TenantName, UserName};

use super::Context;
use super::access::{networks, on_or_off};
use super::args::{LockCommand, PasswordArgs, RoleArg, UserAddArgs, UserCommand, UserSetArgs};
use super::client::escaped;
use super::error::CliError;
use super::output::table;
use super::password;
use crate::control::wire::{
    AddUser, AddedUser, Cleared, Items, Lock, LoggedOut, Session, SetUser, User,
};

pub(super) async fn run(context: &Context, command: UserCommand) -> Result<(), CliError> {
    match command {
        UserCommand::Add(wish) => add(context, wish).await,
        UserCommand::List { tenant } => list(context, tenant).await,
        UserCommand::Passwd { name, password } => passwd(context, &name, password).await,
        UserCommand::Set(wish) => set(context, wish).await,
        UserCommand::Remove { name, yes } => remove(context, &name, yes).await,
        UserCommand::Sessions { name } => sessions(context, name).await,
        UserCommand::Logout { name } => {
            let path = format!("{}/sessions", path_of(&name));
            let done: LoggedOut = context.client.delete(&path).await?;
            context.output.show(&done, |done| {
                format!("{} sessions of user '{}' ended\n", done.sessions, done.user)
            })
        }
    }
}

fn path_of(name: &UserName) -> String {
    format!("/users/{}", escaped(name.as_str()))
}

/// A user, and the password where this program made it.
#[derive(Serialize)]
struct WithPassword<'a> {
    user: &'a User,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
}

async fn add(context: &Context, wish: UserAddArgs) -> Result<(), CliError> {
    let password = password::obtain(wish.password)?;
    let request = AddUser {
        name: wish.name,
        tenant: wish.tenant,
        role: wish.role.into(),
        password: password.text.clone(),
        allow: wish.allow,
        groups: wish.groups,
        line: wish.line,
    };
    let added: AddedUser = context.client.post("/users", &request).await?;
    let user = &added.user;
    let made = password.made.then_some(password.text.as_str());
    let shown = WithPassword {
        user,
        password: made,
    };
    context.output.show(&shown, |_| {
        let mut text = format!("user '{}' of tenant '{}' added", user.name, user.tenant);
        text.push_str(&describe_made(made));
        if let Some(base) = &added.base_url {
            let _ = write!(
                text,
                "\n  curl -H 'Content-Type: application/json' -d '{{\"userId\":\"{}\",\
                 \"token\":\"PASSWORD\"}}' {base}/ameyorestapi/session/userLogin\n",
                user.name
            );
        }
        text
    })
}

fn describe_made(password: Option<&str>) -> String {
    password.map_or_else(
        || "\n".to_owned(),
        |made| {
            format!(
                "; the password is\n\n  {made}\n\nKeep it: it is not stored and cannot be shown \
                 again.\n"
            )
        },
    )
}

async fn passwd(context: &Context, name: &UserName, source: PasswordArgs) -> Result<(), CliError> {
    let password = password::obtain(source)?;
    let change = SetUser {
        password: Some(password.text.clone()),
        ..SetUser::default()
    };
    let user: User = context.client.patch(&path_of(name), &change).await?;
    let made = password.made.then_some(password.text.as_str());
    let shown = WithPassword {
        user: &user,
        password: made,
    };
    context.output.show(&shown, |_| {
        let made = describe_made(made);
        format!("user '{}' has a new password{made}", user.name)
    })
}

async fn set(context: &Context, wish: UserSetArgs) -> Result<(), CliError> {
    let allow = (wish.allow_any || !wish.allow.is_empty()).then_some(wish.allow);
    let groups = (wish.all_lines || !wish.groups.is_empty()).then_some(wish.groups);
    let line = (wish.no_line || wish.line.is_some()).then_some(wish.line);
    let change = SetUser {
        password: None,
        role: wish.role.map(Role::from),
        allow,
        disabled: (wish.disable || wish.enable).then_some(wish.disable),
        groups,
        line,
    };
    let user: User = context.client.patch(&path_of(&wish.name), &change).await?;
    context.output.show(&user, |user| {
        format!(
            "user '{}' is {} with role {}, from {}, of {}\n",
            user.name,
            on_or_off(user.disabled_at.as_deref()),
            role_name(user.role),
            networks(&user.allow),
            lines_of(user)
        )
    })
}

async fn remove(context: &Context, name: &UserName, yes: bool) -> Result<(), CliError> {
    let question = format!("Remove user '{name}' with its sessions and keys?");
    if !yes && !context.output.confirm(&question)? {
        context.output.remark("nobody was removed");
        return Ok(());
    }
    let user: User = context.client.delete(&path_of(name)).await?;
    context.output.show(&user, |user| {
        format!(
            "user '{}' of tenant '{}' is removed\n",
            user.name, user.tenant
        )
    })
}

async fn list(context: &Context, tenant: Option<TenantName>) -> Result<(), CliError> {
    let mut users: Items<User> = context.client.get("/users").await?;
    if let Some(tenant) = tenant {
        users.items.retain(|user| user.tenant == tenant.as_str());
    }
    context.output.show(&users, |users| {
        if users.items.is_empty() {
            return "there are no users; 'callreel user add' adds one\n".into();
        }
        let row = |user: &User| {
            [
                user.name.clone(),
                user.tenant.clone(),
                role_name(user.role),
                lines_of(user),
                networks(&user.allow),
                on_or_off(user.disabled_at.as_deref()),
                user.created_at.clone(),
            ]
        };
        let rows: Vec<_> = users.items.iter().map(row).collect();
        table(
            ["NAME", "TENANT", "ROLE", "LINES", "FROM", "STATE", "ADDED"],
            &rows,
        )
    })
}

/// Which calls are its: those of groups, or of a line.
fn lines_of(user: &User) -> String {
    match (user.groups.as_slice(), &user.line, user.role) {
        (_, Some(line), Role::AgentView) => format!("line {line}"),
        (_, None, Role::AgentView) => "its own calls".to_owned(),
        ([], ..) | (_, _, Role::Admin | Role::Auditor) => "all lines".to_owned(),
        (groups, ..) => groups.join(", "),
    }
}

async fn sessions(context: &Context, name: Option<UserName>) -> Result<(), CliError> {
    let mut sessions: Items<Session> = context.client.get("/sessions").await?;
    if let Some(name) = name {
        let is_named = |user: &str| user.eq_ignore_ascii_case(name.as_str());
        sessions.items.retain(|session| is_named(&session.user));
    }
    context.output.show(&sessions, |sessions| {
        if sessions.items.is_empty() {
            return "nobody is logged in\n".into();
        }
        let row = |session: &Session| {
            [
                session.session_id.clone(),
                session.user.clone(),
                session.tenant.clone(),
                role_name(session.role),
                session.from.clone(),
                session.created_at.clone(),
                session.used_at.clone(),
            ]
        };
        let rows: Vec<_> = sessions.items.iter().map(row).collect();
        let heading = [
            "SESSION",
            "USER",
            "TENANT",
            "ROLE",
            "FROM",
            "OPENED",
            "LAST_USED",
        ];
        table(heading, &rows)
    })
}

/// The role as the command line spells it.
fn role_name(role: Role) -> String {
    let typed = RoleArg::value_variants()
        .iter()
        .find(|typed| Role::from(**typed) == role);
    let word = typed.and_then(ValueEnum::to_possible_value);
    word.map_or_else(String::new, |word| word.get_name().to_owned())
}

pub(super) async fn lock(context: &Context, command: LockCommand) -> Result<(), CliError> {
    match command {
        LockCommand::List => {
            let locks: Items<Lock> = context.client.get("/locks").await?;
            context.output.show(&locks, |locks| {
                if locks.items.is_empty() {
                    return "nobody is locked out\n".into();
                }
                let row = |lock: &Lock| {
                    [
                        lock.subject.clone(),
                        lock.kind.clone(),
                        cause_text(lock.cause).to_owned(),
                        lock.until.clone(),
                    ]
                };
                let rows: Vec<_> = locks.items.iter().map(row).collect();
                table(["WHO", "KIND", "WHY", "UNTIL"], &rows)
            })
        }
        LockCommand::Clear { subject } => {
            let path = format!("/locks/{}", escaped(&subject));
            let cleared: Cleared = context.client.delete(&path).await?;
            context.output.show(&cleared, |cleared| {
                format!("the failures of '{}' are forgotten\n", cleared.subject)
            })
        }
    }
}

const fn cause_text(cause: LockCause) -> &'static str {
    match cause {
        LockCause::AddressTries | LockCause::UserTries => "too many failures in 10 minutes",
        LockCause::AddressBlocked => "too many failures in an hour",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_shown_as_they_are_typed_and_sent() {
        for role in RoleArg::value_variants() {
            let sent = serde_json::to_value(Role::from(*role)).expect("a word");
            assert_eq!(role_name(Role::from(*role)), sent);
        }
    }
}
