//! The certificate of HTTPS: its dates, its names, and whether its key belongs to it.

use audio_io::units::WallMillis;

use super::finding::Finding;
use super::scene::Scene;
use crate::cli::exit::Exit;
use crate::config::schema::{Config, Expired};
use crate::material::inspect::{Inspection, day};
use crate::material::{self, Provenance, SOON_MS, credential};

pub(super) fn look(scene: &Scene, config: &Config) -> Vec<Finding> {
    let found = material::locate(config, credential::folder().as_deref());
    let Some((pair, from)) = found.certificate else {
        return match config.http.listen_tls.is_empty() {
            true => Vec::new(),
            false => vec![Finding::ok(
                "certificate",
                "HTTPS",
                "comes from credentials that only the service sees",
            )],
        };
    };
    let about = pair.certificate.display().to_string();
    if from == Provenance::Made && !pair.certificate.exists() {
        return vec![Finding::ok(
            "certificate",
            about,
            "is made at the first start",
        )];
    }
    let inspection = match material::examine(&pair) {
        Ok(inspection) => inspection,
        Err(error) => {
            let exit = error.exit();
            let mend = match exit {
                Exit::Denied => {
                    "run 'sudo callreel doctor'; the daemon's user must be able to read it"
                }
                _ if from == Provenance::Made => {
                    "move both files away; the daemon makes new ones at its next start"
                }
                _ => "put certificate and key there as the issuer gave them, one pair",
            };
            let says = format!("cannot be used: {error}");
            return vec![Finding::problem(exit, "certificate", about, says, mend)];
        }
    };
    let host = config.http.public_url.as_deref();
    let host = host.and_then(|url| url::Url::parse(url).ok()?.host_str().map(str::to_owned));
    judge(
        &about,
        &inspection,
        from,
        config.http.tls.expired,
        host.as_deref(),
        scene.clock.wall(),
    )
}

fn judge(
    about: &str,
    inspection: &Inspection,
    from: Provenance,
    expired: Expired,
    host: Option<&str>,
    now: WallMillis,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (begins, ends) = (inspection.not_before, inspection.not_after);
    let left_ms = ends.0.saturating_sub(now.0);
    let renew = match from {
        Provenance::Made => "'systemctl restart callreeld' renews it",
        _ => "put a new one there with its key, then 'systemctl reload-or-restart callreeld'",
    };
    findings.push(if now > ends {
        let says = format!("expired on {}: clients refuse it", day(ends));
        if from == Provenance::Made || expired == Expired::Serve {
            Finding::warning("certificate", about, says, renew)
        } else {
            let says = format!("{says}, and the daemon does not start with it");
            Finding::problem(Exit::Certificate, "certificate", about, says, renew)
        }
    } else if now < begins {
        Finding::warning(
            "certificate",
            about,
            format!("is not valid before {}", day(begins)),
            "see whether the clock is right ('timedatectl'), or whether this is the right file",
        )
    } else if left_ms < SOON_MS {
        let says = format!("expires on {}", day(ends));
        Finding::warning("certificate", about, says, renew)
    } else {
        let says = format!(
            "is valid until {} for {} ({})",
            day(ends),
            inspection.described(),
            from.words()
        );
        Finding::ok("certificate", about, says)
    });
    if let Some(host) = host.filter(|host| !inspection.is_for(host)) {
        findings.push(Finding::warning(
            "certificate",
            about,
            format!(
                "is not for {host}, the host of http.public_url; it is for {}",
                inspection.described()
            ),
            format!("get one for {host}, or set http.public_url to a name it has"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, worst};
    use super::*;

    #[test]
    fn dates_and_names_are_judged() {
        let day_ms = 24 * 3_600 * 1_000;
        let now = WallMillis(1_795_000_000_000);
        let at = |days: u64| WallMillis(now.0 + days * day_ms);
        let inspection = Inspection {
            not_before: WallMillis(now.0 - day_ms),
            not_after: at(40),
            names: vec!["calls.example.org".to_owned()],
            addresses: Vec::new(),
            subject: String::new(),
            self_signed: false,
            fingerprint: String::new(),
        };
        let given = Provenance::Configuration;
        let judge = |now, expired, host| judge("c", &inspection, given, expired, host, now);
        let fine = judge(now, Expired::Refuse, Some("calls.example.org"));
        assert!(fine.iter().all(|found| found.state == State::Ok));
        let soon = judge(at(11), Expired::Refuse, None);
        assert_eq!(soon[0].state, State::Warning);
        let over = judge(at(41), Expired::Refuse, None);
        assert_eq!(worst(&over), Exit::Certificate);
        assert_eq!(worst(&judge(at(41), Expired::Serve, None)), Exit::Ok);
        let other = judge(now, Expired::Refuse, Some("10.0.0.1"));
        assert!(other[1].says.contains("10.0.0.1"), "{other:?}");
        let early = judge(WallMillis(0), Expired::Refuse, None);
        assert_eq!((early[0].state, worst(&early)), (State::Warning, Exit::Ok));
    }
}
