//! The command line.

use std::path::PathBuf;

use crate::card;
use crate::error::Failure;
use crate::simulate::Job;

/// What was asked for.
pub(crate) enum Asked {
    Help,
    Run(Options),
    /// Internal: this process is the measured one.
    Simulate(Job),
    /// Internal: the same, driving a card.
    Card(card::Job),
}

/// How benchmarks run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Which; empty means all.
    pub(crate) names: Vec<String>,
    /// Small and short, to see that everything works. Its figures mean nothing.
    pub(crate) quick: bool,
    /// Where the JSON goes.
    pub(crate) json_dir: PathBuf,
    /// Where files and databases are made, and removed again.
    pub(crate) work_dir: PathBuf,
    /// Size of the large file.
    pub(crate) file_mib: u64,
    /// Rows of the index.
    pub(crate) rows: u64,
    /// Pairs of runs.
    pub(crate) pairs: usize,
}

impl Options {
    fn new() -> Result<Self, Failure> {
        let here = std::env::current_exe().map_err(Failure::io("own path"))?;
        // target/release/bench -> target/bench
        let target = here.parent().and_then(|dir| dir.parent()).unwrap_or(&here);
        Ok(Self {
            names: Vec::new(),
            quick: false,
            json_dir: target.join("bench"),
            work_dir: target.join("bench/work"),
            file_mib: 2_048,
            rows: 1_000_000,
            pairs: 7,
        })
    }
}

/// Reads the command line.
pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Asked, Failure> {
    let mut words = words.peekable();
    if words.peek().is_some_and(|word| word == "--simulate") {
        words.next();
        return Ok(Asked::Simulate(Job::parse(words)?));
    }
    if words.peek().is_some_and(|word| word == "--card") {
        words.next();
        return Ok(Asked::Card(card::Job::parse(words)?));
    }
    let mut options = Options::new()?;
    let mut given = (None, None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(Asked::Help),
            "--quick" => options.quick = true,
            "--json" => options.json_dir = value(&word, words.next())?.into(),
            "--dir" => options.work_dir = value(&word, words.next())?.into(),
            "--file-mib" => given.0 = Some(number(&word, words.next(), 4..=4_000)?),
            "--rows" => given.1 = Some(number(&word, words.next(), 1_000..=100_000_000)?),
            "--pairs" => given.2 = Some(number(&word, words.next(), 1..=1_000)?),
            flag if flag.starts_with('-') => {
                return Err(Failure::Usage(format!("unknown option '{flag}'")));
            }
            _ => options.names.push(word),
        }
    }
    if options.quick {
        (options.file_mib, options.rows, options.pairs) = (64, 20_000, 3);
    }
    options.file_mib = given.0.unwrap_or(options.file_mib);
    options.rows = given.1.unwrap_or(options.rows);
    if let Some(pairs) = given.2 {
        options.pairs = usize::try_from(pairs).unwrap_or(options.pairs);
    }
    Ok(Asked::Run(options))
}

fn value(option: &str, word: Option<String>) -> Result<String, Failure> {
    word.ok_or_else(|| Failure::Usage(format!("{option} needs a value")))
}

/// A whole number in a range.
pub(crate) fn number(
    option: &str,
    word: Option<String>,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, Failure> {
    let word = value(option, word)?;
    let number: Option<u64> = word.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (least, most) = range.into_inner();
        Failure::Usage(format!(
            "{option} is a number from {least} to {most}, not '{word}'"
        ))
    })
}
