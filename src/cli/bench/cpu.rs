//! Seconds of CPU, of this process and of another.

use rustix::time::{ClockId, clock_gettime};

/// What this process has used so far.
pub fn own() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 * 1e-9
}

/// What a process has used so far, all its threads together, in steps of the kernel's ticks; `None` where it cannot be
/// told. Read from `/proc/PID/stat`, which Linux has.
pub fn of(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(ticks(&stat)? as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The sum of utime and stime, fields 14 and 15 of proc_pid_stat(5). The second field is the name in brackets, in which
/// anything may stand.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 70 7 5 6 20 0 1 0 9";
        assert_eq!(ticks(stat), Some(77));
        assert_eq!(ticks("42 (a) S 1"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn work_takes_cpu() {
        let before = own();
        let mut sum = 0_u64;
        while own() - before < 0.001 {
            sum = std::hint::black_box(sum + 1);
        }
        if cfg!(target_os = "linux") {
            assert!(of(std::process::id()).is_some());
        }
        assert_eq!(of(u32::MAX), None);
    }
}
