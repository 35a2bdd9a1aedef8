//! Arguments with units: durations, sizes, rates, shares.

use std::time::Duration;

/// Longer ones are mistakes.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// What an article may have under the server's largest setting.
const LARGEST: f64 = 4_294_967_295.0;

/// The number and the unit after it.
fn split(value: &str) -> Option<(f64, &str)> {
    let end = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

pub fn duration(value: &str) -> Result<Duration, String> {
    let parsed = split(value).and_then(|(number, unit)| {
        let seconds = match unit {
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Duration::try_from_secs_f64(number * seconds).ok().filter(|d| *d <= LONGEST)
    });
    parsed.ok_or_else(|| format!("{value:?} is no duration, expected such as 500ms, 10s or 2m, up to 24h"))
}

/// As [`duration`], but not zero.
pub fn some_time(value: &str) -> Result<Duration, String> {
    match duration(value)? {
        Duration::ZERO => Err(format!("{value:?} is no time at all, expected such as 500ms, 10s or 2m")),
        time => Ok(time),
    }
}

pub fn size(value: &str) -> Result<usize, String> {
    let parsed = split(value).and_then(|(number, unit)| {
        let bytes = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1.0,
            "kb" => 1e3,
            "mb" => 1e6,
            "kib" => 1024.0,
            "mib" => 1024.0 * 1024.0,
            _ => return None,
        };
        Some(number * bytes).filter(|bytes| (1.0..=LARGEST).contains(bytes))
    });
    let bytes = parsed.ok_or_else(|| format!("{value:?} is no size, expected such as 300, 3KB or 1MiB"))?;
    Ok(bytes as usize)
}

/// Calls a second; 0 is a closed loop.
pub fn rate(value: &str) -> Result<f64, String> {
    let parsed = value.parse::<f64>().ok().filter(|rate| *rate == 0.0 || (0.001..=1e6).contains(rate));
    parsed.ok_or_else(|| {
        format!(
            "{value:?} is no rate, expected calls per second from 0.001 to 1000000, or 0 for a closed loop"
        )
    })
}

pub fn share(value: &str) -> Result<f64, String> {
    let parsed = value.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    parsed.ok_or_else(|| format!("{value:?} is no share, expected a number from 0 to 1 such as 0.01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (value, millis) in [("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("1.5 s", 1_500), ("0s", 0)]
        {
            assert_eq!(duration(value), Ok(Duration::from_millis(millis)), "{value}");
        }
        for value in ["", "10", "s", "-1s", "1d", "1..5s", "25h", "99999999999999999999h"] {
            let told = format!("{value:?} is no duration, expected such as 500ms, 10s or 2m, up to 24h");
            assert_eq!(duration(value), Err(told));
        }
        assert!(some_time("0s").is_err());
    }

    #[test]
    fn sizes_are_bytes_unless_they_say_otherwise() {
        for (value, bytes) in [("300", 300), ("3KB", 3_000), ("3kb", 3_000), ("1.5MiB", 1_572_864), ("9B", 9)]
        {
            assert_eq!(size(value), Ok(bytes), "{value}");
        }
        for value in ["", "0", "-3", "3 GB", "x", "9999999MB"] {
            assert_eq!(size(value), Err(format!("{value:?} is no size, expected such as 300, 3KB or 1MiB")));
        }
    }

    #[test]
    fn rates_and_shares_are_bounded() {
        assert_eq!((rate("0"), rate("2.5")), (Ok(0.0), Ok(2.5)));
        for value in ["x", "-1", "NaN", "inf", "1e9", ""] {
            assert!(rate(value).is_err_and(|told| told.starts_with(&format!("{value:?} is no rate"))));
            assert!(share(value).is_err_and(|told| told.starts_with(&format!("{value:?} is no share"))));
        }
        assert_eq!(share("0.01"), Ok(0.01));
    }
}
