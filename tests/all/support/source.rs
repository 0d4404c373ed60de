//! The project's own source, as tests read it.

use std::fs;
use std::path::{Path, PathBuf};

/// One file under `src`, or another of the project's text files.
pub(crate) struct Source {
    /// Relative to the project's directory, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

/// What begins the unit tests at a file's end.
const TESTS: &str = "#[cfg(test)]\nmod tests {";

impl Source {
    fn before_tests(&self) -> &str {
        self.text.split(TESTS).next().unwrap_or_default()
    }

    /// What comes before the unit tests at the file's end, without comments.
    pub(crate) fn code(&self) -> String {
        self.before_tests().lines().map(without_comment).collect::<Vec<_>>().join("\n")
    }

    /// Lines before the unit tests at the file's end.
    pub(crate) fn shipped_lines(&self) -> usize {
        self.before_tests().lines().count()
    }

    /// The beginnings of the paths of modules that it declares for tests alone: `src/a/b.` and `src/a/b/` for `b` in
    /// `src/a/mod.rs`.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.strip_suffix("/mod.rs").or(self.path.strip_suffix("/lib.rs")) {
            Some(folder) => folder,
            None => self.path.trim_end_matches(".rs"),
        };
        let declared = self.text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|rest| rest.split_once(';'));
        let names = declared.map(|(name, _)| name).filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
        names.flat_map(|name| [format!("{folder}/{name}."), format!("{folder}/{name}/")]).collect()
    }

    /// The top module that the file belongs to: `base` for `src/base/clock.rs`, `main` for `src/main.rs`.
    pub(crate) fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split(['/', '.']).next().unwrap_or_default()
    }
}

/// Every Rust file under `src` that is part of what ships, ordered by path.
pub(crate) fn shipped() -> Vec<Source> {
    let all = files("src", "rs");
    let for_tests: Vec<_> = all.iter().flat_map(Source::test_modules).collect();
    let ships = |source: &Source| !for_tests.iter().any(|beginning| source.path.starts_with(beginning));
    all.into_iter().filter(ships).collect()
}

/// Every file of an extension under a folder of the project, ordered by path.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join(folder), extension, &mut paths);
    paths.sort();
    paths.into_iter().map(|path| read(root, &path)).collect()
}

/// One text file of the project.
pub(crate) fn file(path: &str) -> Source {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    read(root, &root.join(path))
}

fn read(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let relative = path.strip_prefix(root).unwrap_or(path);
    Source { path: relative.to_string_lossy().replace('\\', "/"), text }
}

fn collect(folder: &Path, extension: &str, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, extension, paths);
        } else if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
}

/// The line up to a comment. A `//` within a string literal, as in an address, does not begin one.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let bytes = line.as_bytes();
    for position in 0..bytes.len() {
        match bytes[position] {
            b'"' if position == 0 || bytes[position - 1] != b'\\' => quoted = !quoted,
            b'/' if !quoted && bytes.get(position + 1) == Some(&b'/') => return &line[..position],
            _ => {}
        }
    }
    line
}
