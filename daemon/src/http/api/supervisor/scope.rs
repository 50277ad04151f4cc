//! What a role may do, and which recordings and lines it is about: the one place where both are
//! decided.
//!
//! ```text
//!               agent-view        supervisor          auditor         admin
//!  sees         own calls         own groups          the tenant      the tenant
//!  does         play, download    + tag, note, hold,  play, download, everything of the tenant;
//!                                 keep, export,       export, audit   all tenants, where the
//!                                 listen                              configuration says so
//! ```

use std::collections::BTreeSet;

use http::StatusCode;
use serde::Serialize;
use storage::account::{Role, UserRow};
use storage::ids::{LineName, TenantId};
use storage::record::{RecordingFacts, Tenant};

use crate::config::schema::Config;
use crate::http::error::Problem;

/// What an endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// No more than a session.
    SignedIn,
    /// To find recordings and see lines.
    Read,
    /// To hear a recording.
    Play,
    /// To save one.
    Download,
    /// To write notes.
    Note,
    /// To change tags.
    Tag,
    /// To hold recordings, and lift one's own holds.
    Hold,
    /// To lift others' holds.
    LiftAny,
    /// To keep recordings longer.
    Keep,
    /// To delete recordings.
    Delete,
    /// To export recordings with proof.
    Export,
    /// To hear calls as they are.
    ListenLive,
    /// To read the audit trail.
    Audit,
    /// To see how the appliance is.
    Health,
    /// To change users and keys.
    Admin,
    /// To change tenants, and users and keys of all of them.
    Tenants,
}

/// What somebody may do, as the page is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a right of its own")]
pub(super) struct Can {
    play: bool,
    download: bool,
    note: bool,
    tag: bool,
    hold: bool,
    lift_any: bool,
    keep: bool,
    delete: bool,
    export: bool,
    listen_live: bool,
    audit: bool,
    health: bool,
    admin: bool,
    tenants: bool,
}

impl Can {
    /// What a user may do; `overseer` where its tenant oversees all others.
    pub(super) const fn of(role: Role, overseer: bool) -> Self {
        let hears = Self {
            play: true,
            download: true,
            note: false,
            tag: false,
            hold: false,
            lift_any: false,
            keep: false,
            delete: false,
            export: false,
            listen_live: false,
            audit: false,
            health: false,
            admin: false,
            tenants: false,
        };
        match role {
            Role::AgentView => hears,
            Role::Supervisor => Self {
                note: true,
                tag: true,
                hold: true,
                keep: true,
                export: true,
                listen_live: true,
                health: true,
                ..hears
            },
            Role::Auditor => Self {
                export: true,
                audit: true,
                health: true,
                ..hears
            },
            Role::Admin => Self {
                play: true,
                download: true,
                note: true,
                tag: true,
                hold: true,
                lift_any: true,
                keep: true,
                delete: true,
                export: true,
                listen_live: true,
                audit: true,
                health: true,
                admin: true,
                tenants: overseer,
            },
        }
    }

    /// Whether a right is among them.
    pub(super) const fn has(self, right: Right) -> bool {
        match right {
            Right::SignedIn | Right::Read => true,
            Right::Play => self.play,
            Right::Download => self.download,
            Right::Note => self.note,
            Right::Tag => self.tag,
            Right::Hold => self.hold,
            Right::LiftAny => self.lift_any,
            Right::Keep => self.keep,
            Right::Delete => self.delete,
            Right::Export => self.export,
            Right::ListenLive => self.listen_live,
            Right::Audit => self.audit,
            Right::Health => self.health,
            Right::Admin => self.admin,
            Right::Tenants => self.tenants,
        }
    }

    /// Refuses what is not among them.
    ///
    /// # Errors
    /// 403.
    pub(super) fn must(self, right: Right) -> Result<(), Problem> {
        if self.has(right) {
            return Ok(());
        }
        let message = match right {
            Right::Tenants => {
                "Only administrators of the tenant that [admin] tenant of the configuration names \
                 may do this."
            }
            Right::LiftAny => "This hold is somebody else's; an administrator lifts it.",
            _ => "Your role does not allow this.",
        };
        Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", message))
    }
}

/// Whether a tenant's administrators oversee all tenants.
pub(super) fn oversees(config: &Config, tenant: Option<&Tenant>) -> bool {
    let named = config.admin.tenant.as_ref();
    matches!((named, tenant), (Some(named), Some(tenant)) if *named == tenant.name)
}

/// Which recordings and lines somebody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// Of this tenant.
    pub(super) tenant: TenantId,
    /// And of it, these.
    pub(super) part: Part,
}

/// Which part of a tenant's recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All.
    All,
    /// Those of these lines.
    Lines(BTreeSet<LineName>),
    /// Those of an agent, by name, or of its line.
    Own {
        /// The user's name, as it was added.
        agent: String,
        /// The user's line.
        line: Option<LineName>,
    },
}

