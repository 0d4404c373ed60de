//! How many clients the system's limit of open files leaves room for.
//!
//! Whoever opens connections until there are no descriptors left would otherwise keep vendors from being reached and, because
//! `/livez` is not answered either, have the process restarted.

use std::fs;

/// Descriptors for people and scrapers, files, listeners and the runtime.
const RESERVE: usize = 64;

/// The most client connections: `configured`, or fewer where the limit of open files is lower. The limit is read once, as it
/// stays what it is while the process runs.
pub(super) fn client_connections(configured: usize) -> usize {
    let limit = fs::read_to_string("/proc/self/limits").ok().and_then(|limits| open_files(&limits));
    let Some(limit) = limit else { return configured };
    let room = room(limit);
    if room < configured {
        tracing::warn!(
            limit,
            max_connections = configured,
            "the limit of open files leaves room for {room} client connections; raise it (ulimit -n, LimitNOFILE=)"
        );
    }
    configured.min(room)
}

/// Behind each client there may be a connection to a vendor.
fn room(limit: usize) -> usize {
    (limit.saturating_sub(RESERVE) / 2).max(1)
}

/// The soft limit of `Max open files  1024  524288  files` of `/proc/self/limits`.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_123_clients_leave_descriptors_for_vendors_and_people() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             96365                96365                processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files            unlimited            unlimited            files\n"), None);
        assert_eq!([1024, 256, 64, 0].map(room), [480, 96, 1, 1]);
    }
}
