//! Results: rows of medians and ratios, and their JSON.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::Failure;
use crate::stats::median;

/// Which way is good, and what the project wants of this row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// More of it is better; the ratio is ours over the peer's and should be at least this.
    More { least: f64, aim: f64 },
    /// Less of it is better; the ratio is the peer's over ours and should be at least this.
    LessBy { least: f64, aim: f64 },
    /// Less of it is better; the ratio is ours over the peer's and should be at most this.
    AtMost { most: f64, aim: f64 },
    /// An absolute figure that should be at most this, whatever the peer's is.
    Within { most: f64, aim: f64 },
    /// An absolute figure that should be at least this.
    Reach { least: f64, aim: f64 },
    /// Told for information; the ratio is ours over the peer's.
    None,
}

/// One peer's measurements in a row.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
}

/// One line of a table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) goal: Goal,
    pub(crate) ours: Vec<f64>,
    /// The same thing done by others, run for run; the best of them is the one that counts.
    pub(crate) peers: Vec<Series>,
}

impl Row {
    /// The peer with the best median.
    pub(crate) fn best_peer(&self) -> Option<&Series> {
        let more_is_better = matches!(self.goal, Goal::More { .. } | Goal::Reach { .. });
        self.peers.iter().max_by(|a, b| {
            let (a, b) = (median(&a.values), median(&b.values));
            if more_is_better {
                a.total_cmp(&b)
            } else {
                b.total_cmp(&a)
            }
        })
    }

    /// The median of the ratios of the pairs.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let peer = self.best_peer()?;
        let ratios: Vec<f64> = self
            .ours
            .iter()
            .zip(&peer.values)
            .map(|(&ours, &theirs)| match self.goal {
                Goal::LessBy { .. } => theirs / ours,
                _ => ours / theirs,
            })
            .filter(|ratio| ratio.is_finite())
            .collect();
        if ratios.is_empty() {
            None
        } else {
            Some(median(&ratios))
        }
    }

    /// Whether the goal is reached; `None` where there is none.
    pub(crate) fn reached(&self) -> Option<bool> {
        match self.goal {
            Goal::More { least, .. } | Goal::LessBy { least, .. } => {
                self.ratio().map(|ratio| ratio >= least)
            }
            Goal::AtMost { most, .. } => self.ratio().map(|ratio| ratio <= most),
            Goal::Within { most, .. } => Some(median(&self.ours) <= most),
            Goal::Reach { least, .. } => Some(median(&self.ours) >= least),
            Goal::None => None,
        }
    }

    fn json(&self) -> Value {
        let (least, most, aim) = match self.goal {
            Goal::More { least, aim }
            | Goal::LessBy { least, aim }
            | Goal::Reach { least, aim } => (Some(least), None, Some(aim)),
            Goal::AtMost { most, aim } | Goal::Within { most, aim } => {
                (None, Some(most), Some(aim))
            }
            Goal::None => (None, None, None),
        };
        let peers: Vec<Value> = self
            .peers
            .iter()
            .map(|peer| {
                json!({ "name": peer.name, "median": median(&peer.values), "values": peer.values })
            })
            .collect();
        json!({
            "what": self.what,
            "unit": self.unit,
            "callreel": { "median": median(&self.ours), "values": self.ours },
            "peers": peers,
            "best_peer": self.best_peer().map(|peer| peer.name.clone()),
            "ratio": self.ratio(),
            "ratio_is": match self.goal {
                Goal::LessBy { .. } => "peer / callreel",
                _ => "callreel / peer",
            },
            "goal_at_least": least,
            "goal_at_most": most,
            "aim": aim,
            "reached": self.reached(),
        })
    }
}

/// What one benchmark found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) name: &'static str,
    pub(crate) rows: Vec<Row>,
    /// What a reader has to know to judge the figures.
    pub(crate) notes: Vec<String>,
}

impl Report {
    /// Writes `<name>.json`.
    pub(crate) fn write(&self, dir: &Path, quick: bool) -> Result<(), Failure> {
        let path = dir.join(format!("{}.json", self.name));
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let document = json!({
            "benchmark": self.name,
            "quick": quick,
            "machine": crate::machine::description(),
            "rows": rows,
            "notes": self.notes,
        });
        let what = || format!("writing {}", path.display());
        std::fs::create_dir_all(dir).map_err(Failure::io(what()))?;
        std::fs::write(&path, format!("{document:#}\n")).map_err(Failure::io(what()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(goal: Goal) -> Row {
        let series = |name: &str, values: &[f64]| Series {
            name: name.into(),
            values: values.into(),
        };
        Row {
            what: "x".into(),
            unit: "s",
            goal,
            ours: vec![1.0, 2.0, 4.0],
            peers: vec![
                series("slow", &[3.0, 6.0, 12.0]),
                series("fast", &[2.0, 4.0, 8.0]),
            ],
        }
    }

    #[test]
    fn the_better_peer_counts_and_ratios_are_of_pairs() {
        let less = row(Goal::LessBy {
            least: 1.5,
            aim: 3.0,
        });
        assert_eq!(
            less.best_peer().map(|peer| peer.name.as_str()),
            Some("fast")
        );
        assert_eq!(less.ratio(), Some(2.0));
        assert_eq!(less.reached(), Some(true));

        let more = row(Goal::More {
            least: 1.0,
            aim: 1.5,
        });
        assert_eq!(
            more.best_peer().map(|peer| peer.name.as_str()),
            Some("slow")
        );
        assert_eq!(more.reached(), Some(false));

        let most = row(Goal::AtMost {
            most: 0.5,
            aim: 0.2,
        });
        assert_eq!(most.ratio(), Some(0.5));
        assert_eq!(most.reached(), Some(true));
    }
}
