use super::*;
use std::collections::BTreeSet;

const CONFIG: &str = "[key.app]\nsecret = { file = \"secret\" }\n";

/// A folder with these files; secrets are for their owner alone.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file");
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");
    }
    folder
}

fn load_in(folder: &tempfile::TempDir) -> Result<Sources, Vec<Diagnostic>> {
    load(&folder.path().join("backstay.toml"), &|name| (name == "SET").then(|| "value".to_owned()))
}

/// What is found while reading, as text; the warning of a missing policy folder left out.
fn findings(folder: &tempfile::TempDir) -> Vec<String> {
    let found = load_in(folder).map_or_else(|found| found, |sources| sources.diagnostics);
    let lines = found.iter().map(|found| format!("{}: {}", found.place.line, found.message));
    lines.filter(|line| !line.contains("built-in base policy")).collect()
}

fn check(folder: &tempfile::TempDir, expected: &[&str]) {
    let found = findings(folder);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        let (start, end) = expected.split_once(" ... ").unwrap_or((expected, ""));
        assert!(found.starts_with(start) && found.contains(end), "{found}\n is not {expected}");
    }
}

#[test]
fn everything_that_is_named_is_read() {
    let folder = folder(&[("backstay.toml", CONFIG), ("secret", "s3cret\n"), ("policies/base.cedar", "")]);
    let sources = load_in(&folder).expect("sources");
    assert_eq!(sources.diagnostics, []);
    let source = SecretSource::File(folder.path().join("secret"));
    assert_eq!(sources.secret(&source).map(Secret::expose), Some("s3cret\n"));
    let watched: BTreeSet<&Path> = sources.watched().collect();
    assert_eq!(watched, BTreeSet::from([folder.path(), folder.path().join("policies").as_path()]));
}

#[test]
fn a_missing_config_is_said_plainly() {
    check(&folder(&[]), &["0: cannot read ... backstay.toml: No such file"]);
}

#[test]
fn includes_are_relative_to_the_file_and_may_be_folders() {
    let files = [
        ("backstay.toml", "include = [\"conf.d\", \"more/keys.toml\"]\n"),
        ("conf.d/a.toml", "[team.a]\n"),
        ("conf.d/b.toml", "[team.b]\n[key.b]\nsecret = { file = \"secret\" }\n"),
        ("conf.d/secret", "beside the file that names it"),
        ("conf.d/.hidden.toml", "broken"),
        ("more/keys.toml", "[team.c]\n"),
    ];
    let sources = load_in(&folder(&files)).expect("sources");
    let teams: Vec<&str> = sources.config.team.iter().map(|named| named.name.as_str()).collect();
    assert_eq!(teams, ["a", "b", "c"]);
    assert_eq!(sources.secrets.len(), 1);
}

#[test]
fn an_include_goes_one_level_deep() {
    let nested = [("backstay.toml", "include = [\"a.toml\"]\n"), ("a.toml", "include = [\"b.toml\"]\n")];
    check(&folder(&nested), &["1: an included file cannot include others"]);
    let twice = [("backstay.toml", "include = [\"a.toml\", \"a.toml\"]\n"), ("a.toml", "")];
    check(&folder(&twice), &["1: ... included twice"]);
    let itself = [("backstay.toml", "include = [\"backstay.toml\"]\n")];
    check(&folder(&itself), &["1: ... included twice"]);
}

#[cfg(unix)]
#[test]
fn f_144_a_secret_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder(&[("backstay.toml", CONFIG), ("secret", "s")]);
    check(&folder, &[]);
    for mode in [0o640, 0o604] {
        fs::set_permissions(folder.path().join("secret"), fs::Permissions::from_mode(mode)).expect("permissions");
        check(&folder, &["2: ... can be read by others than its owner"]);
    }
}

#[test]
fn f_089_a_huge_or_binary_file_is_refused_by_the_name_of_the_limit() {
    let huge = folder(&[("backstay.toml", CONFIG), ("secret", "")]);
    fs::File::create(huge.path().join("secret")).and_then(|file| file.set_len(100 << 20)).expect("a sparse file");
    check(&huge, &["2: cannot read ... larger than 16 MiB (limit MAX_FILE_BYTES)"]);
    let binary = folder(&[("backstay.toml", ""), ("policies/base.cedar", "")]);
    fs::write(binary.path().join("policies/base.cedar"), [b'/', b'/', 0xff, 0xfe]).expect("a file");
    check(&binary, &["0: ... is not UTF-8 text (byte 2)"]);
}

#[cfg(unix)]
#[test]
fn f_131_policies_are_read_from_their_folder_alone() {
    let folder = folder(&[("backstay.toml", ""), ("policies/base.cedar", ""), ("elsewhere.cedar", "")]);
    std::os::unix::fs::symlink(folder.path().join("elsewhere.cedar"), folder.path().join("policies/link.cedar"))
        .expect("a link");
    fs::create_dir(folder.path().join("policies/folder.cedar")).expect("a folder");
    fs::write(folder.path().join("policies/Ünsafe.cedar"), "").expect("a file");
    check(
        &folder,
        &["0: cannot read ... not a regular file", "0: ... a link out of its folder", "0: ... cannot be a name"],
    );
}

#[cfg(unix)]
#[test]
fn a_config_map_is_watched_where_it_is_named() {
    let folder = folder(&[("..2026/base.cedar", ""), ("..2026/backstay.toml", "")]);
    let at = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink(at("..2026"), at("..data")).expect("a link");
    std::os::unix::fs::symlink(at("..data/backstay.toml"), at("backstay.toml")).expect("a link");
    let sources = load_in(&folder).expect("sources");
    let watched: BTreeSet<&Path> = sources.watched().collect();
    assert!(watched.contains(folder.path()), "{watched:?}");
}