impl Scope {
    /// What a user sees.
    pub(super) fn of(user: &UserRow, config: &Config) -> Self {
        let part = match user.role {
            Role::AgentView => Part::Own {
                agent: user.name.to_string(),
                line: user.line.clone(),
            },
            Role::Supervisor if !user.groups.is_empty() => {
                let groups = config.groups.iter();
                let own = groups.filter(|group| user.groups.contains(&group.name));
                Part::Lines(own.flat_map(|group| group.lines.iter().cloned()).collect())
            }
            Role::Supervisor | Role::Auditor | Role::Admin => Part::All,
        };
        Self {
            tenant: user.tenant,
            part,
        }
    }

    /// Whether it is all of the tenant.
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self.part, Part::All)
    }

    /// Whether a recording is within it.
    pub(super) fn has(&self, facts: &RecordingFacts) -> bool {
        facts.tenant == self.tenant && self.has_call(facts.line.as_ref(), agent_of(facts))
    }

    /// Whether a line of the tenant is within it, whose call is this agent's.
    pub(super) fn has_call(&self, line: Option<&LineName>, agent: Option<&str>) -> bool {
        match &self.part {
            Part::All => true,
            Part::Lines(lines) => line.is_some_and(|line| lines.contains(line)),
            Part::Own {
                agent: own,
                line: theirs,
            } => agent == Some(own.as_str()) || (theirs.is_some() && line == theirs.as_ref()),
        }
    }
}

/// Whose call a recording is of.
pub(super) fn agent_of(facts: &RecordingFacts) -> Option<&str> {
    facts.agent.as_ref().map(|agent| agent.as_str())
}

#[cfg(test)]
mod tests {
    use storage::ids::{GroupName, UserName};
    use storage::record::WallMillis;

    use super::*;
    use crate::config::schema::Group;

    fn user(role: Role, groups: &[&str], line: Option<&str>) -> UserRow {
        UserRow {
            user_id: 1,
            tenant: TenantId(1),
            name: UserName::new("anna").unwrap(),
            role,
            password_hash: String::new(),
            allow: Vec::new(),
            created_at: WallMillis(0),
            disabled_at: None,
            groups: groups
                .iter()
                .map(|name| GroupName::new(*name).unwrap())
                .collect(),
            line: line.map(|name| LineName::new(name).unwrap()),
        }
    }

    fn config() -> Config {
        let group = |name: &str, lines: &[&str]| Group {
            name: GroupName::new(name).unwrap(),
            lines: lines
                .iter()
                .map(|name| LineName::new(*name).unwrap())
                .collect(),
        };
        Config {
            groups: vec![group("sales", &["s1", "s2"]), group("help", &["h1"])],
            ..Config::default()
        }
    }

    fn sees(scope: &Scope, line: Option<&str>, agent: Option<&str>) -> bool {
        let line = line.map(|name| LineName::new(name).unwrap());
        scope.has_call(line.as_ref(), agent)
    }

    #[test]
    fn supervisors_see_their_groups_and_agents_their_own() {
        let config = config();
        let of = |role, groups: &[&str], line| Scope::of(&user(role, groups, line), &config);
        let sales = of(Role::Supervisor, &["sales"], None);
        assert!(sees(&sales, Some("s1"), None) && sees(&sales, Some("s2"), Some("bert")));
        assert!(!sees(&sales, Some("h1"), Some("anna")) && !sees(&sales, None, None));
        let gone = of(Role::Supervisor, &["gone"], None);
        assert!(
            !sees(&gone, Some("s1"), None),
            "a group that is gone has no lines"
        );
        assert!(of(Role::Supervisor, &[], None).is_whole());
        let anna = of(Role::AgentView, &["sales"], Some("h1"));
        assert!(sees(&anna, Some("s1"), Some("anna")) && sees(&anna, Some("h1"), None));
        assert!(!sees(&anna, Some("s1"), None) && !sees(&anna, None, Some("bert")));
        let lineless = of(Role::AgentView, &[], None);
        assert!(
            !sees(&lineless, None, None),
            "no line is not the line of nobody"
        );
        for role in [Role::Auditor, Role::Admin] {
            assert!(of(role, &["sales"], Some("h1")).is_whole());
        }
    }

    #[test]
    fn only_administrators_change_what_is_not_theirs() {
        let changes = [Right::Delete, Right::LiftAny, Right::Admin, Right::Tenants];
        for role in [Role::AgentView, Role::Supervisor, Role::Auditor] {
            let can = Can::of(role, true);
            assert!(changes.iter().all(|right| !can.has(*right)), "{role:?}");
        }
        let notes = [
            Right::Note,
            Right::Tag,
            Right::Hold,
            Right::Keep,
            Right::ListenLive,
        ];
        for role in [Role::AgentView, Role::Auditor] {
            let can = Can::of(role, true);
            assert!(notes.iter().all(|right| !can.has(*right)), "{role:?}");
        }
        let admin = Can::of(Role::Admin, false);
        assert!(admin.has(Right::Admin) && !admin.has(Right::Tenants));
        assert!(Can::of(Role::Admin, true).has(Right::Tenants));
        assert!(!Can::of(Role::Supervisor, false).has(Right::Audit));
        assert!(Can::of(Role::Auditor, false).has(Right::Audit));
    }
}
