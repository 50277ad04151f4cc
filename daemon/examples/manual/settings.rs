//! The reference configuration as data: what `packaging/callreel.toml` says of each table and key.

/// What the file says before its first table.
pub(crate) struct Settings {
    pub(crate) introduction: Vec<String>,
    pub(crate) tables: Vec<Table>,
}

/// A table of the file.
pub(crate) struct Table {
    /// `[storage]`, `[[line]]`.
    pub(crate) name: String,
    /// What is said of it, paragraph by paragraph.
    pub(crate) text: Vec<String>,
    pub(crate) keys: Vec<Key>,
}

/// A key of a table.
pub(crate) struct Key {
    pub(crate) name: String,
    /// Its default, or where there is none an example.
    pub(crate) value: String,
    /// Whether the value is only an example (the file has it behind `#`).
    pub(crate) example: bool,
    pub(crate) text: String,
}

/// Reads the reference configuration. Prose is behind `# `; what is behind `#` without a space is
/// an entry that is switched off.
pub(crate) fn parse(file: &str) -> Settings {
    let mut settings = Settings {
        introduction: Vec::new(),
        tables: Vec::new(),
    };
    let mut prose: Vec<String> = Vec::new();
    for line in file.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            prose.push(text.to_owned());
            continue;
        }
        let off = line.starts_with('#');
        let entry = line.trim_start_matches('#').trim();
        if entry.starts_with('[') {
            let text = paragraphs(&prose);
            prose.clear();
            settings.tables.push(Table {
                name: entry.to_owned(),
                text,
                keys: Vec::new(),
            });
        } else if let Some((name, value)) = entry.split_once(" = ") {
            let key = Key {
                name: name.to_owned(),
                value: value.to_owned(),
                example: off,
                text: prose.join(" "),
            };
            prose.clear();
            if let Some(table) = settings.tables.last_mut() {
                table.keys.push(key);
            }
        } else if off {
            prose.push(String::new());
        } else if settings.tables.is_empty() && !prose.is_empty() {
            settings.introduction.append(&mut prose);
            settings.introduction.push(String::new());
        }
    }
    settings
}

/// Lines as paragraphs; an empty line parts them.
pub(crate) fn paragraphs(lines: &[String]) -> Vec<String> {
    lines
        .split(|line| line.is_empty())
        .filter(|group| !group.is_empty())
        .map(|group| group.join(" "))
        .collect()
}
