//! From `[retention]` to what the store understands: policies with tenants' numbers, and marks in
//! bytes.

use std::collections::BTreeMap;

use storage::ids::{PolicyName, TenantId, TenantName};
use storage::retention::{Policy, PolicyError, Rules, Watermarks};

use super::schema::{Retention, RetentionPolicy};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A policy for a tenant that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "retention policy '{policy}' is for tenant '{tenant}', which does not exist: correct the name, \
     or add it with 'callreel tenant add {tenant}'"
)]
pub struct UnknownTenant {
    /// The policy.
    pub policy: PolicyName,
    /// The name it tells.
    pub tenant: TenantName,
}

/// The policies of a configuration with the numbers of their tenants.
///
/// # Errors
/// [`UnknownTenant`] names the first whose tenant `number_of` does not know.
pub fn with_numbers(
    policies: &[RetentionPolicy],
    mut number_of: impl FnMut(&TenantName) -> Option<TenantId>,
) -> Result<Vec<Policy>, UnknownTenant> {
    let one = |policy: &RetentionPolicy| {
        let tenant = match &policy.tenant {
            None => None,
            Some(name) => Some(number_of(name).ok_or_else(|| UnknownTenant {
                policy: policy.name.clone(),
                tenant: name.clone(),
            })?),
        };
        Ok(Policy {
            name: policy.name.clone(),
            tenant,
            tag: policy.tag.clone(),
            keep_at_least: policy.keep_at_least.map_or(0, |span| span.0),
            keep_at_most: policy.keep_at_most.map(|span| span.0),
            max_bytes: policy.max_size.map(|size| size.0),
        })
    };
    policies.iter().map(one).collect()
}

/// Whether policies contradict each other, whatever numbers their tenants have.
///
/// # Errors
/// [`PolicyError`].
pub fn check(policies: &[RetentionPolicy]) -> Result<(), PolicyError> {
    let mut numbers = BTreeMap::new();
    let number_of = |name: &TenantName| {
        let next = u32::try_from(numbers.len()).ok()?;
        Some(*numbers.entry(name.clone()).or_insert(TenantId(next)))
    };
    match with_numbers(policies, number_of) {
        Ok(policies) => Rules::new(policies).map(drop),
        Err(_) => Err(PolicyError::TooMany(policies.len())),
    }
}

/// The policy that an error is about.
pub(super) const fn blamed(error: &PolicyError) -> Option<&PolicyName> {
    match error {
        PolicyError::TooMany(_) => None,
        PolicyError::SameName(name)
        | PolicyError::SaysNothing(name)
        | PolicyError::Nothing { name, .. }
        | PolicyError::TooLong { name, .. }
        | PolicyError::Contradiction { name, .. }
        | PolicyError::Void { name, .. }
        | PolicyError::Shrinks { name, .. } => Some(name),
    }
}

/// The marks of a disk of this size: those that are told, and for the others a share of the disk,
/// kept below those above it. All are in order where those that are told are.
#[must_use]
pub fn watermarks(retention: &Retention, disk_bytes: u64) -> Watermarks {
    let told = |mib: Option<u64>| mib.map(|mib| mib.saturating_mul(MIB));
    let (low, critical, full) = (
        told(retention.low_free_mib),
        told(retention.critical_free_mib),
        told(retention.full_free_mib),
    );
    let share = |part: u64, most: u64| (disk_bytes / part).min(most);
    // One that is not told is twice the next below that is, or half of the next above, where its
    // share would not be in between.
    let above = |own: u64, below: Option<u64>| match below {
        Some(below) if below > 0 => own.max(below.saturating_mul(2)),
        _ => own,
    };
    let under = |own: u64, above: u64| if above > 0 { own.min(above / 2) } else { own };
    let low = low.unwrap_or_else(|| {
        let own = share(10, 20 * GIB);
        above(own, critical.max(full))
    });
    let critical = critical.unwrap_or_else(|| {
        let own = under(share(20, 5 * GIB), low);
        match full {
            Some(full) if full > 0 && own <= full => full + low.saturating_sub(full) / 2,
            _ => own,
        }
    });
    let next = if critical > 0 { critical } else { low };
    let full = full.unwrap_or_else(|| under(share(50, 512 * MIB), next));
    let clear_by = told(retention.clear_by_mib).unwrap_or_else(|| share(100, 2 * GIB));
    Watermarks {
        low,
        critical,
        full,
        clear_by,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_follow_the_size_of_the_disk() {
        let own = |disk| watermarks(&Retention::default(), disk);
        let small = own(4 * GIB);
        assert_eq!(small.low, 4 * GIB / 10);
        assert_eq!((small.critical, small.full), (4 * GIB / 20, 4 * GIB / 50));
        let large = own(4_096 * GIB);
        assert_eq!((large.low, large.critical), (20 * GIB, 5 * GIB));
        assert_eq!((large.full, large.clear_by), (512 * MIB, 2 * GIB));
    }

    #[test]
    fn what_is_told_counts_and_zero_is_off() {
        let retention = Retention {
            low_free_mib: Some(0),
            critical_free_mib: Some(100),
            ..Retention::default()
        };
        let marks = watermarks(&retention, 100 * GIB);
        assert_eq!(
            (marks.low, marks.critical, marks.full),
            (0, 100 * MIB, 50 * MIB)
        );
    }

    #[test]
    fn the_same_tenant_is_the_same_and_others_are_others() {
        let policy = |name: &str, tenant: &str, least: &str, most: &str| RetentionPolicy {
            name: PolicyName::new(name).unwrap(),
            tenant: Some(TenantName::new(tenant).unwrap()),
            tag: None,
            keep_at_least: Some(least.parse().unwrap()),
            keep_at_most: Some(most.parse().unwrap()),
            max_size: None,
        };
        let long = policy("long", "acme", "2 years", "3 years");
        let short = policy("short", "acme", "1 day", "1 year");
        let error = check(&[long.clone(), short.clone()]).unwrap_err();
        assert!(matches!(error, PolicyError::Void { .. }), "{error}");
        assert_eq!(blamed(&error), Some(&short.name));
        let other = policy("short", "other", "1 day", "1 year");
        assert_eq!(check(&[long.clone(), other]), Ok(()));
        let error = with_numbers(&[long], |_| None).unwrap_err();
        assert!(error.to_string().contains("tenant 'acme'"), "{error}");
    }

    proptest! {
        #[test]
        fn marks_are_in_order_whatever_is_left_out(
            disk in 0_u64..(8 << 40), all in prop::collection::vec(0_u64..1_000_000, 3),
            told in 0_u8..8,
        ) {
            let mut all = all;
            all.sort_unstable_by(|a, b| b.cmp(a));
            all.dedup();
            all.resize(3, 0);
            let pick = |at: usize| (told & (1 << at) != 0).then_some(all[at]);
            let retention = Retention {
                low_free_mib: pick(0),
                critical_free_mib: pick(1),
                full_free_mib: pick(2),
                ..Retention::default()
            };
            let marks = watermarks(&retention, disk);
            let in_order = marks.check();
            prop_assert!(disk < 1_000 || in_order.is_ok(), "{marks:?} {in_order:?}");
        }
    }
}
