//! House rules that no compiler checks; the reasons are in `CONTRIBUTING.md`.

use crate::support::source::{self, Source};

/// Lines of a file before its tests: what one can read at a sitting.
const FILE_LINES: usize = 450;
/// What has no place off the test path, and what to do instead.
const FORBIDDEN: [(&str, &str); 8] = [
    (".unwrap()", "return the error, or show why there is none with `let ... else`"),
    (".expect(\"", "return the error, or show why there is none with `let ... else`"),
    ("panic!(", "return the error"),
    ("unimplemented!(", "write it, or leave the path out"),
    ("todo!(", "write it, or leave the path out"),
    ("dbg!(", "emit an event, or log"),
    ("#[allow(", "mend what the lint found"),
    ("unsafe ", "the crate forbids it"),
];

fn untidy(source: &Source) -> Vec<String> {
    let code = source.code();
    let lines = source.shipped_lines();
    let words = FORBIDDEN.iter().filter(|(word, _)| code.contains(word));
    let mut wrong: Vec<_> = words.map(|(word, instead)| format!("{}: `{word}`; {instead}", source.path)).collect();
    if lines > FILE_LINES {
        wrong.push(format!("{}: {lines} lines before its tests; part it by subject", source.path));
    }
    wrong
}

#[test]
fn files_are_short_and_end_no_process() {
    let wrong: Vec<_> = source::shipped().iter().flat_map(untidy).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
