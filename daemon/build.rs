//! Puts the page into the program: every file of `web/dist`, or the plain page of `web` where the
//! built one is not there. Where `X.br` or `X.gz` lie beside X, they are the same in fewer bytes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let web = PathBuf::from(required("CARGO_MANIFEST_DIR")).join("web");
    let dist = web.join("dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut table = String::from("&[\n");
    if dist.join("index.html").is_file() {
        add(&mut table, "index.html", &dist.join("index.html"), false);
        for path in files(&dist.join("page"))? {
            println!("cargo::rerun-if-changed={}", path.display());
            if let Some(name) = path.file_name().and_then(|name| name.to_str())
                && !name.ends_with(".br")
                && !name.ends_with(".gz")
            {
                // Their names hold a hash of what is in them.
                add(&mut table, name, &path, true);
            }
        }
    } else {
        for name in ["index.html", "app.js", "style.css"] {
            println!("cargo::rerun-if-changed={}", web.join(name).display());
            if web.join(name).is_file() {
                add(&mut table, name, &web.join(name), false);
            }
        }
    }
    table.push_str("]\n");
    let out = PathBuf::from(required("OUT_DIR")).join("page_files.rs");
    fs::write(out, table)
}

fn required(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name}: {error}"))
}

/// The files of a folder, in order, so that the same folder makes the same program.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    Ok(files)
}

fn add(table: &mut String, name: &str, path: &Path, never_changes: bool) {
    let bytes = |path: &Path| format!("include_bytes!({:?})", path.to_string_lossy());
    let smaller = |extension: &str| {
        let path = PathBuf::from(format!("{}.{extension}", path.display()));
        match path.is_file() {
            true => format!("Some({})", bytes(&path)),
            false => "None".to_owned(),
        }
    };
    writeln!(
        table,
        "PageFile {{ name: {name:?}, bytes: {}, brotli: {}, gzip: {}, \
         never_changes: {never_changes} }},",
        bytes(path),
        smaller("br"),
        smaller("gz"),
    )
    .expect("text grows");
}
