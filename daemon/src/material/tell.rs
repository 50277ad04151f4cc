//! Tells once in the journal what the first start made. Told first and noted then: a power cut in
//! between tells it twice, never not at all.

use std::net::SocketAddr;

use log::LevelFilter;

use super::host::{self, Names};
use super::made::{Keys, Told};
use super::{examine, inspect};
use crate::catalog;
use crate::config::schema::Config;

/// Tells what nobody was told yet, of the certificate and of the administrator's key.
pub(super) fn untold(keys: &Keys, config: &Config, (certificate, admin_key): (bool, bool)) {
    // A journal that takes errors only would swallow it; it waits for one that does not.
    if log::max_level() < LevelFilter::Warn {
        return;
    }
    if certificate && keys.is_untold(Told::Certificate) && tell_certificate(keys, config) {
        keys.told(Told::Certificate);
    }
    if admin_key && keys.is_untold(Told::AdminKey) && tell_admin_key(keys) {
        keys.told(Told::AdminKey);
    }
}

fn tell_certificate(keys: &Keys, config: &Config) -> bool {
    let pair = keys.pair();
    let Ok(inspection) = examine(&pair) else {
        return false;
    };
    log::warn!(
        message_id = catalog::FIRST_START;
        "first start: made the certificate {} for {}, valid until {}; its SHA-256 fingerprint is \
         {}; compare it when a browser asks whether to trust this server",
        pair.certificate.display(),
        inspection.described(),
        inspect::day(inspection.not_after),
        inspection.fingerprint
    );
    let addresses = to_open(config, &host::names(config));
    if !addresses.is_empty() {
        log::warn!("first start: open {}", addresses.join(" or "));
    }
    true
}

fn tell_admin_key(keys: &Keys) -> bool {
    let path = keys.admin_key();
    let key = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            log::error!("cannot read the admin key {}: {error}", path.display());
            return false;
        }
    };
    let path = path.display();
    log::warn!(
        message_id = catalog::FIRST_START;
        "first start: the admin key (X-Admin-API-Key) is {}; it is told this once; 'sudo cat \
         {path}' shows it again, 'sudo rm {path} && sudo systemctl reload callreeld' makes a new \
         one",
        key.trim()
    );
    true
}

/// URLs that lead here.
fn to_open(config: &Config, names: &Names) -> Vec<String> {
    if let Some(url) = &config.http.public_url {
        return vec![url.clone()];
    }
    let mut urls = Vec::new();
    for address in &config.http.listen_tls {
        let port = match address.port() {
            443 => String::new(),
            port => format!(":{port}"),
        };
        if !address.ip().is_unspecified() {
            urls.push(url_of(*address, &port));
            continue;
        }
        let hosts = names.hosts.iter().filter(|host| *host != "localhost");
        urls.extend(hosts.map(|host| format!("https://{host}{port}/")));
        let reachable = names.addresses.iter().filter(|ip| !ip.is_loopback());
        urls.extend(reachable.map(|ip| url_of(SocketAddr::new(*ip, 0), &port)));
    }
    urls
}

fn url_of(address: SocketAddr, port: &str) -> String {
    match address {
        SocketAddr::V4(four) => format!("https://{}{port}/", four.ip()),
        SocketAddr::V6(six) => format!("https://[{}]{port}/", six.ip()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_open_is_reachable_from_elsewhere() {
        let mut config = Config::default();
        config.http.listen_tls = vec![([0, 0, 0, 0], 443).into(), ([127, 0, 0, 1], 8443).into()];
        let names = Names {
            hosts: vec!["box".to_owned(), "localhost".to_owned()],
            addresses: vec![[192, 0, 2, 7].into(), [127, 0, 0, 1].into()],
        };
        let urls = to_open(&config, &names);
        let wanted = [
            "https://box/",
            "https://192.0.2.7/",
            "https://127.0.0.1:8443/",
        ];
        assert_eq!(urls, wanted);
        config.http.public_url = Some("https://calls.example.org".to_owned());
        assert_eq!(to_open(&config, &names), ["https://calls.example.org"]);
    }
}
