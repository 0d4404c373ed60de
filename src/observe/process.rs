//! What the kernel says about this process, under the names that Prometheus' client libraries agree on.

use std::fmt::Write;

/// Appends the process's own metrics; nothing where the kernel does not tell.
pub(super) fn append(text: &mut String) {
    let resident_bytes = std::fs::read_to_string("/proc/self/status").ok().and_then(|status| resident(&status));
    let open_files = std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64);
    gauge(text, "process_resident_memory_bytes", "Resident memory", resident_bytes);
    gauge(text, "process_open_fds", "Open file descriptors", open_files);
}

fn gauge(text: &mut String, name: &str, help: &str, value: Option<u64>) {
    if let Some(value) = value {
        // writing to memory does not fail
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
}

/// `VmRSS:    12345 kB` of `/proc/self/status`, in bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_resident_memory() {
        assert_eq!(resident("VmPeak:\t  900 kB\nVmRSS:\t   12 kB\n"), Some(12 * 1024));
        assert_eq!(resident("VmRSS:\t lots\n"), None);
    }
}
