//! Rules for `[[group]]`.

use std::collections::{HashMap, HashSet};

use super::Rules;
use crate::config::fault::Rule;
use crate::config::layer::Table;
use crate::config::schema::Config;

impl Rules<'_> {
    /// Each group has a name of its own, and lines that there are.
    pub(super) fn groups(&mut self, config: &Config, tables: &[Table]) {
        let lines = config.lines.iter().flat_map(|line| line.expand());
        let lines: HashSet<_> = lines.map(|line| line.name).collect();
        let mut names = HashMap::new();
        for (group, table) in config.groups.iter().zip(tables) {
            let place = table.place_of("name");
            if let Some(other) = names.insert(&group.name, place.clone()) {
                let name = group.name.to_string();
                self.blame(place, "group.name", Rule::GroupTwice { name, other });
            }
            for line in group.lines.iter().filter(|line| !lines.contains(line)) {
                let rule = Rule::GroupWithoutLine(line.to_string());
                self.blame(table.place_of("lines"), "group.lines", rule);
            }
        }
    }
}
