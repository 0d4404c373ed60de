//! Every path that opens a connection to a vendor, listed: the source is read, so that a new one does not go unseen.

use crate::support::source;
use std::collections::BTreeSet;

/// What resolves names or opens connections.
const OPENS: [&str; 10] = [
    "TcpStream::connect",
    "TcpSocket",
    "connect_timeout(",
    "lookup_host",
    "to_socket_addrs",
    "getaddrinfo",
    "UdpSocket",
    "UnixStream",
    "reqwest",
    "hyper_util::client",
];

/// Where that may be: vendors are contacted by `upstream` alone, the command line asks the operator's own proxy, alerts go to the
/// operator's own webhook, and the demonstration is the vendor's side.
const MAY_OPEN: [&str; 4] =
    ["src/upstream/dial.rs", "src/upstream/resolve.rs", "src/cli/live.rs", "src/observe/alerts/webhook.rs"];
const DEMO: &str = "src/demo/";

/// The files whose code holds one of the passages.
fn holding(passages: &[&str]) -> BTreeSet<String> {
    let files = source::shipped().into_iter().filter(|source| !source.path.starts_with(DEMO));
    let holds = |source: &source::Source| {
        let code = source.code();
        passages.iter().any(|passage| code.contains(passage))
    };
    files.filter(holds).map(|source| source.path).collect()
}

fn paths(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(ToString::to_string).collect()
}

#[test]
fn only_upstream_opens_connections_to_vendors() {
    assert_eq!(holding(&OPENS), paths(&MAY_OPEN));
}

#[test]
fn upstream_sends_nothing_without_a_permit() {
    let source = source::file("src/upstream/mod.rs");
    let code = source.code();
    let doors: Vec<&str> = code.split("pub async fn ").skip(1).filter_map(|rest| rest.split('{').next()).collect();
    assert!(!doors.is_empty(), "nothing can be asked of upstream");
    for door in doors {
        assert!(door.contains("permit: &Permit"), "{door} asks for no permit");
    }
    let inner = ["src/upstream/dial.rs", "src/upstream/resolve.rs", "src/upstream/site.rs"].map(source::file);
    for source in &inner {
        let open = source
            .code()
            .lines()
            .any(|line| line.trim_start().starts_with("pub fn") || line.trim_start().starts_with("pub async fn"));
        assert!(!open, "{} can be called from outside of upstream", source.path);
    }
}

#[test]
fn only_the_snapshot_mints_permits_and_few_paths_use_them() {
    assert_eq!(holding(&["Permit {"]), paths(&["src/snapshot/permit.rs"]));
    assert_eq!(
        holding(&[".permit(", ".probe_permit(", ".feed_permit("]),
        paths(&[
            // asks what a recall would say, and throws the permit away
            "src/snapshot/permit.rs",
            // attempts, whatever brought them about; selection asks beforehand for answers, which are no permits
            "src/exchange/attempt.rs",
            "src/exchange/hedge.rs",
            // what a vendor offers beside calls
            "src/exchange/vendor/mod.rs",
            // background checks, which carry nothing of a client
            "src/probe/feeds.rs",
            "src/probe/mod.rs",
            // names who serves in the place of what surged, and throws the permit away
            "src/state/surge.rs",
        ])
    );
    assert_eq!(
        holding(&["connections.send("]),
        paths(&["src/exchange/attempt.rs", "src/exchange/vendor/mod.rs", "src/probe/feeds.rs", "src/probe/mod.rs"])
    );
}
