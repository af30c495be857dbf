//! How much memory this process uses, and how much it may use.

use sysinfo::{MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// The resident bytes of this process; `None` if the system does not say.
pub fn resident() -> Option<u64> {
    let pid = Pid::from_u32(std::process::id());
    let mut system = System::new().ok()?;
    let only = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, only);
    system.process(pid).map(|process| process.memory())
}

/// The default memory limit in bytes: three quarters of the machine or of the process's control
/// group. The rest is for the phases after exploration. `u64::MAX` if the system does not say.
pub fn default_limit() -> u64 {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let Ok(system) = System::new_with_specifics(memory) else { return u64::MAX };
    let machine = Some(system.total_memory());
    let group = system.cgroup_limits().map(|limits| limits.total_memory);
    let total = [machine, group].into_iter().flatten().filter(|bytes| *bytes > 0).min();
    total.map_or(u64::MAX, |bytes| bytes / 4 * 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_holds_something_and_less_than_it_may() {
        let (held, limit) = (resident().expect("this system says"), default_limit());
        assert!(held > 1 << 20, "{held} bytes");
        assert!(held < limit, "{held} of {limit} bytes");
    }
}
