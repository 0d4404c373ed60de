//! How many clients the system's limit of open files leaves room for.
//!
//! Whoever opens connections until there are no descriptors left would otherwise keep vendors from being reached and, because
//! `/livez` is not answered either, have the process restarted.

/// Descriptors for people and scrapers, files, listeners and the runtime.
const RESERVE: usize = 64;

/// The most client connections: `configured`, or fewer where the system allows too few open files.
///
/// The soft limit is low by habit, for programs that use `select(2)`; it is raised as far as is needed and the hard one allows.
pub(super) fn client_connections(configured: usize) -> usize {
    let limit = match rlimit::increase_nofile_limit(files(configured)) {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files is not known: connections may fail for want of descriptors");
            return configured;
        }
    };
    let room = room(limit);
    if room < configured {
        tracing::warn!(
            limit,
            max_connections = configured,
            "the limit of open files leaves room for {room} client connections; raise it (ulimit -Hn, LimitNOFILE=)"
        );
    }
    configured.min(room)
}

/// The files that so many clients may take: behind each there may be a connection to a vendor.
fn files(clients: usize) -> u64 {
    clients.saturating_mul(2).saturating_add(RESERVE) as u64
}

/// The clients that so many files are enough for.
fn room(files: u64) -> usize {
    usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(RESERVE).div_euclid(2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_123_clients_leave_descriptors_for_vendors_and_people() {
        assert_eq!([1024, 256, 64, 0].map(room), [480, 96, 1, 1]);
        for clients in [1, 96, 20_000] {
            assert_eq!(room(files(clients)), clients);
        }
    }
}
