//! Rules for what is kept, proven and told: `[storage]`, `[ledger]`, `[retention]`, `[alarms]`.

use super::Rules;
use crate::config::fault::{Place, Rule};
use crate::config::layer::Table;
use crate::config::policies;
use crate::config::schema::{Alarms, Config, Ledger, Retention, Storage};
use crate::engine::webhook;

impl Rules<'_> {
    pub(super) fn keeping(&mut self, config: &Config, tables: &[Table]) {
        self.where_it_lies(&config.storage);
        self.ledger(&config.ledger);
        self.marks(&config.retention);
        self.policies(&config.retention, tables);
        self.alarms(&config.alarms, config);
    }

    /// A marker in the data folder goes with it when its disk is not there.
    fn where_it_lies(&mut self, storage: &Storage) {
        if let Some(marker) = &storage.marker
            && marker.starts_with(&storage.data_dir)
        {
            let key = "storage.marker";
            let data_dir = storage.data_dir.clone();
            self.blame(self.place_of(key), key, Rule::MarkerInside { data_dir });
        }
        if let Some(mount) = &storage.expect_mount
            && !storage.data_dir.starts_with(mount)
            && mount.exists()
        {
            // A link may lead there, which only the daemon's start can tell.
            let real = storage
                .data_dir
                .ancestors()
                .find_map(|dir| dir.canonicalize().ok());
            let mount = mount.canonicalize().unwrap_or_else(|_| mount.clone());
            if real.is_some_and(|real| !real.starts_with(&mount)) {
                let key = "storage.expect_mount";
                let data_dir = storage.data_dir.clone();
                self.blame(self.place_of(key), key, Rule::MountElsewhere { data_dir });
            }
        }
    }

    fn ledger(&mut self, ledger: &Ledger) {
        if let Some(path) = &ledger.key_file {
            self.file("ledger.key_file", path);
        }
    }

    /// Of the marks that are told each is above the next; 0 is none.
    fn marks(&mut self, retention: &Retention) {
        let told = [
            ("low_free_mib", retention.low_free_mib),
            ("critical_free_mib", retention.critical_free_mib),
            ("full_free_mib", retention.full_free_mib),
        ];
        let told = told.into_iter();
        let told = told.filter_map(|(key, mib)| Some((key, mib.filter(|mib| *mib > 0)?)));
        let told: Vec<_> = told.collect();
        for pair in told.windows(2) {
            let [(above_key, above), (key, mib)] = *pair else {
                continue;
            };
            if mib >= above {
                let key = format!("retention.{key}");
                let rule = Rule::MarksOutOfOrder {
                    mib,
                    above_key,
                    above,
                };
                self.blame(self.place_of(&key), &key, rule);
            }
        }
    }

    fn policies(&mut self, retention: &Retention, tables: &[Table]) {
        let Err(error) = policies::check(&retention.policies) else {
            return;
        };
        // The second of one name is the one too many.
        let named = policies::blamed(&error);
        let at = retention
            .policies
            .iter()
            .rposition(|policy| Some(&policy.name) == named);
        let table = at
            .or_else(|| tables.len().checked_sub(1))
            .and_then(|at| tables.get(at));
        let place = table.map_or(Place::Default, |table| table.place.clone());
        self.blame(place, "retention.policy", Rule::Policy(error));
    }

    fn alarms(&mut self, alarms: &Alarms, config: &Config) {
        match (&alarms.webhook, &alarms.webhook_secret_file) {
            (Some(url), secret) => {
                if secret.is_none() {
                    let key = "alarms.webhook_secret_file";
                    self.blame(self.place_of("alarms.webhook"), key, Rule::NoAlarmSecret);
                }
                if let Err(error) = webhook::check_url(url, &config.webhooks.allow) {
                    let key = "alarms.webhook";
                    self.blame(self.place_of(key), key, Rule::AlarmUrl(error));
                }
            }
            (None, Some(_)) => {
                let key = "alarms.webhook_secret_file";
                self.blame(self.place_of(key), key, Rule::SecretWithoutWebhook);
            }
            (None, None) => {}
        }
        if let Some(path) = &alarms.webhook_secret_file {
            self.file("alarms.webhook_secret_file", path);
        }
    }
}
