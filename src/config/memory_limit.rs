//! How much memory this process may use: the machine's, or less where its control group (container) has a limit.

use std::fs;

/// At least this, so that a few slow clients do not close a small container for all others.
const MIN_BUFFER_BUDGET: u64 = 32 * 1024 * 1024;

/// Half the memory: the rest is for the program, its caches and what requests need while they are served.
pub fn default_buffer_budget() -> usize {
    usize::try_from((available_memory() / 2).max(MIN_BUFFER_BUDGET)).unwrap_or(usize::MAX)
}

fn available_memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_total(&text));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits =
        limit_files(&groups).into_iter().filter_map(|file| parse_limit(&fs::read_to_string(file).ok()?));
    limits.chain(machine).min().unwrap_or(0)
}

fn memory_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Where a limit may stand: a container sees its own group as the root, and a service's group is below it.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = vec![
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ];
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (folder, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // limits of the groups above count too
        let mut path = path.trim_end_matches('/');
        while !path.is_empty() {
            files.push(format!("{folder}{path}/{name}"));
            path = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }
    files
}

/// `None` for `max`, which means no limit.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_limits_in_cgroup_v1_and_v2() {
        let files = limit_files("4:memory:/a/b\n3:cpuset:/c\n0::/d\n");
        for (file, listed) in [
            ("/sys/fs/cgroup/memory.max", true),
            ("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", true),
            ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", true),
            ("/sys/fs/cgroup/d/memory.max", true),
            ("/sys/fs/cgroup/c/memory.max", false),
        ] {
            assert_eq!(files.iter().any(|name| name == file), listed, "{file}");
        }
    }

    #[test]
    fn reads_limits_and_the_size_of_the_memory() {
        assert_eq!((parse_limit("134217728\n"), parse_limit("max\n")), (Some(134_217_728), None));
        assert_eq!(memory_total("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2_097_152));
        assert_eq!(memory_total("nothing"), None);
    }
}
