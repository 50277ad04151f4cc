//! The manual as HTML: a page a chapter, one style sheet, nothing from elsewhere.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::Program;
use crate::settings::Settings;

/// The chapters that are documents of the repository: file, page, title.
const DOCUMENTS: [(&str, &str, &str); 4] = [
    ("README.md", "index.html", "Callreel"),
    ("ARCHITECTURE.md", "architecture.html", "Architecture"),
    ("FORMAT.md", "format.html", "Files on disk"),
    ("CHANGELOG.md", "changelog.html", "Changes"),
];
/// The chapters that are made: page, title.
const COMMANDS: (&str, &str) = ("commands.html", "Commands");
const CONFIGURATION: (&str, &str) = ("configuration.html", "Configuration");
/// Files that the documents point to and that lie beside the pages.
const BESIDE: [&str; 2] = [
    "packaging/examples/asterisk/extensions.conf",
    "packaging/callreel.toml",
];
const STYLE: &str = include_str!("style.css");

/// Writes all pages into `folder`.
pub(crate) fn write(
    folder: &Path,
    root: &Path,
    programs: &[Program],
    settings: &Settings,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("style.css"), STYLE)?;
    for file in BESIDE {
        let name = Path::new(file).file_name().unwrap_or_default();
        fs::write(folder.join(name), fs::read(root.join(file))?)?;
    }
    for (file, page, title) in DOCUMENTS {
        let text = fs::read_to_string(root.join(file))?;
        fs::write(folder.join(page), framed(page, title, &document(&text)))?;
    }
    let (page, title) = COMMANDS;
    fs::write(folder.join(page), framed(page, title, &commands(programs)))?;
    let (page, title) = CONFIGURATION;
    fs::write(
        folder.join(page),
        framed(page, title, &configuration(settings)),
    )
}

/// A page around its content.
fn framed(page: &str, title: &str, content: &str) -> String {
    let made = [CONFIGURATION, COMMANDS];
    let chapters = DOCUMENTS
        .iter()
        .map(|(_, page, title)| (*page, *title))
        .take(1)
        .chain(made)
        .chain(
            DOCUMENTS
                .iter()
                .skip(1)
                .map(|(_, page, title)| (*page, *title)),
        );
    let mut links = String::new();
    for (other, name) in chapters {
        let here = if other == page {
            " aria-current=\"page\""
        } else {
            ""
        };
        links.push_str(&format!("<a href=\"{other}\"{here}>{name}</a>\n"));
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} - Callreel {version}</title>\n\
         <link rel=\"stylesheet\" href=\"style.css\">\n</head>\n<body>\n\
         <nav aria-label=\"Chapters\">\n{links}</nav>\n<main>\n{content}</main>\n\
         <footer>Callreel {version}</footer>\n</body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION")
    )
}

/// A document of the repository; its headings can be linked to, its links lead to the other pages.
fn document(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let events: Vec<Event> = Parser::new_ext(text, options).collect();
    let names = heading_names(&events);
    let mut names = names.into_iter();
    let mut links = Vec::new();
    let out = events.into_iter().filter_map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => {
            let name = names.next().unwrap_or_default();
            Some(Event::Html(CowStr::from(format!(
                "<{level} id=\"{}\">",
                escaped(&name)
            ))))
        }
        Event::End(TagEnd::Heading(level)) => Some(closing(level)),
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let dest = destination(&dest_url);
            links.push(dest.is_some());
            dest.map(|dest| {
                Event::Start(Tag::Link {
                    link_type,
                    dest_url: CowStr::from(dest),
                    title,
                    id,
                })
            })
        }
        Event::End(TagEnd::Link) => {
            let kept = links.pop().unwrap_or(true);
            kept.then_some(Event::End(TagEnd::Link))
        }
        // The documents have none; text that looks like it stays text.
        Event::Html(html) | Event::InlineHtml(html) => Some(Event::Text(html)),
        other => Some(other),
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, out);
    html
}

fn closing(level: HeadingLevel) -> Event<'static> {
    Event::Html(CowStr::from(format!("</{level}>\n")))
}

/// The names by which headings are linked to, as GitHub makes them, in order.
fn heading_names(events: &[Event]) -> Vec<String> {
    let mut names = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut current: Option<String> = None;
    for event in events {
        match event {
            Event::Start(Tag::Heading { .. }) => current = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut current {
                    heading.push_str(text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&current.take().unwrap_or_default());
                let count = seen.entry(name.clone()).or_insert(0);
                let unique = match *count {
                    0 => name,
                    number => format!("{name}-{number}"),
                };
                *count += 1;
                names.push(unique);
            }
            _ => {}
        }
    }
    names
}

fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            other if other.is_alphanumeric() => Some(other),
            _ => None,
        })
        .collect()
}

/// Where a link of the documents leads in the manual; none for files that are not part of it.
fn destination(link: &str) -> Option<String> {
    if link.starts_with('#') || link.contains("://") {
        return Some(link.to_owned());
    }
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, format!("#{anchor}")),
        None => (link, String::new()),
    };
    if let Some((_, page, _)) = DOCUMENTS.iter().find(|(name, _, _)| *name == file) {
        return Some(format!("{page}{anchor}"));
    }
    let beside = BESIDE.iter().find(|name| **name == file)?;
    beside.rsplit('/').next().map(str::to_owned)
}

/// What each program says about itself.
fn commands(programs: &[Program]) -> String {
    let mut out = String::from("<h1>Commands</h1>\n<p>");
    for program in programs {
        out.push_str(&format!(
            "<a href=\"#{}\"><code>{}</code></a>\n",
            program.page, program.typed
        ));
    }
    out.push_str("</p>\n");
    for program in programs {
        let mut command = program
            .command
            .clone()
            .name(program.typed)
            .bin_name(program.typed)
            .term_width(100);
        out.push_str(&format!(
            "<h2 id=\"{}\"><code>{}</code></h2>\n<pre>{}</pre>\n",
            program.page,
            program.typed,
            escaped(&command.render_long_help().to_string())
        ));
    }
    out
}

fn configuration(settings: &Settings) -> String {
    let mut out = format!(
        "<h1>Configuration</h1>\n<p>Every key, its meaning, its range and its default; as a file: \
         <a href=\"callreel.toml\">callreel.toml</a>.</p>\n<pre>{}</pre>\n",
        escaped(settings.introduction.join("\n").trim_end())
    );
    for table in &settings.tables {
        out.push_str(&format!("<h2><code>{}</code></h2>\n", escaped(&table.name)));
        for paragraph in &table.text {
            out.push_str(&format!("<p>{}</p>\n", escaped(paragraph)));
        }
        out.push_str("<dl>\n");
        for key in &table.keys {
            let kind = if key.example { "for example " } else { "" };
            out.push_str(&format!(
                "<dt><code>{}</code> <small>{kind}<code>{}</code></small></dt>\n<dd>{}</dd>\n",
                escaped(&key.name),
                escaped(&key.value),
                escaped(&key.text)
            ));
        }
        out.push_str("</dl>\n");
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
