//! Users' rows as version 1 wrote them, before users had groups and a line of their own.

use ipnet::IpNet;
use serde::Deserialize;
#[cfg(test)]
use serde::Serialize;

use crate::account::{Role, UserRow};
use crate::ids::{TenantId, UserName};
use crate::record::WallMillis;

/// Version 1 of a user's row.
#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
pub(super) struct UserV1 {
    user_id: u64,
    tenant: TenantId,
    name: UserName,
    role: Role,
    password_hash: String,
    allow: Vec<IpNet>,
    created_at: WallMillis,
    disabled_at: Option<WallMillis>,
}

impl From<UserV1> for UserRow {
    fn from(row: UserV1) -> Self {
        Self {
            user_id: row.user_id,
            tenant: row.tenant,
            name: row.name,
            role: row.role,
            password_hash: row.password_hash,
            allow: row.allow,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
            groups: Vec::new(),
            line: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::{decode_user, encode_as, encode_user};
    use super::*;
    use crate::ids::{GroupName, LineName};

    fn a_user() -> UserRow {
        UserRow {
            user_id: 9,
            tenant: TenantId(3),
            name: UserName::new("supervisor@acme").unwrap(),
            role: Role::Supervisor,
            password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
            allow: vec!["192.0.2.0/24".parse().unwrap()],
            created_at: WallMillis(1_763_700_000_000),
            disabled_at: None,
            groups: Vec::new(),
            line: None,
        }
    }

    #[test]
    fn version_1_of_users_reads_as_ever() {
        let row = a_user();
        let stored = include_bytes!("../../golden/user_v1.row");
        assert_eq!(decode_user(stored), Ok(row.clone()));
        let old = UserV1 {
            user_id: row.user_id,
            tenant: row.tenant,
            name: row.name,
            role: row.role,
            password_hash: row.password_hash,
            allow: row.allow,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
        };
        assert_eq!(encode_as(1, &old), stored);
    }

    #[test]
    fn version_2_of_users_reads_as_ever() {
        let user = UserRow {
            groups: vec![GroupName::new("sales").unwrap()],
            line: Some(LineName::new("desk-1").unwrap()),
            ..a_user()
        };
        let stored = include_bytes!("../../golden/user_v2.row");
        assert_eq!(decode_user(stored), Ok(user.clone()));
        assert_eq!(encode_user(&user), stored);
    }
}
