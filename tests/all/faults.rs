//! `docs/faults.md` says which tests cover which fault, and says it truly.

use crate::support::source;
use std::collections::{BTreeMap, BTreeSet};
use std::{env, fs};

const PAPER: &str = "docs/faults.md";

/// The files with tests of each fault, by number: functions named `f_NNN_...`, or `f_NNN_f_MMM_...` where a test covers several.
fn tested() -> BTreeMap<String, BTreeSet<String>> {
    let mut tested = BTreeMap::<String, BTreeSet<String>>::new();
    for source in ["src", "tests"].into_iter().flat_map(|folder| source::files(folder, "rs")) {
        for rest in source.text.split("fn f_").skip(1) {
            for number in numbers(rest) {
                tested.entry(number.to_owned()).or_default().insert(source.path.clone());
            }
        }
    }
    tested
}

/// `111`, `112` of `111_f_112_what_is_tested`.
fn numbers(name: &str) -> impl Iterator<Item = &str> {
    let numbered = name.split("_f_").map(|part| part.split_at_checked(3).unwrap_or((part, "")));
    let numbered = numbered.take_while(|(number, rest)| {
        number.len() == 3
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && !rest.starts_with(|next: char| next.is_ascii_digit())
    });
    numbered.map(|(number, _)| number)
}

/// The paper with its last column as it should be, and one row for each fault: merges of two papers double rows.
fn rewritten(paper: &str, tested: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut told = BTreeSet::new();
    let lines = paper.lines().filter(|line| fault(line).is_none_or(|number| told.insert(number)));
    let lines = lines.map(|line| {
        let Some(number) = fault(line) else { return line.to_owned() };
        let files = tested.get(number).into_iter().flatten().map(|path| format!("`{path}`")).collect::<Vec<_>>();
        let kept = line.trim_end_matches('|').trim_end().rsplit_once('|').map_or(line, |(kept, _)| kept);
        format!("{kept}| {} |", files.join(", ")).replace("|  |", "| |")
    });
    lines.map(|line| line + "\n").collect()
}

/// `024` of a row `| F-024 | ...`.
fn fault(line: &str) -> Option<&str> {
    line.strip_prefix("| F-")?.get(..3)
}

#[test]
fn every_fault_names_its_tests() {
    let paper = source::file(PAPER).text;
    let tested = tested();
    let known: BTreeSet<_> = paper.lines().filter_map(fault).map(str::to_owned).collect();
    let unknown: Vec<_> = tested.keys().filter(|number| !known.contains(*number)).collect();
    assert!(unknown.is_empty(), "tests name faults that {PAPER} does not have: {unknown:?}");

    let expected = rewritten(&paper, &tested);
    if env::var_os("BACKSTAY_WRITE_DOCS").is_some() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md"), expected).unwrap();
    } else {
        assert!(paper == expected, "{PAPER} is out of date; write it with BACKSTAY_WRITE_DOCS=1 cargo test faults");
    }
}
