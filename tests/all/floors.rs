//! The floors of `ARCHITECTURE.md`: each module imports only from floors below its own.

use crate::support::source::{self, Source};
use std::collections::BTreeSet;

/// Modules by floor, the ground floor first.
const FLOORS: [&[&str]; 8] = [
    &["base"],
    &["call"],
    &["catalog", "dialect", "config", "policy", "price", "audit"],
    &["snapshot", "import"],
    &["state", "upstream", "workflow"],
    &["exchange", "probe", "observe"],
    &["server", "admin"],
    &["main", "lib", "cli", "app", "reload", "demo"],
];

/// The floors that neither wait nor look: no runtime, no sockets, no clock, no environment, no files, no chance.
const PURE_FLOORS: usize = 4;
const IMPURE: [&str; 16] = [
    "tokio",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "UnixStream",
    "Instant",
    "SystemTime",
    "::now()",
    "std::env",
    "env::var",
    "std::fs",
    "fs::read",
    "std::thread",
    "std::process",
    "SystemRandom",
];
/// The one place below the fourth floor where files are read.
const READS_FILES: &str = "src/config/load.rs";

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The top modules that a piece of code names: `a` and `b` of `crate::a::x` and `use crate::{a, b::y}`.
fn imports(code: &str) -> BTreeSet<String> {
    code.split("crate::").skip(1).flat_map(imported).filter(|name| !name.is_empty()).collect()
}

/// What follows one `crate::`.
fn imported(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else { return vec![identifier(rest)] };
    let mut depth = 0_usize;
    let mut names = vec![identifier(group)];
    for (position, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(identifier(&group[position + 1..])),
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.trim_start().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// What is wrong with a file's imports.
fn broken_floors(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(own) = floor(module) else {
        return vec![format!(
            "{}: `{module}` stands on no floor; give it one here and in ARCHITECTURE.md",
            source.path
        )];
    };
    let may_import = |other: &str| {
        let on_top = own == FLOORS.len() - 1;
        other == module || on_top || floor(other).is_some_and(|below| below < own)
    };
    let code = source.code();
    let mut wrong: Vec<_> = imports(&code)
        .into_iter()
        .filter(|other| !may_import(other))
        .map(|other| format!("{}: floor {own} imports `{other}` of floor {:?}", source.path, floor(&other)))
        .collect();
    if code.contains("super::super::") {
        wrong.push(format!("{}: climbs with `super::super::`; say `crate::`", source.path));
    }
    wrong
}

/// What a pure file names that is not.
fn impurities(source: &Source) -> Vec<String> {
    let pure = floor(source.module()).is_some_and(|floor| floor < PURE_FLOORS) && source.path != READS_FILES;
    let code = if pure { source.code() } else { String::new() };
    let named = IMPURE.iter().filter(|word| code.contains(**word));
    named.map(|word| format!("{}: `{word}` on a pure floor; let it be passed in", source.path)).collect()
}

fn report(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn modules_import_only_from_floors_below() {
    report(source::shipped().iter().flat_map(broken_floors).collect());
}

#[test]
fn the_lower_floors_are_pure() {
    report(source::shipped().iter().flat_map(impurities).collect());
}

#[test]
fn the_check_itself_sees_what_it_should() {
    let check = |path: &str, text: &str, expected: usize| {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        let found = [broken_floors(&source), impurities(&source)].concat();
        assert_eq!(found.len(), expected, "{path}: {text:?} gave {found:?}");
    };
    check("src/call/needs.rs", "use crate::base::money::Microusd;", 0);
    check("src/call/needs.rs", "use crate::{base::money::{A, B}, call::usage, snapshot::Key};", 1);
    check("src/call/needs.rs", "fn f() { crate::state::health() }", 1);
    check("src/server/mod.rs", "use crate::admin::serve;", 1);
    check("src/app.rs", "use crate::{server, admin, reload};", 0);
    check("src/attic/mod.rs", "", 1);
    check("src/base/clock.rs", "use std::time::{Duration, Instant};", 1);
    check("src/base/clock.rs", "use std::net::{IpAddr, SocketAddr};", 0);
    check("src/base/clock.rs", "// an Instant is read elsewhere", 0);
    check("src/base/clock.rs", "const A: &str = \"http://a\"; use std::fs;", 1);
    check("src/config/load.rs", "use std::fs;", 0);
    check("src/config/parse.rs", "#[cfg(test)]\nmod tests { use std::fs; use crate::server; }", 0);
    check("src/config/mod.rs", "#[cfg(test)]\nmod samples;\nuse std::fs;", 1);
    check("src/base/a/b.rs", "use super::super::clock;", 1);
}
