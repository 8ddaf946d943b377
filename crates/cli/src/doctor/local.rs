//! Nodes that run on this machine, by /proc: what they have open, and may open.

use std::fs;
use std::path::Path;

use super::facts::OpenFiles;

/// Nodes that run from this program's file; those of other users cannot be looked into.
pub(super) fn processes() -> Vec<OpenFiles> {
    let Ok(own) = std::env::current_exe() else { return Vec::new() };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let path = entry.path();
            (fs::read_link(path.join("exe")).ok()? == own && is_node(&path)).then_some(())?;
            let limit = limit(&fs::read_to_string(path.join("limits")).ok()?)?;
            let open = u64::try_from(fs::read_dir(path.join("fd")).ok()?.count()).ok()?;
            Some(OpenFiles { pid, open, limit })
        })
        .collect()
}

/// Whether its command line is one that starts a node.
fn is_node(path: &Path) -> bool {
    let line = fs::read(path.join("cmdline")).unwrap_or_default();
    let starts =
        |word: &[u8]| word == b"server" || word.windows(18).any(|it| it == b"kafka-server-start");
    line.split(|byte| *byte == 0).take(2).any(starts)
}

/// The soft limit of open files, from the table of limits.
fn limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_counts() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max cpu time              unlimited            unlimited            seconds   \n\
                    Max open files            1024                 1048576              files     \n";
        assert_eq!(limit(text), Some(1024));
        assert_eq!(limit("Max open files  unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(limit(""), None);
    }
}
