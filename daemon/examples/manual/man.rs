//! Man pages.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::Program;
use crate::settings::Settings;

/// Writes all pages below `folder`, in folders by section.
pub(crate) fn write(
    folder: &Path,
    programs: &[Program],
    settings: &Settings,
    date: &str,
) -> io::Result<()> {
    for section in ["man1", "man5", "man8"] {
        fs::create_dir_all(folder.join(section))?;
    }
    for program in programs {
        let name = format!("man{0}/{1}.{0}", program.section, program.page);
        fs::write(folder.join(name), page(program, programs, date)?)?;
    }
    fs::write(
        folder.join("man5/callreel.toml.5"),
        configuration(settings, date),
    )
}

/// The page of a program or command.
fn page(program: &Program, programs: &[Program], date: &str) -> io::Result<Vec<u8>> {
    let command = program.command.clone();
    let man = Man::new(command)
        .title(program.page.to_uppercase())
        .section(program.section.to_string())
        .date(date)
        .source(concat!("Callreel ", env!("CARGO_PKG_VERSION")))
        .manual("Callreel's manual");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    let inner = inside(program, programs);
    if !inner.is_empty() {
        writeln!(out, ".SH COMMANDS")?;
        for command in inner {
            let about = command.command.get_about();
            let about = about.map(ToString::to_string).unwrap_or_default();
            writeln!(
                out,
                ".TP\n\\fB{}\\fR(1)\n{}",
                plain(command.page),
                plain(&about)
            )?;
        }
    }
    extra(&program.command, &mut out)?;
    see_also(program, &mut out)?;
    Ok(out)
}

/// The commands right inside this one.
fn inside<'a>(program: &Program, programs: &'a [Program]) -> Vec<&'a Program> {
    let start = format!("{} ", program.typed);
    programs
        .iter()
        .filter(|other| {
            other
                .typed
                .strip_prefix(&start)
                .is_some_and(|rest| !rest.contains(' '))
        })
        .collect()
}

/// What stands after the help: headings in capitals, the lines below them as they are.
fn extra(command: &Command, out: &mut Vec<u8>) -> io::Result<()> {
    let text = command
        .get_after_long_help()
        .or_else(|| command.get_after_help());
    let Some(text) = text.map(ToString::to_string) else {
        return Ok(());
    };
    let mut open = false;
    for line in text.lines() {
        if let Some((heading, more)) = heading(line) {
            if open {
                writeln!(out, ".fi")?;
            }
            writeln!(out, ".SH {heading}")?;
            if !more.is_empty() {
                writeln!(out, "{}", plain(more))?;
            }
            writeln!(out, ".nf")?;
            open = true;
        } else {
            if !open {
                writeln!(out, ".SH NOTES\n.nf")?;
                open = true;
            }
            writeln!(out, "{}", plain(line.strip_prefix(' ').unwrap_or(line)))?;
        }
    }
    if open {
        writeln!(out, ".fi")?;
    }
    Ok(())
}

/// A line of capitals is a heading in our help texts, perhaps with more in brackets behind it.
fn heading(line: &str) -> Option<(&str, &str)> {
    let (words, more) = line.split_once(" (").map_or((line, ""), |(words, more)| {
        (words, more.strip_suffix(')').unwrap_or(more))
    });
    let capitals = |letter: char| letter.is_ascii_uppercase() || letter == ' ';
    (words.starts_with(|first: char| first.is_ascii_uppercase()) && words.chars().all(capitals))
        .then_some((words, more))
}

fn see_also(program: &Program, out: &mut Vec<u8>) -> io::Result<()> {
    let mut others = vec!["callreel(1)", "callreel.toml(5)", "callreeld(8)"];
    let own = format!("{}({})", program.page, program.section);
    others.retain(|other| *other != own);
    writeln!(out, ".SH \"SEE ALSO\"\n{}", others.join(", "))
}

/// The page of the configuration file.
fn configuration(settings: &Settings, date: &str) -> String {
    let mut out = format!(
        ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n\
         .TH CALLREEL.TOML 5 \"{date}\" \"Callreel {}\" \"Callreel's manual\"\n\
         .SH NAME\ncallreel.toml \\- configuration of the call recorder callreeld\n\
         .SH SYNOPSIS\n/etc/callreel/callreel.toml\n.br\n/etc/callreel/conf.d/*.toml\n\
         .SH DESCRIPTION\n.nf\n",
        env!("CARGO_PKG_VERSION")
    );
    for line in &settings.introduction {
        out.push_str(&plain(line));
        out.push('\n');
    }
    out.push_str(".fi\n");
    for table in &settings.tables {
        out.push_str(&format!(".SH \"{}\"\n", plain(&table.name)));
        for paragraph in &table.text {
            out.push_str(&format!(".PP\n{}\n", plain(paragraph)));
        }
        for key in &table.keys {
            let kind = if key.example { "for example " } else { "" };
            out.push_str(&format!(
                ".TP\n\\fB{}\\fR ({kind}{})\n{}\n",
                plain(&key.name),
                plain(&key.value),
                plain(&key.text)
            ));
        }
    }
    out.push_str(".SH \"SEE ALSO\"\ncallreeld(8), callreel(1)\n");
    out
}

/// Text in which nothing is an order to roff.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    if text.starts_with(['.', '\'']) {
        out.push_str("\\&");
    }
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '"' => out.push_str("\\(dq"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            other => out.push(other),
        }
    }
    out
}
